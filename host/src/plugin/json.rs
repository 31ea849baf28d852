//! JSON that crosses the boundary: checked in both directions.

use serde_json::Value;

use super::Check;

/// Parses `text`, which must be a JSON object. The error says what was found instead.
pub(super) fn object(text: &str) -> Check<Value> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(format!("expected a JSON object, found {}", kind(&other))),
        Err(error) => Err(format!("expected a JSON object, found no JSON: {error}")),
    }
}

/// The text of `value`, which must be an object.
pub(super) fn object_text(value: &Value) -> Check<String> {
    match value {
        Value::Object(_) => Ok(value.to_string()),
        other => Err(format!("expected a JSON object, found {}", kind(other))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
