//! Values in the notation of calls: strings between `<|"|>`, nothing escaped, keys sorted.

use super::python;
use super::writer::Writer;
use crate::token;
use serde_json::{Map, Value};

/// How an object's keys are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// As they are: calls and results.
    Bare,
    /// Like strings: declarations.
    Quoted,
}

/// One value.
pub fn write(writer: &mut Writer, value: &Value, keys: Keys) {
    match value {
        Value::Null => writer.control("null"),
        Value::Bool(true) => writer.control("true"),
        Value::Bool(false) => writer.control("false"),
        Value::Number(number) => writer.data(&python::number(number)),
        Value::String(text) => string(writer, text),
        Value::Array(items) => array(writer, items, keys),
        Value::Object(map) => {
            writer.control("{");
            entries(writer, map, keys);
            writer.control("}");
        }
    }
}

/// One string.
pub fn string(writer: &mut Writer, text: &str) {
    writer.control(token::QUOTE);
    writer.data(text);
    writer.control(token::QUOTE);
}

/// Strings, with commas between.
pub fn strings(writer: &mut Writer, texts: &[String]) {
    for (index, text) in texts.iter().enumerate() {
        comma_after_first(writer, index);
        string(writer, text);
    }
}

/// An object without its braces.
pub fn entries(writer: &mut Writer, map: &Map<String, Value>, keys: Keys) {
    for (index, (key, value)) in python::sorted(map).into_iter().enumerate() {
        comma_after_first(writer, index);
        match keys {
            Keys::Bare => writer.data(key),
            Keys::Quoted => string(writer, key),
        }
        writer.control(":");
        write(writer, value, keys);
    }
}

fn array(writer: &mut Writer, items: &[Value], keys: Keys) {
    writer.control("[");
    for (index, item) in items.iter().enumerate() {
        comma_after_first(writer, index);
        write(writer, item, keys);
    }
    writer.control("]");
}

fn comma_after_first(writer: &mut Writer, index: usize) {
    if index > 0 {
        writer.control(",");
    }
}
