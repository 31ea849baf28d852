//! Answers that are no calls.

use super::fault::{bad, refuse};
use super::lark::{Lark, literal, regex};
use lapidary_guest::{Answer, Error};
use serde_json::{Map, Value, json};

/// Whitespace between the parts of a JSON text: as models indent it, and never without end.
const SPACE: &str = r"[\x20\x0A\x0D\x09]{1,40}";
/// Where a schema bounds a number nowhere: whole within a double's precision, written without exponent.
const NUMBER_MAX: i64 = 999_999_999_999_999;

/// The rule of an answer.
pub fn write(lark: &mut Lark, answer: &Answer) -> Result<String, Error> {
    match answer {
        Answer::Text => Ok(format!("{}?", lark.text())),
        Answer::JsonSchema(schema) => json_text(lark, schema),
        Answer::Regex(pattern) => Ok(lark.terminal(&regex(pattern))),
        Answer::Choice(texts) => choice(lark, texts),
    }
}

fn choice(lark: &mut Lark, texts: &[String]) -> Result<String, Error> {
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        let message = "choice: expected at least one text, and none of them empty";
        return Err(refuse("bad-choice", message));
    }
    let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    Ok(lark.rule(&texts.join(" | ")))
}

/// The host's engine knows JSON; it only gets bounds where there are none.
fn json_text(lark: &mut Lark, schema: &str) -> Result<String, Error> {
    let mut schema: Value = serde_json::from_str(schema)
        .map_err(|error| bad(&format!("expected a JSON Schema: {error}"), ""))?;
    bound_numbers(&mut schema);
    match &mut schema {
        Value::Object(map) => {
            map.insert(
                "x-guidance".to_owned(),
                json!({"whitespace_pattern": SPACE}),
            );
        }
        Value::Bool(true) => schema = json!({"x-guidance": {"whitespace_pattern": SPACE}}),
        _ => return Err(bad("expected an object, which describes the answer", "")),
    }
    Ok(lark.rule(&format!("%json {schema}")))
}

fn bound_numbers(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(bound_numbers),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if !matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                    bound_numbers(value);
                }
            }
            if is_number(map) {
                bound(map);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_number(map: &Map<String, Value>) -> bool {
    let named = |name: &Value| matches!(name.as_str(), Some("number" | "integer"));
    match map.get("type") {
        Some(Value::Array(names)) => names.iter().any(named),
        Some(name) => named(name),
        None => false,
    }
}

/// Puts a bound where there is none.
pub fn bound(map: &mut Map<String, Value>) {
    let has =
        |map: &Map<String, Value>, keys: [&str; 2]| keys.iter().any(|key| map.contains_key(*key));
    if ["enum", "const"].iter().any(|key| map.contains_key(*key)) {
        return;
    }
    if !has(map, ["minimum", "exclusiveMinimum"]) {
        map.insert("minimum".to_owned(), json!(-NUMBER_MAX));
    }
    if !has(map, ["maximum", "exclusiveMaximum"]) {
        map.insert("maximum".to_owned(), json!(NUMBER_MAX));
    }
}
