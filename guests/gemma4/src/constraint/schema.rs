//! JSON Schemas to rules of Gemma's notation.

use super::fault::{bad, unsupported};
use super::lark::Lark;
use super::merge::both;
use super::object;
use super::scalar::{self, constant, count};
use lapidary_guest::Error;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Schemas may nest this deep; the parser reads no deeper.
const DEPTH_MAX: usize = 48;
/// A grammar larger than this is refused before it is finished.
const BYTES_MAX: usize = 4 << 20;

/// What a schema says and a grammar expresses.
const KNOWN: [&str; 25] = [
    "type",
    "nullable",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "format",
];

/// What a schema says and no value has to fit.
const NOTES: [&str; 16] = [
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "$comment",
    "$schema",
    "$id",
    "$anchor",
    "$defs",
    "definitions",
];

/// The schemas of one tool, with what was written of them.
pub struct Schemas<'a> {
    pub lark: &'a mut Lark,
    root: &'a Value,
    /// Rules by reference, so that a schema may refer to itself.
    references: HashMap<String, String>,
    any: Option<String>,
    depth: usize,
}

impl<'a> Schemas<'a> {
    pub fn new(lark: &'a mut Lark, root: &'a Value) -> Self {
        Self {
            lark,
            root,
            references: HashMap::new(),
            any: None,
            depth: 0,
        }
    }

    /// The arguments of a call: an object, whatever its schema leaves out.
    pub fn arguments(&mut self, at: &str) -> Result<String, Error> {
        let mut schema = match self.root {
            Value::Object(map) => map.clone(),
            Value::Null | Value::Bool(true) => return self.any_object(),
            _ => return Err(bad("expected a JSON Schema of type object", at)),
        };
        if schema.is_empty() {
            return self.any_object();
        }
        if !["type", "$ref", "anyOf", "oneOf", "allOf"]
            .iter()
            .any(|key| schema.contains_key(*key))
        {
            schema.insert("type".to_owned(), Value::from("object"));
        }
        self.schema(&schema, at)
    }

    /// Any object.
    pub fn any_object(&mut self) -> Result<String, Error> {
        object::write(self, &Map::new(), "")
    }

    /// A value: an expression of the grammar.
    pub fn value(&mut self, schema: &Value, at: &str) -> Result<String, Error> {
        match schema {
            Value::Bool(true) => self.any(),
            Value::Object(map) => self.schema(map, at),
            Value::Bool(false) => Err(bad("expected a schema that a value fits, found false", at)),
            _ => Err(bad("expected a JSON Schema", at)),
        }
    }

    /// Any value.
    pub fn any(&mut self) -> Result<String, Error> {
        if let Some(name) = &self.any {
            return Ok(name.clone());
        }
        let name = self.lark.reserve();
        self.any = Some(name.clone());
        let nothing = Map::new();
        let string = scalar::string(self.lark, &nothing, "")?;
        let number = scalar::number(self.lark, &nothing, "number", "")?;
        let object = self.any_object()?;
        let body = format!(
            "{string} | {number} | \"true\" | \"false\" | \"null\" | \"[\" ({name} (\",\" {name})*)? \"]\" | {object}"
        );
        self.lark.define(&name, &body);
        Ok(name)
    }

    fn schema(&mut self, schema: &Map<String, Value>, at: &str) -> Result<String, Error> {
        if self.depth == DEPTH_MAX || self.lark.len() > BYTES_MAX {
            return Err(unsupported(
                "expected a smaller schema, nested less deep",
                at,
            ));
        }
        self.depth += 1;
        let written = self.written(schema, at);
        self.depth -= 1;
        written
    }

    fn written(&mut self, schema: &Map<String, Value>, at: &str) -> Result<String, Error> {
        let known = |key: &&String| KNOWN.contains(&key.as_str()) || NOTES.contains(&key.as_str());
        if let Some(key) = schema.keys().find(|key| !known(key)) {
            let message = format!("{key}: no grammar expresses this keyword");
            return Err(unsupported(&message, at));
        }
        if let Some(target) = schema.get("$ref") {
            return self.reference(target, schema, at);
        }
        for (key, all) in [("allOf", true), ("anyOf", false), ("oneOf", false)] {
            if let Some(members) = schema.get(key) {
                let members = schemas(members, key, at)?;
                let mut rest = schema.clone();
                rest.remove(key);
                return match all {
                    true => self.all_of(&rest, &members, at),
                    false => self.one_of(&rest, &members, key, at),
                };
            }
        }
        if let Some(value) = schema.get("const") {
            return Ok(constant(value));
        }
        if let Some(values) = schema.get("enum") {
            return self.listed(values, schema, at);
        }
        let kinds = kinds(schema, at)?;
        let mut options = Vec::with_capacity(kinds.len());
        for kind in &kinds {
            options.push(self.kind(schema, kind, at)?);
        }
        match options.as_slice() {
            [] => self.any(),
            [option] => Ok(option.clone()),
            _ => Ok(self.lark.rule(&options.join(" | "))),
        }
    }

    /// `$ref` inside the tool's own schema: a rule, written once.
    fn reference(
        &mut self,
        target: &Value,
        schema: &Map<String, Value>,
        at: &str,
    ) -> Result<String, Error> {
        if schema
            .keys()
            .any(|key| key != "$ref" && KNOWN.contains(&key.as_str()))
        {
            return Err(unsupported(
                "$ref: expected no further keywords beside it",
                at,
            ));
        }
        let target = target.as_str().unwrap_or_default();
        if let Some(name) = self.references.get(target) {
            return Ok(name.clone());
        }
        let found = target
            .strip_prefix('#')
            .and_then(|pointer| self.root.pointer(pointer));
        let Some(found) = found else {
            let message = format!("$ref: expected a place in this schema, found {target:?}");
            return Err(unsupported(&message, at));
        };
        let name = self.lark.reserve();
        self.references.insert(target.to_owned(), name.clone());
        let body = self.value(found, target)?;
        if body == name {
            return Err(bad(
                "$ref: expected a schema, found a reference to itself",
                at,
            ));
        }
        self.lark.define(&name, &body);
        Ok(name)
    }

    fn all_of(
        &mut self,
        rest: &Map<String, Value>,
        members: &[&Map<String, Value>],
        at: &str,
    ) -> Result<String, Error> {
        let mut merged = rest.clone();
        for member in members {
            merged = both(&merged, self.resolved(member), at)?;
        }
        self.schema(&merged, at)
    }

    /// A member, or what it refers to.
    fn resolved<'s>(&'s self, member: &'s Map<String, Value>) -> &'s Map<String, Value> {
        let target = member.get("$ref").and_then(Value::as_str);
        target
            .and_then(|target| self.root.pointer(target.strip_prefix('#')?)?.as_object())
            .unwrap_or(member)
    }

    fn one_of(
        &mut self,
        rest: &Map<String, Value>,
        members: &[&Map<String, Value>],
        key: &str,
        at: &str,
    ) -> Result<String, Error> {
        let has_rest = rest.keys().any(|key| KNOWN.contains(&key.as_str()));
        let mut merged = Vec::with_capacity(members.len());
        for member in members {
            merged.push(match has_rest {
                true => both(rest, self.resolved(member), at)?,
                false => (*member).clone(),
            });
        }
        if key == "oneOf" {
            let seen: Vec<_> = merged.iter().map(|member| self.resolved(member)).collect();
            if !object::are_apart(&seen) {
                let message = "oneOf: expected schemas of which no value fits two; use anyOf";
                return Err(unsupported(message, at));
            }
        }
        let mut options = Vec::with_capacity(merged.len());
        for (index, member) in merged.iter().enumerate() {
            options.push(self.schema(member, &format!("{at}/{key}/{index}"))?);
        }
        Ok(self.lark.rule(&options.join(" | ")))
    }

    /// `enum`, as far as its values have the types that stand beside it.
    fn listed(
        &mut self,
        values: &Value,
        schema: &Map<String, Value>,
        at: &str,
    ) -> Result<String, Error> {
        let kinds = kinds(schema, at)?;
        let fits = |value: &&Value| kinds.is_empty() || kinds.iter().any(|kind| is_of(value, kind));
        let values = values.as_array().into_iter().flatten();
        let mut texts: Vec<String> = values.filter(fits).map(constant).collect();
        texts.dedup();
        if texts.is_empty() {
            return Err(bad("enum: expected at least one value of its type", at));
        }
        Ok(self.lark.rule(&texts.join(" | ")))
    }

    fn kind(&mut self, schema: &Map<String, Value>, kind: &str, at: &str) -> Result<String, Error> {
        match kind {
            "string" => scalar::string(self.lark, schema, at),
            "integer" | "number" => scalar::number(self.lark, schema, kind, at),
            "boolean" => Ok("(\"true\" | \"false\")".to_owned()),
            "null" => Ok("\"null\"".to_owned()),
            "array" => self.array(schema, at),
            "object" => object::write(self, schema, at),
            other => Err(bad(
                &format!("type: expected a type of JSON, found {other:?}"),
                at,
            )),
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, at: &str) -> Result<String, Error> {
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            return Err(unsupported(
                "uniqueItems: no grammar expresses this keyword",
                at,
            ));
        }
        let min = count(schema, "minItems", at)?.unwrap_or(0);
        let max = count(schema, "maxItems", at)?;
        if max.is_some_and(|max| max < min) {
            return Err(bad("maxItems: expected at least minItems", at));
        }
        let first = schema.get("prefixItems").and_then(Value::as_array);
        if let Some(first) = first.filter(|first| !first.is_empty()) {
            return self.tuple(first, schema, (min, max), at);
        }
        if max == Some(0) {
            return Ok("\"[\" \"]\"".to_owned());
        }
        let item = match schema.get("items") {
            None => self.any()?,
            Some(Value::Bool(false)) if min == 0 => return Ok("\"[\" \"]\"".to_owned()),
            Some(items) => self.value(items, &format!("{at}/items"))?,
        };
        let item = self.lark.rule(&item);
        let more = repeat(
            &format!("(\",\" {item})"),
            min.saturating_sub(1),
            max.map(|max| max - 1),
        );
        let optional = if min == 0 { "?" } else { "" };
        Ok(self
            .lark
            .rule(&format!("\"[\" ({item} {more}){optional} \"]\"")))
    }

    /// Every place of a tuple is filled.
    fn tuple(
        &mut self,
        first: &[Value],
        schema: &Map<String, Value>,
        (min, max): (u64, Option<u64>),
        at: &str,
    ) -> Result<String, Error> {
        let filled = first.len() as u64;
        if max.is_some_and(|max| max < filled) {
            return Err(unsupported(
                "maxItems: expected room for all of prefixItems",
                at,
            ));
        }
        let mut items = Vec::with_capacity(first.len());
        for (index, item) in first.iter().enumerate() {
            items.push(self.value(item, &format!("{at}/prefixItems/{index}"))?);
        }
        let missing = min.saturating_sub(filled);
        let more = match schema.get("items") {
            None if missing == 0 => String::new(),
            Some(Value::Bool(false)) if missing == 0 => String::new(),
            None | Some(Value::Bool(_)) => {
                let any = self.any()?;
                repeat(
                    &format!("(\",\" {any})"),
                    missing,
                    max.map(|max| max - filled),
                )
            }
            Some(rest) => {
                let rest = self.value(rest, &format!("{at}/items"))?;
                repeat(
                    &format!("(\",\" {rest})"),
                    missing,
                    max.map(|max| max - filled),
                )
            }
        };
        Ok(self
            .lark
            .rule(&format!("\"[\" {} {more} \"]\"", items.join(" \",\" "))))
    }
}

/// Something a number of times.
fn repeat(what: &str, min: u64, max: Option<u64>) -> String {
    match max {
        None if min == 0 => format!("{what}*"),
        None => format!("{what}{{{min},}}"),
        Some(0) => String::new(),
        Some(max) => format!("{what}{{{min},{max}}}"),
    }
}

fn schemas<'s>(
    members: &'s Value,
    key: &str,
    at: &str,
) -> Result<Vec<&'s Map<String, Value>>, Error> {
    let members = members.as_array().filter(|members| !members.is_empty());
    let members = members.and_then(|members| members.iter().map(Value::as_object).collect());
    members.ok_or_else(|| {
        bad(
            &format!("{key}: expected a list of schemas that are objects"),
            at,
        )
    })
}

/// The types that a schema allows; none for any.
pub fn kinds(schema: &Map<String, Value>, at: &str) -> Result<Vec<String>, Error> {
    let mut kinds: Vec<String> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.to_lowercase()],
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            names.map(str::to_lowercase).collect()
        }
        None => implied(schema),
        Some(_) => return Err(bad("type: expected a name or a list of names", at)),
    };
    if kinds.iter().any(|kind| kind == "number") {
        kinds.retain(|kind| kind != "integer");
    }
    let nullable = schema.get("nullable") == Some(&Value::Bool(true));
    if nullable && !kinds.is_empty() && !kinds.iter().any(|kind| kind == "null") {
        kinds.push("null".to_owned());
    }
    Ok(kinds)
}

/// The type that keywords speak of where `type` is missing.
fn implied(schema: &Map<String, Value>) -> Vec<String> {
    let of = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
    let kind = if of(&["properties", "required", "additionalProperties"]) {
        "object"
    } else if of(&["items", "prefixItems", "minItems", "maxItems"]) {
        "array"
    } else if of(&["pattern", "minLength", "maxLength"]) {
        "string"
    } else if of(&[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ]) {
        "number"
    } else {
        return Vec::new();
    };
    vec![kind.to_owned()]
}

/// Whether a value has a type.
fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
    }
}
