//! Reports for people.

use serde_json::Value;

/// A report for people: one `key: value` a line, what belongs together indented.
pub fn lines(value: &Value, indent: &str) -> String {
    let Some(fields) = value.as_object() else {
        return format!("{indent}{}\n", plain(value));
    };
    let mut text = String::new();
    for (key, value) in fields {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text += &format!("{indent}{key}:\n{}", lines(value, &format!("{indent}  ")));
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let items = items
                    .iter()
                    .map(|item| format!("{indent}  - {}\n", in_line(item)));
                text += &format!("{indent}{key}:\n{}", items.collect::<String>());
            }
            _ => text += &format!("{indent}{key}: {}\n", plain(value)),
        }
    }
    text
}

fn in_line(value: &Value) -> String {
    let fields = value.as_object().into_iter().flatten();
    fields
        .map(|(key, value)| format!("{key} {}", plain(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
