//! Parameter schemas, in the subset that Gemma 4 was trained on.
//!
//! Kept: description, enum of strings, items, nullable, properties, required, type. Dropped, as the
//! reference drops them: default, bounds, format, pattern, anyOf, and enum on anything but strings.

use super::argument::{self, Keys, string, strings};
use super::declaration::required_names;
use super::fault::invalid;
use super::python::{self, get, get_true};
use super::writer::Writer;
use lapidary_guest::Error;
use serde_json::{Map, Value};

/// What an object schema without `properties` says about itself rather than about a property.
const ABOUT_ITSELF: [&str; 5] = ["description", "type", "properties", "required", "nullable"];

/// Properties in sorted order, without the braces around them.
pub fn properties(writer: &mut Writer, map: &Map<String, Value>) -> Result<(), Error> {
    list(writer, python::sorted(map))
}

/// An object schema without `properties`: its other keys stand for properties.
fn own_keys(writer: &mut Writer, map: &Map<String, Value>) -> Result<(), Error> {
    let mut entries = python::sorted(map);
    entries.retain(|(key, _)| !ABOUT_ITSELF.contains(&key.as_str()));
    list(writer, entries)
}

fn list(writer: &mut Writer, entries: Vec<(&String, &Value)>) -> Result<(), Error> {
    for (index, (key, schema)) in entries.into_iter().enumerate() {
        if index > 0 {
            writer.control(",");
        }
        writer.data(key);
        writer.control(":{");
        property(writer, schema)?;
        writer.control("}");
    }
    Ok(())
}

/// One property: what is said about it, its type last.
fn property(writer: &mut Writer, schema: &Value) -> Result<(), Error> {
    let kind = python::upper(get(schema, "type"));
    let mut fields = Fields { begun: false };
    if let Some(description) = get_true(schema, "description") {
        fields.next(writer, "description:");
        string(writer, &python::text(description));
    }
    match kind.as_str() {
        "STRING" => enumeration(writer, schema, &mut fields),
        "ARRAY" => items(writer, schema, &mut fields)?,
        _ => {}
    }
    if get_true(schema, "nullable").is_some() {
        fields.next(writer, "nullable:true");
    }
    if kind == "OBJECT" {
        object(writer, schema, &mut fields)?;
    }
    fields.next(writer, "type:");
    string(writer, &kind);
    Ok(())
}

fn enumeration(writer: &mut Writer, schema: &Value, fields: &mut Fields) {
    if let Some(values) = get_true(schema, "enum") {
        fields.next(writer, "enum:");
        argument::write(writer, values, Keys::Quoted);
    }
}

fn object(writer: &mut Writer, schema: &Value, fields: &mut Fields) -> Result<(), Error> {
    fields.next(writer, "properties:{");
    match (
        get(schema, "properties").and_then(Value::as_object),
        schema.as_object(),
    ) {
        (Some(map), _) => properties(writer, map)?,
        (None, Some(map)) => own_keys(writer, map)?,
        (None, None) => {}
    }
    writer.control("}");
    if let Some(required) = get_true(schema, "required") {
        fields.next(writer, "required:[");
        strings(writer, &required_names(required)?);
        writer.control("]");
    }
    Ok(())
}

/// The element schema of an array: every key it has, sorted.
fn items(writer: &mut Writer, schema: &Value, fields: &mut Fields) -> Result<(), Error> {
    let Some(map) = get_true(schema, "items").and_then(Value::as_object) else {
        return Ok(());
    };
    fields.next(writer, "items:{");
    let mut fields = Fields { begun: false };
    for (key, value) in python::sorted(map)
        .into_iter()
        .filter(|(_, value)| !value.is_null())
    {
        fields.next(writer, "");
        item_field(writer, key, value)?;
    }
    writer.control("}");
    Ok(())
}

fn item_field(writer: &mut Writer, key: &str, value: &Value) -> Result<(), Error> {
    match key {
        "properties" => {
            writer.control("properties:{");
            if let Some(map) = value.as_object() {
                properties(writer, map)?;
            }
            writer.control("}");
        }
        "required" => {
            writer.control("required:[");
            strings(writer, &required_names(value)?);
            writer.control("]");
        }
        "type" => {
            writer.control("type:");
            item_type(writer, value)?;
        }
        _ => {
            writer.data(key);
            writer.control(":");
            argument::write(writer, value, Keys::Quoted);
        }
    }
    Ok(())
}

/// A union is a list here, and not its Python text as everywhere else.
fn item_type(writer: &mut Writer, value: &Value) -> Result<(), Error> {
    if let Value::String(kind) = value {
        string(writer, &kind.to_uppercase());
        return Ok(());
    }
    let kinds = python::elements(value).ok_or_else(|| {
        invalid(
            "bad-schema",
            "items.type: expected a name or a list of names",
        )
    })?;
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_uppercase()).collect();
    writer.control("[");
    strings(writer, &kinds);
    writer.control("]");
    Ok(())
}

/// Commas between what is said, none before the first.
struct Fields {
    begun: bool,
}

impl Fields {
    fn next(&mut self, writer: &mut Writer, opening: &str) {
        if self.begun {
            writer.control(",");
        }
        self.begun = true;
        writer.control(opening);
    }
}
