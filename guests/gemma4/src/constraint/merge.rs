//! Two schemas that both hold, as one.

use super::fault::unsupported;
use lapidary_guest::Error;
use serde_json::{Map, Value};

/// The schema that fits what fits both.
pub fn both(
    first: &Map<String, Value>,
    second: &Map<String, Value>,
    at: &str,
) -> Result<Map<String, Value>, Error> {
    let mut merged = first.clone();
    for (key, value) in second {
        let joined = match (merged.get(key), key.as_str()) {
            (None, _) => value.clone(),
            (Some(there), _) if there == value => continue,
            (Some(Value::Object(there)), "properties") => properties(there, value, at)?,
            (Some(Value::Array(there)), "required") => required(there, value),
            (Some(_), "title" | "description" | "default" | "examples" | "$comment") => continue,
            (Some(_), _) => {
                let message = format!("{key}: expected it once among schemas that all hold");
                return Err(unsupported(&message, at));
            }
        };
        merged.insert(key.clone(), joined);
    }
    Ok(merged)
}

fn properties(there: &Map<String, Value>, more: &Value, at: &str) -> Result<Value, Error> {
    let mut all = there.clone();
    for (name, schema) in more.as_object().into_iter().flatten() {
        let joined = match (all.get(name), schema) {
            (Some(Value::Object(first)), Value::Object(second)) => {
                Value::Object(both(first, second, &format!("{at}/properties/{name}"))?)
            }
            _ => schema.clone(),
        };
        all.insert(name.clone(), joined);
    }
    Ok(Value::Object(all))
}

fn required(there: &[Value], more: &Value) -> Value {
    let mut all = there.to_vec();
    for name in more.as_array().into_iter().flatten() {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    Value::Array(all)
}
