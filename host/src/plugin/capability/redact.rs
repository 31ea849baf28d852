//! Blanking a plugin's secrets in what others read: its log and its recordings.

use std::collections::BTreeMap;
use std::fmt::Write;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::plugin::Check;

/// A secret that is shorter than this is looked for as it stands, and not inside of base64: there, every text has
/// stretches of three characters.
const BASE64_MIN_BYTES: usize = 6;

/// Finds secrets in every usual spelling.
pub(super) struct Redactor {
    search: AhoCorasick,
    /// What stands in the place of each spelling.
    blanks: Vec<String>,
}

impl Redactor {
    pub(super) fn new(secrets: &BTreeMap<String, String>) -> Check<Self> {
        let (mut patterns, mut blanks) = (Vec::new(), Vec::new());
        for (name, value) in secrets.iter().filter(|(_, value)| !value.is_empty()) {
            for spelling in spellings(value) {
                patterns.push(spelling);
                blanks.push(format!("[secret {name}]"));
            }
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .map_err(|cause| format!("has secrets that cannot be looked for: {cause}"))?;
        Ok(Self { search, blanks })
    }

    pub(super) fn text(&self, text: &str) -> String {
        if self.blanks.is_empty() {
            return text.to_owned();
        }
        self.search.replace_all(text, &self.blanks)
    }

    /// The same of every text, name and stretch of bytes in `value`.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => self.fields(fields),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
        }
    }

    fn fields(&self, fields: Map<String, Value>) -> Value {
        if let Some(bytes) = in_base64(&fields) {
            let bytes = self.search.replace_all_bytes(&bytes, &self.blanks);
            return serde_json::json!({"base64": STANDARD.encode(bytes)});
        }
        let fields = fields.into_iter();
        fields
            .map(|(name, value)| (self.text(&name), self.value(value)))
            .collect()
    }
}

/// Bytes as recordings write those that are no text.
fn in_base64(fields: &Map<String, Value>) -> Option<Vec<u8>> {
    let text = fields.get("base64").filter(|_| fields.len() == 1)?;
    STANDARD.decode(text.as_str()?).ok()
}

/// `value` as it stands, in a JSON text, in an address, and inside of base64.
fn spellings(value: &str) -> Vec<String> {
    let in_json = Value::from(value).to_string();
    let mut all = vec![
        value.to_owned(),
        in_json[1..in_json.len() - 1].to_owned(),
        percent(value, |hex, byte| write!(hex, "%{byte:02X}")),
        percent(value, |hex, byte| write!(hex, "%{byte:02x}")),
    ];
    if value.len() >= BASE64_MIN_BYTES {
        all.extend((0..3).flat_map(|before| within_base64(value, before)));
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn percent(value: &str, escape: impl Fn(&mut String, u8) -> std::fmt::Result) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => text.push(char::from(byte)),
            false => escape(&mut text, byte).expect("a text takes everything"),
        }
        text
    })
}

/// The characters of base64 that say nothing but `value`, with `before` bytes in front of it.
fn within_base64(value: &str, before: usize) -> [String; 2] {
    let bytes = [&vec![0; before][..], value.as_bytes()].concat();
    // The first and the last character of a part may say something of its neighbours too.
    let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|base64| base64.encode(&bytes)[start..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[(&str, &str)]) -> Redactor {
        let secrets = secrets.iter();
        let secrets = secrets.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Redactor::new(&secrets.collect()).expect("secrets")
    }

    #[test]
    fn of_secrets_that_begin_alike_nothing_is_left() {
        let redactor = redactor(&[("A", "abc"), ("B", "abcdef")]);
        assert_eq!(redactor.text("abcdef abc"), "[secret B] [secret A]");
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = "pass\"word+1";
        let redactor = redactor(&[("KEY", secret)]);
        for text in [
            secret.to_owned(),
            serde_json::json!({ "key": secret }).to_string(),
            "https://a.example/?key=pass%22word%2B1".to_owned(),
            "https://a.example/?key=pass%22word%2b1".to_owned(),
        ] {
            assert!(redactor.text(&text).contains("[secret KEY]"), "{text}");
        }
        for user in ["", "a", "ab", "abc", "user"] {
            let text = STANDARD.encode(format!("{user}:{secret}:"));
            let redacted = redactor.text(&text);
            assert!(redacted.contains("[secret KEY]"), "{user}: {redacted}");
        }
    }

    #[test]
    fn names_and_bytes_are_no_hiding_places() {
        let redactor = redactor(&[("KEY", "hush")]);
        let bytes = STANDARD.encode(b"\xffhush\xff");
        let value = redactor.value(serde_json::json!({"hush": [{"base64": bytes}]}));
        let blanked = STANDARD.encode(b"\xff[secret KEY]\xff");
        assert_eq!(
            value,
            serde_json::json!({"[secret KEY]": [{"base64": blanked}]})
        );
    }

    #[test]
    fn without_secrets_everything_stays() {
        let redactor = redactor(&[("EMPTY", "")]);
        assert_eq!(redactor.text("as it was"), "as it was");
    }
}
