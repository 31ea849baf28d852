//! What stands before a call's arguments: `call:NAME`.

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

/// The name in a header; None where there is none.
pub fn read(header: &str) -> Result<Option<Written>, Flaw> {
    let text = header.trim_matches(is_space);
    let (name, marked) = unmarked(text).map_or((text, false), |name| (name, true));
    let name = name.trim_matches(|c| is_space(c) || matches!(c, '"' | '\'' | '`' | ':' | '='));
    if name.is_empty() || text == MARK {
        return Ok(None);
    }
    if !name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/'))
    {
        return Err(Flaw::BadName);
    }
    Ok(Some(Written {
        name: name.to_owned(),
        marked,
    }))
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
    let name = call.get("name")?.as_str()?;
    let given = ["arguments", "parameters", "args"]
        .into_iter()
        .find_map(|key| call.get(key));
    let arguments = match given {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) => {
            let inner: Value = serde_json::from_str(text).ok()?;
            inner.is_object().then(|| inner.to_string())?
        }
        Some(value) => value.is_object().then(|| value.to_string())?,
    };
    Some((name.to_owned(), arguments))
}

#[cfg(test)]
mod tests {
    use super::read;

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
        assert!(matches!(read("call:"), Ok(None)));
        assert!(matches!(read(""), Ok(None)));
    }
}
