//! What stands before a call's arguments: `call:NAME`.

use super::scalar;
use super::sink::Flaw;
use crate::template::is_space;
use serde_json::Value;

/// Longer than any name that a tool may have.
pub const LENGTH_MAX: usize = 512;

/// A name as written.
pub struct Written {
    pub name: String,
    /// `call:` or at least its colon stood before it.
    pub marked: bool,
}

/// The name in a header; None where there is none. A declared name may hold what no other may.
pub fn read(header: &str, declares: impl Fn(&str) -> bool) -> Result<Option<Written>, Flaw> {
    let text = header.trim_matches(is_space);
    let (name, marked) = unmarked(text).map_or((text, false), |name| (name, true));
    let name = name.trim_matches(|c| is_space(c) || matches!(c, '"' | '\'' | '`' | ':' | '='));
    if name.is_empty() || text == MARK {
        return Ok(None);
    }
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    if !name.chars().all(is_plain) && !declares(name) {
        return Err(Flaw::BadName);
    }
    Ok(Some(Written {
        name: name.to_owned(),
        marked,
    }))
}

/// Whether a call of a declared tool of this name can be written, and reads back.
pub fn is_callable(name: &str) -> bool {
    let header = format!("{MARK}:{name}");
    let fits = header.len() <= LENGTH_MAX && !name.contains(['{', '(']);
    fits && matches!(read(&header, |_| true), Ok(Some(written)) if written.name == name)
}

const MARK: &str = "call";

/// Behind `call:`, `call :`, `call ` or `:`.
fn unmarked(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(MARK).unwrap_or(text);
    if let Some(name) = rest.trim_start_matches(is_space).strip_prefix(':') {
        return Some(name);
    }
    (rest.len() < text.len() && rest.starts_with(is_space)).then_some(rest)
}

/// The name and the arguments of `{"name": …, "arguments": {…}}`.
pub fn self_naming(json: &str) -> Option<(String, String)> {
    let call: Value = serde_json::from_str(json).ok()?;
    let call = call
        .get("function")
        .filter(|inner| inner.is_object())
        .unwrap_or(&call);
    let name = call.get("name")?.as_str()?.trim_matches(is_space);
    if name.is_empty() {
        return None;
    }
    let given = ["arguments", "parameters", "args"]
        .into_iter()
        .find_map(|key| call.get(key));
    let arguments = match given {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) => {
            let inner = scalar::parsed(text)?;
            inner.is_object().then(|| inner.to_string())?
        }
        Some(value) => value.is_object().then(|| value.to_string())?,
    };
    Some((name.to_owned(), arguments))
}

#[cfg(test)]
mod tests {
    use super::{Flaw, Written, is_callable, self_naming};

    fn read(header: &str) -> Result<Option<Written>, Flaw> {
        super::read(header, |name| name == "get weather")
    }

    #[test]
    fn names_are_found_in_every_spelling() {
        for (header, name, marked) in [
            ("call:f", "f", true),
            (" call : f ", "f", true),
            ("call f", "f", true),
            (":f", "f", true),
            ("f", "f", false),
            ("caller", "caller", false),
            ("call:a-b.c:d/e", "a-b.c:d/e", true),
            ("call:\"f\"", "f", true),
            ("call:f:", "f", true),
            ("call:größe", "größe", true),
            ("call:get weather", "get weather", true),
        ] {
            let written = read(header).ok().flatten().expect(header);
            assert_eq!(
                (written.name.as_str(), written.marked),
                (name, marked),
                "{header}"
            );
        }
    }

    #[test]
    fn prose_is_no_name() {
        assert!(read("I will call f").is_err());
        assert!(read("call:<f>").is_err());
        assert!(read("call:get time").is_err());
        assert!(matches!(read("call:"), Ok(None)));
        assert!(matches!(read(""), Ok(None)));
    }
    #[test]
    fn a_name_can_be_called_if_it_reads_back() {
        for name in ["f", "get weather", "größe", "call", "a:b", "it's"] {
            assert!(is_callable(name), "{name}");
        }
        for name in ["", " ", "f{", "f(x)", " f", "'f'", "f:", &"f".repeat(600)] {
            assert!(!is_callable(name), "{name}");
        }
    }

    #[test]
    fn an_object_that_names_no_tool_is_no_call() {
        assert!(self_naming(r#"{"name":"f"}"#).is_some());
        for json in [
            "{}",
            r#"{"name":" "}"#,
            r#"{"name":"f","arguments":"[1e400]"}"#,
        ] {
            assert!(self_naming(json).is_none(), "{json}");
        }
    }
}
