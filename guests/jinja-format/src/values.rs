//! JSON to the engine's values and back, numbers as Python has them.

use std::fmt;
use std::sync::Arc;

use gemma4::python;
use minijinja::Value;
use minijinja::value::{Object, ObjectRepr, ValueKind};
use serde_json::{Map, Number, Value as Json};

/// A whole number that no machine type holds.
#[derive(Debug)]
struct Long(String);

impl Object for Long {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As the template sees it.
pub fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => of_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(of_json).collect::<Vec<Value>>()),
        Json::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), of_json(value)));
            Value::from_pairs(entries)
        }
    }
}

fn of_number(number: &Number) -> Value {
    let text = number.as_str();
    if text.contains(['.', 'e', 'E']) {
        return Value::from(text.parse::<f64>().unwrap_or(f64::NAN));
    }
    match (text.parse::<i64>(), text.parse::<i128>()) {
        (Ok(value), _) => Value::from(value),
        (_, Ok(value)) => Value::from(value),
        _ => Value::from_object(Long(text.to_owned())),
    }
}

/// As JSON; what JSON has not, as the text that Python would print.
pub fn to_json(value: &Value) -> Json {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => Json::Number(to_number(value)),
        ValueKind::Seq | ValueKind::Iterable => Json::Array(items(value)),
        ValueKind::Map => Json::Object(entries(value)),
        _ => match value.downcast_object_ref::<Long>() {
            Some(Long(digits)) => digits.parse().map_or(Json::Null, Json::Number),
            None => Json::String(value.to_string()),
        },
    }
}

fn to_number(value: &Value) -> Number {
    let float = || f64::try_from(value.clone()).unwrap_or(f64::NAN);
    let text = match value.is_integer() {
        true => value.to_string(),
        false if float() == f64::INFINITY => "1e400".to_owned(),
        false if float() == f64::NEG_INFINITY => "-1e400".to_owned(),
        false => format!("{:e}", float()),
    };
    text.parse().unwrap_or_else(|_| Number::from(0))
}

fn items(value: &Value) -> Vec<Json> {
    value
        .try_iter()
        .into_iter()
        .flatten()
        .map(|item| to_json(&item))
        .collect()
}

fn entries(value: &Value) -> Map<String, Json> {
    let keys = value.try_iter().into_iter().flatten();
    keys.map(|key| {
        (
            text(&key),
            to_json(&value.get_item(&key).unwrap_or_default()),
        )
    })
    .collect()
}

/// `str(value)`, undefined as nothing.
pub fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    match value.kind() {
        ValueKind::Undefined => String::new(),
        _ => python::text(&to_json(value)),
    }
}
