//! The engine, set up like transformers' Jinja2: Python's whitespace, text, truth and JSON.

use std::sync::Arc;

use gemma4::python;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde_json::Value as Json;

use crate::fault::Raised;
use crate::stand_in::StandIns;
use crate::{clock, methods, values};

/// Calls within calls. Python stops at about a thousand, and the sandbox's stack holds these.
const CALLS_MAX: usize = 150;

/// An engine for one rendering.
pub fn environment<'a>(stand_ins: &Arc<StandIns>, now: Option<i64>) -> Environment<'a> {
    let mut engine = Environment::new();
    engine.set_syntax(syntax());
    engine.set_recursion_limit(CALLS_MAX);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_formatter(|out, _, value| Ok(out.write_str(&values::text(value))?));
    let of_methods = Arc::clone(stand_ins);
    engine.set_unknown_method_callback(move |state, value, method, arguments| {
        methods::call(state, value, method, arguments, &of_methods)
    });
    let of_refusals = Arc::clone(stand_ins);
    engine.add_function("raise_exception", move |message: &Value| {
        raise(&of_refusals.spelled(&values::text(message)))
    });
    engine.add_function("strftime_now", move |format: &str| {
        clock::strftime_now(now, format)
    });
    add_filters(&mut engine);
    engine.add_test("sequence", is_sequence);
    engine.add_test("iterable", is_sequence);
    engine
}

fn syntax() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    syntax.build().expect("Jinja's own delimiters")
}

fn add_filters(engine: &mut Environment<'_>) {
    engine.add_filter("upper", |value: &Value| values::text(value).to_uppercase());
    engine.add_filter("lower", |value: &Value| values::text(value).to_lowercase());
    engine.add_filter("string", |value: &Value| values::text(value));
    engine.add_filter("trim", trim);
    engine.add_filter("dictsort", dictsort);
    engine.add_filter("tojson", tojson);
}

fn raise(message: &str) -> Result<Value, Error> {
    let error = Error::new(ErrorKind::InvalidOperation, "raise_exception");
    Err(error.with_source(Raised(message.to_owned())))
}

/// What Python can count and index: lists, texts, dicts, and Jinja's undefined.
fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Undefined
            | ValueKind::String
            | ValueKind::Seq
            | ValueKind::Map
            | ValueKind::Iterable
    )
}

fn trim(value: &Value, characters: Option<&str>) -> String {
    let text = values::text(value);
    match characters {
        Some(characters) => text.trim_matches(|c| characters.contains(c)).to_owned(),
        None => python::trim(&text).to_owned(),
    }
}

/// By key, letter case aside, equal keys in their own order.
fn dictsort(value: &Value, options: Kwargs) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "dictsort: expected a dict",
        ));
    }
    let case_sensitive = options
        .get::<Option<bool>>("case_sensitive")?
        .unwrap_or(false);
    let reverse = options.get::<Option<bool>>("reverse")?.unwrap_or(false);
    options.assert_all_used()?;
    let mut pairs: Vec<(String, Value, Value)> = Vec::new();
    for key in value.try_iter()? {
        let text = values::text(&key);
        let order = if case_sensitive {
            text
        } else {
            text.to_lowercase()
        };
        let item = value.get_item(&key)?;
        pairs.push((order, key, item));
    }
    match reverse {
        true => pairs.sort_by(|a, b| b.0.cmp(&a.0)),
        false => pairs.sort_by(|a, b| a.0.cmp(&b.0)),
    }
    let pairs = pairs
        .into_iter()
        .map(|(_, key, item)| Value::from(Tuple::from([key, item])));
    Ok(pairs.collect())
}

/// `json.dumps(value, ensure_ascii=False, …)`, as transformers has it.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = options.get::<Option<usize>>("indent")?;
    let sorted = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let ascii = options
        .get::<Option<bool>>("ensure_ascii")?
        .unwrap_or(false);
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    options.assert_all_used()?;
    let given = separators
        .as_deref()
        .and_then(|list| Some((list.first()?, list.get(1)?)));
    let dump = Dump {
        indent,
        sorted,
        ascii,
        item: given.map_or(if indent.is_some() { "," } else { ", " }, |(item, _)| item),
        key: given.map_or(": ", |(_, key)| key),
    };
    let mut out = String::new();
    dump.write(&mut out, &values::to_json(value), 0);
    Ok(out)
}

struct Dump<'a> {
    indent: Option<usize>,
    sorted: bool,
    ascii: bool,
    item: &'a str,
    key: &'a str,
}

impl Dump<'_> {
    fn write(&self, out: &mut String, value: &Json, depth: usize) {
        match value {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => out.push_str(&python::number(number)),
            Json::String(text) => self.text(out, text),
            Json::Array(items) => self.list(out, ['[', ']'], items.iter(), depth, |out, item| {
                self.write(out, item, depth + 1);
            }),
            Json::Object(map) => {
                let mut entries: Vec<(&String, &Json)> = map.iter().collect();
                if self.sorted {
                    entries.sort_by_key(|(key, _)| *key);
                }
                self.list(
                    out,
                    ['{', '}'],
                    entries.into_iter(),
                    depth,
                    |out, (key, item)| {
                        self.text(out, key);
                        out.push_str(self.key);
                        self.write(out, item, depth + 1);
                    },
                );
            }
        }
    }

    fn list<T>(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        mut write: impl FnMut(&mut String, T),
    ) {
        out.push(open);
        let empty = items.len() == 0;
        for (index, item) in items.enumerate() {
            out.push_str(if index > 0 { self.item } else { "" });
            self.line(out, depth + 1);
            write(out, item);
        }
        if !empty {
            self.line(out, depth);
        }
        out.push(close);
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some(width) = self.indent {
            out.push('\n');
            out.push_str(&" ".repeat(width * depth));
        }
    }

    fn text(&self, out: &mut String, text: &str) {
        let quoted = Json::String(text.to_owned()).to_string();
        if !self.ascii {
            out.push_str(&quoted);
            return;
        }
        for character in quoted.chars() {
            match character.is_ascii() {
                true => out.push(character),
                false => {
                    let units = character.encode_utf16(&mut [0; 2]).to_vec();
                    units
                        .iter()
                        .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
                }
            }
        }
    }
}
