//! Values that hold no others, in Gemma's notation.

use super::answer::bound;
use super::fault::{bad, unsupported};
use super::keys;
use super::lark::{Lark, literal};
use super::pattern;
use crate::template::python::sorted;
use crate::token;
use lapidary_guest::Error;
use serde_json::{Map, Value};

/// Whole numbers that every reader holds exactly.
const INTEGER: &str = "/0|-?[1-9][0-9]{0,14}/";
/// Numbers as Python prints them, save for exponents beyond two digits.
const NUMBER: &str = r"/-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?(e[-+][0-9]{2})?/";

const NUMBER_BOUNDS: [&str; 5] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

/// One fixed value: an `enum` lists them.
pub fn constant(value: &Value) -> String {
    let quote = token::QUOTE;
    match value {
        Value::String(text) if text.is_empty() => format!("{quote} {quote}"),
        Value::String(text) => format!("{quote} {} {quote}", literal(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => literal(&value.to_string()),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(constant).collect();
            format!("\"[\" {} \"]\"", items.join(" \",\" "))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{} {}", keys::declared(key), constant(value))
            };
            let entries: Vec<String> = sorted(map).into_iter().map(entry).collect();
            format!("\"{{\" {} \"}}\"", entries.join(" \",\" "))
        }
    }
}

/// `type: string`.
pub fn string(lark: &mut Lark, schema: &Map<String, Value>, at: &str) -> Result<String, Error> {
    let min = count(schema, "minLength", at)?.unwrap_or(0);
    let max = count(schema, "maxLength", at)?;
    if max.is_some_and(|max| max < min) {
        return Err(bad("maxLength: expected at least minLength", at));
    }
    let quote = token::QUOTE;
    let pattern = match schema.get("pattern") {
        None => None,
        Some(Value::String(pattern)) => Some(pattern::search(pattern, at)?),
        Some(_) => return Err(bad("pattern: expected a text", at)),
    };
    let lengths = (min > 0 || max.is_some()).then(|| pattern::length(min, max));
    let body = match (pattern, lengths) {
        (None, None) => format!("{}?", lark.text()),
        (None, Some(_)) if max == Some(0) => String::new(),
        (None, Some(_)) if min == 0 => {
            format!("{}?", lark.terminal(&pattern::length(1, max)))
        }
        (Some(one), None) | (None, Some(one)) => lark.terminal(&one),
        (Some(pattern), Some(lengths)) => lark.terminal(&format!("{pattern} & {lengths}")),
    };
    Ok(format!("{quote} {body} {quote}"))
}

/// `type: number` and `type: integer`; the host's engine knows bounds.
pub fn number(
    lark: &mut Lark,
    schema: &Map<String, Value>,
    kind: &str,
    at: &str,
) -> Result<String, Error> {
    let mut bounds: Map<String, Value> = schema
        .iter()
        .filter(|(key, _)| NUMBER_BOUNDS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if bounds.values().any(|value| !value.is_number()) {
        return Err(unsupported(
            "minimum, maximum, multipleOf: expected numbers",
            at,
        ));
    }
    if bounds.is_empty() {
        let terminal = if kind == "integer" { INTEGER } else { NUMBER };
        return Ok(lark.terminal(terminal));
    }
    bound(&mut bounds);
    bounds.insert("type".to_owned(), Value::from(kind));
    Ok(lark.rule(&format!("%json {}", Value::Object(bounds))))
}

/// A count that a keyword gives.
pub fn count(schema: &Map<String, Value>, key: &str, at: &str) -> Result<Option<u64>, Error> {
    let Some(value) = schema.get(key) else {
        return Ok(None);
    };
    let whole = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
        format!("{float:.0}").parse().ok()
    });
    match whole.filter(|whole| *whole <= COUNT_MAX) {
        Some(whole) => Ok(Some(whole)),
        None => Err(bad(
            &format!("{key}: expected a whole number up to {COUNT_MAX}"),
            at,
        )),
    }
}

/// A grammar with more repetitions would cost more than it is worth.
const COUNT_MAX: u64 = 100_000;
