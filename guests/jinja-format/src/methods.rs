//! Python's methods of strings and dicts. A control token that a template looks for in a text is looked for as
//! it is spelled, since a message's text has no other.

use gemma4::python;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat;

use crate::stand_in::StandIns;

/// Calls `value.method(arguments)`.
pub fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
    stand_ins: &StandIns,
) -> Result<Value, Error> {
    let Some(text) = value.as_str().filter(|_| value.kind() == ValueKind::String) else {
        return pycompat::unknown_method_callback(state, value, method, arguments);
    };
    let mut arguments = arguments.to_vec();
    if let Some(first) = arguments.first_mut().filter(|_| method != "join") {
        *first = needle(text, first, stand_ins);
    }
    if let Some(answer) = own(text, method, &arguments) {
        return Ok(answer);
    }
    pycompat::unknown_method_callback(state, value, method, &arguments)
}

/// What is looked for: as the template wrote it where the text has that, else spelled out.
fn needle(text: &str, wanted: &Value, stand_ins: &StandIns) -> Value {
    match wanted.as_str() {
        Some(needle) if stand_ins.are_in(needle) && !text.contains(needle) => {
            Value::from(stand_ins.spelled(needle))
        }
        _ => wanted.clone(),
    }
}

/// Where Python's whitespace counts, and what the library has not.
fn own(text: &str, method: &str, arguments: &[Value]) -> Option<Value> {
    let argument = arguments.first().and_then(Value::as_str);
    let bare = arguments.is_empty() || arguments.first().is_some_and(Value::is_none);
    Some(match (method, argument) {
        ("strip", None) if bare => Value::from(python::trim(text)),
        ("lstrip", None) if bare => Value::from(text.trim_start_matches(python::is_space)),
        ("rstrip", None) if bare => Value::from(python::trim_end(text)),
        ("split", None) if bare => words(text).collect(),
        ("title", None) if bare => Value::from(title(text)),
        ("removeprefix", Some(prefix)) => Value::from(text.strip_prefix(prefix).unwrap_or(text)),
        ("removesuffix", Some(suffix)) => Value::from(text.strip_suffix(suffix).unwrap_or(text)),
        ("partition", Some(separator)) => parts(text, text.split_once(separator), separator, false),
        ("rpartition", Some(separator)) => {
            parts(text, text.rsplit_once(separator), separator, true)
        }
        _ => return None,
    })
}

/// The first letter of each run of letters large, the others small.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        let is_cased = character.is_lowercase() || character.is_uppercase();
        match (is_cased, inside) {
            (true, true) => out.extend(character.to_lowercase()),
            (true, false) => out.extend(character.to_uppercase()),
            (false, _) => out.push(character),
        }
        inside = is_cased;
    }
    out
}

fn words(text: &str) -> impl Iterator<Item = Value> {
    let words = text.split(python::is_space).filter(|word| !word.is_empty());
    words.map(Value::from)
}

/// `partition`: where nothing is found, the whole text comes first, or last from the right.
fn parts(text: &str, found: Option<(&str, &str)>, separator: &str, from_right: bool) -> Value {
    let parts = match found {
        Some((before, behind)) => [before, separator, behind],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    parts.into_iter().map(Value::from).collect()
}
