//! Objects: declared keys in the template's order, then others where the schema allows them.

use super::fault::bad;
use super::keys;
use super::schema::{Schemas, kinds};
use crate::template::python::sorted;
use lapidary_guest::Error;
use serde_json::{Map, Value};

/// One declared key.
struct Entry {
    /// Key, colon and value.
    pair: String,
    required: bool,
}

/// `type: object`.
///
/// Keys that `properties` does not list come only where `additionalProperties` says so, or where nothing is
/// listed at all.
pub fn write(
    schemas: &mut Schemas,
    schema: &Map<String, Value>,
    at: &str,
) -> Result<String, Error> {
    let none = Map::new();
    let properties = match schema.get("properties") {
        None => &none,
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(bad("properties: expected an object", at)),
    };
    let required = required(schema, properties, at)?;
    let mut entries = Vec::with_capacity(properties.len());
    for (key, property) in sorted(properties) {
        let value = schemas.value(property, &format!("{at}/properties/{key}"))?;
        entries.push(Entry {
            pair: format!("{} {value}", keys::declared(key)),
            required: required.contains(&key.as_str()),
        });
    }
    let others = others(schemas, schema, properties, at)?;
    let inside = chain(schemas, &entries, others.as_deref());
    Ok(schemas.lark.rule(&format!("\"{{\" {inside} \"}}\"")))
}

fn required<'s>(
    schema: &'s Map<String, Value>,
    properties: &Map<String, Value>,
    at: &str,
) -> Result<Vec<&'s str>, Error> {
    let names: Vec<&str> = match schema.get("required") {
        None => Vec::new(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) => return Err(bad("required: expected a list of names", at)),
    };
    match names.iter().find(|name| !properties.contains_key(**name)) {
        Some(name) => {
            let message = format!("required: expected names of properties, found {name:?}");
            Err(bad(&message, at))
        }
        None => Ok(names),
    }
}

/// Key and value of an undeclared property.
fn others(
    schemas: &mut Schemas,
    schema: &Map<String, Value>,
    properties: &Map<String, Value>,
    at: &str,
) -> Result<Option<String>, Error> {
    let value = match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => return Ok(None),
        None if !properties.is_empty() => return Ok(None),
        None | Some(Value::Bool(true)) => schemas.any()?,
        Some(additional) => schemas.value(additional, &format!("{at}/additionalProperties"))?,
    };
    let declared: Vec<&str> = properties.keys().map(String::as_str).collect();
    let key = schemas.lark.terminal(&keys::others(&declared));
    Ok(Some(schemas.lark.rule(&format!("{key} \":\" {value}"))))
}

/// Entries with commas between those that come: a rule for the rest behind each, so that the grammar grows
/// with their number and no faster.
fn chain(schemas: &mut Schemas, entries: &[Entry], others: Option<&str>) -> String {
    let lark = &mut *schemas.lark;
    let mut behind = others.map_or(String::new(), |other| format!("(\",\" {other})*"));
    let mut first = others.map_or(String::new(), |other| format!("({other} {behind})?"));
    for entry in entries.iter().rev() {
        let pair = lark.rule(&entry.pair);
        let rest = lark.rule(if behind.is_empty() { "\"\"" } else { &behind });
        first = match (entry.required, first.is_empty()) {
            (true, _) => format!("{pair} {rest}"),
            (false, true) => format!("({pair} {rest})?"),
            (false, false) => format!("({pair} {rest} | {})", lark.rule(&first)),
        };
        behind = match entry.required {
            true => format!("\",\" {pair} {rest}"),
            false => format!("(\",\" {pair})? {rest}"),
        };
    }
    first
}

/// Whether no value fits two of these schemas: their types differ, or a required constant does.
pub fn are_apart(schemas: &[&Map<String, Value>]) -> bool {
    let pairs = schemas.iter().enumerate().flat_map(|(index, first)| {
        schemas[index + 1..]
            .iter()
            .map(move |second| (first, second))
    });
    pairs
        .into_iter()
        .all(|(first, second)| differ(first, second))
}

fn differ(first: &Map<String, Value>, second: &Map<String, Value>) -> bool {
    if let (Some(ours), Some(theirs)) = (constants(first), constants(second)) {
        return !ours.iter().any(|value| theirs.contains(value));
    }
    let (Ok(ours), Ok(theirs)) = (kinds(first, ""), kinds(second, "")) else {
        return false;
    };
    let overlap = |one: &String, other: &String| {
        one == other
            || [one, other]
                .iter()
                .all(|kind| matches!(kind.as_str(), "integer" | "number"))
    };
    let known = !ours.is_empty() && !theirs.is_empty();
    if known
        && !ours
            .iter()
            .any(|one| theirs.iter().any(|other| overlap(one, other)))
    {
        return true;
    }
    let told_apart = |key: &str| {
        let property = |schema: &Map<String, Value>| {
            let required = schema.get("required").and_then(Value::as_array)?;
            let is_required = required.iter().any(|name| name.as_str() == Some(key));
            let property = schema.get("properties")?.get(key)?.as_object()?;
            constants(property).filter(|_| is_required)
        };
        match (property(first), property(second)) {
            (Some(ours), Some(theirs)) => !ours.iter().any(|value| theirs.contains(value)),
            _ => false,
        }
    };
    let keys = first.get("properties").and_then(Value::as_object);
    keys.is_some_and(|keys| keys.keys().any(|key| told_apart(key)))
}

/// The values that `const` or `enum` lists.
fn constants(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        (None, _) => None,
    }
}
