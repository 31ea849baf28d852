//! Values written without delimiters, and strings where the schema wants something else.

use super::schema::Kinds;
use crate::template::is_space;
use serde_json::Value;

/// A bare value as JSON: typed like JSON unless the schema wants a string.
pub fn bare(written: &str, kinds: Kinds) -> String {
    let text = unquoted_end(written.trim_matches(is_space));
    let literal = literal(text).filter(|value| kinds.allows(Kinds::of(value)));
    if let Some(value) = literal {
        return value.to_string();
    }
    if kinds.allows(Kinds::STRING) {
        return quote(text);
    }
    cast(text, kinds)
        .or_else(|| self::literal(text))
        .map_or_else(|| quote(text), |v| v.to_string())
}

/// A delimited string as JSON: what the schema wants when it wants no string.
pub fn delimited(text: &str, kinds: Kinds) -> String {
    let wanted = if kinds.allows(Kinds::STRING) {
        None
    } else {
        cast(text, kinds)
    };
    wanted.map_or_else(|| quote(text), |value| value.to_string())
}

/// Whether the text is a value by itself: a number, a truth value, null.
pub fn is_literal(text: &str) -> bool {
    literal(text.trim_matches(is_space)).is_some()
}

/// A JSON string with this text.
pub fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Appends text to an open JSON string.
pub fn escape_into(json: &mut String, text: &str) {
    let quoted = quote(text);
    json.push_str(&quoted[1..quoted.len() - 1]);
}

/// JSON's scalars, and Python's names for three of them.
fn literal(text: &str) -> Option<Value> {
    match text {
        "True" => return Some(Value::Bool(true)),
        "False" => return Some(Value::Bool(false)),
        "None" => return Some(Value::Null),
        _ => {}
    }
    parsed(text).filter(|value| match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

/// Text as one of the wanted types, tried from the narrowest on.
fn cast(text: &str, kinds: Kinds) -> Option<Value> {
    let text = text.trim_matches(is_space);
    let try_kind = |kind: Kinds, read: fn(&str) -> Option<Value>| {
        if kinds.names(kind) { read(text) } else { None }
    };
    try_kind(Kinds::NULL, null)
        .or_else(|| try_kind(Kinds::INTEGER, integer))
        .or_else(|| try_kind(Kinds::NUMBER, number))
        .or_else(|| try_kind(Kinds::BOOLEAN, boolean))
        .or_else(|| try_kind(Kinds::ARRAY, |text| parsed(text).filter(Value::is_array)))
        .or_else(|| try_kind(Kinds::OBJECT, |text| parsed(text).filter(Value::is_object)))
}

fn null(text: &str) -> Option<Value> {
    matches!(text, "null" | "None").then_some(Value::Null)
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(Value::Bool(true)),
        "false" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// Whole numbers, `3.0` among them.
fn integer(text: &str) -> Option<Value> {
    let value = number(text)?;
    if Kinds::of(&value).names(Kinds::INTEGER) {
        return Some(value);
    }
    let float = text
        .parse::<f64>()
        .ok()
        .filter(|value| value.fract() == 0.0)?;
    // Beyond this the digits of a float are not those that were written.
    let exact = float.abs() < 9_007_199_254_740_992.0;
    exact.then(|| parsed(&format!("{float:.0}"))).flatten()
}

/// JSON numbers, and the near ones `+5`, `.5`, `5.` and `007`.
fn number(text: &str) -> Option<Value> {
    if let Some(value) = parsed(text) {
        return value.is_number().then_some(value);
    }
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    let value = text
        .parse::<f64>()
        .ok()
        .filter(|value| plain && value.is_finite())?;
    parsed(&value.to_string())
}

/// A JSON text that every host can read: what is not stays text.
pub fn parsed(text: &str) -> Option<Value> {
    let value = serde_json::from_str(text).ok()?;
    is_readable(&value, LEVELS_MAX).then_some(value)
}

/// Readers of JSON stop at 128 levels, and the arguments around a value may have half of them.
const LEVELS_MAX: usize = 48;

/// Whether the numbers are within a double's range, and the value is nested no deeper than that.
fn is_readable(value: &Value, levels: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_f64().is_some_and(f64::is_finite),
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_readable(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|item| is_readable(item, levels - 1)),
    }
}

/// Without a closing quotation mark that nothing opened.
fn unquoted_end(text: &str) -> &str {
    match text.strip_suffix('"') {
        Some(bare) if bare.matches('"').count() % 2 == 0 => bare,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kinds, bare, delimited};

    #[test]
    fn bare_values_are_typed_like_json_unless_a_string_is_wanted() {
        for (text, kinds, json) in [
            ("42", Kinds::default(), "42"),
            ("42", Kinds::STRING, "\"42\""),
            ("1.50", Kinds::default(), "1.50"),
            ("True", Kinds::default(), "true"),
            ("null", Kinds::STRING, "\"null\""),
            ("null", Kinds::STRING.or(Kinds::NULL), "null"),
            ("Paris", Kinds::default(), "\"Paris\""),
            ("Paris\"", Kinds::default(), "\"Paris\""),
            ("+5", Kinds::INTEGER, "5"),
            (".5", Kinds::NUMBER, "0.5"),
            ("yes", Kinds::BOOLEAN, "\"yes\""),
            ("42.0", Kinds::INTEGER, "42"),
            ("42.5", Kinds::INTEGER, "42.5"),
            ("1e400", Kinds::NUMBER, "\"1e400\""),
        ] {
            assert_eq!(bare(text, kinds), json, "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_for_a_host_stays_text() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(delimited(&nested(48), Kinds::ARRAY), nested(48));
        assert!(delimited(&nested(49), Kinds::ARRAY).starts_with('"'));
    }

    #[test]
    fn strings_become_what_the_schema_wants() {
        for (text, kinds, json) in [
            ("42", Kinds::default(), "\"42\""),
            ("42", Kinds::INTEGER, "42"),
            ("3.0", Kinds::INTEGER, "3"),
            ("3.5", Kinds::INTEGER, "\"3.5\""),
            ("2.50", Kinds::NUMBER, "2.50"),
            ("TRUE", Kinds::BOOLEAN, "true"),
            ("None", Kinds::NULL.or(Kinds::INTEGER), "null"),
            ("null", Kinds::NULL.or(Kinds::STRING), "\"null\""),
            ("[1, 2]", Kinds::ARRAY, "[1,2]"),
            ("{\"a\":1}", Kinds::OBJECT, "{\"a\":1}"),
            ("[1e400]", Kinds::ARRAY, "\"[1e400]\""),
            ("1e400", Kinds::NUMBER, "\"1e400\""),
            ("a\"b\n", Kinds::STRING, r#""a\"b\n""#),
        ] {
            assert_eq!(delimited(text, kinds), json, "{text}");
        }
    }
}
