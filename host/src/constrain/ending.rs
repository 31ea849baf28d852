//! Schemas that no text fits, because what fits would have to hold itself again and again.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Refuses a JSON Schema that only an endless text fits, where that can be told: in objects whose required
/// properties, and arrays whose required items, come back to them through references within the schema.
///
/// # Errors
/// `Invalid`.
pub(crate) fn check_ends(subject: &str, schema: &Value) -> Result<()> {
    let mut search = Search {
        root: schema,
        ended: BTreeSet::new(),
        met: BTreeSet::new(),
        left: SCHEMAS_MAX,
    };
    loop {
        if search.ends(schema, 0) {
            return Ok(());
        }
        if !search.goes_on() {
            return Err(endless(
                subject,
                search.met.difference(&search.ended).next(),
            ));
        }
    }
}

fn endless(subject: &str, reference: Option<&String>) -> Error {
    let found = reference.map_or_else(String::new, |reference| {
        format!(", by {{\"$ref\":{reference:?}}}")
    });
    let detail = format!(
        "expected a schema that a text can fit, found one that requires itself again in all that fits it{found}; \
         make that property optional, or let it be null"
    );
    Error::invalid(subject, detail)
}

/// What is known so far: a reference ends once something that fits it does.
struct Search<'a> {
    root: &'a Value,
    ended: BTreeSet<String>,
    met: BTreeSet<String>,
    /// How many schemas may still be looked at.
    left: usize,
}

/// Schemas within schemas; what lies deeper is not looked at.
const DEPTH_MAX: usize = 64;
/// Looks at schemas: some milliseconds of them. Of a larger one it is not told.
const SCHEMAS_MAX: usize = 100_000;

impl<'a> Search<'a> {
    /// Looks at every reference that was met. `false` when that tells nothing new.
    fn goes_on(&mut self) -> bool {
        let known = (self.ended.len(), self.met.len());
        for reference in self.met.clone() {
            let target = self.target(&reference);
            if target.is_none_or(|target| self.ends(target, 0)) {
                self.ended.insert(reference);
            }
        }
        known != (self.ended.len(), self.met.len())
    }

    /// Whether something finite fits, as far as is known.
    fn ends(&mut self, schema: &'a Value, depth: usize) -> bool {
        let Value::Object(fields) = schema else {
            return true;
        };
        self.left = self.left.saturating_sub(1);
        let is_plain = fields.contains_key("const") || fields.contains_key("enum");
        if is_plain || depth > DEPTH_MAX || self.left == 0 {
            return true;
        }
        if let Some(Value::String(reference)) = fields.get("$ref") {
            self.met.insert(reference.clone());
            if !self.ended.contains(reference) {
                return false;
            }
        }
        let all = list(fields, "allOf").iter();
        let one_of = |fields: &'a Map<String, Value>, key| {
            Some(list(fields, key)).filter(|list| !list.is_empty())
        };
        let choices = ["anyOf", "oneOf"].into_iter();
        let mut choices = choices.filter_map(|key| one_of(fields, key));
        all.into_iter().all(|part| self.ends(part, depth + 1))
            && choices.all(|list| list.iter().any(|one| self.ends(one, depth + 1)))
            && self.some_type_ends(fields, depth)
    }

    fn some_type_ends(&mut self, fields: &'a Map<String, Value>, depth: usize) -> bool {
        let mut types = match fields.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
            // A number fits too.
            _ => return true,
        }
        .into_iter();
        types.any(|name| match name {
            "object" => self.object_ends(fields, depth),
            "array" => self.array_ends(fields, depth),
            _ => true,
        })
    }

    fn object_ends(&mut self, fields: &'a Map<String, Value>, depth: usize) -> bool {
        let properties = fields.get("properties").and_then(Value::as_object);
        let required = list(fields, "required").iter().filter_map(Value::as_str);
        let mut schemas = required.filter_map(|name| properties?.get(name));
        schemas.all(|schema| self.ends(schema, depth + 1))
    }

    fn array_ends(&mut self, fields: &'a Map<String, Value>, depth: usize) -> bool {
        let least = fields.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let first = list(fields, "prefixItems");
        let rest = fields.get("items").filter(|_| least > first.len());
        let mut items = first.iter().take(least).chain(rest);
        items.all(|schema| self.ends(schema, depth + 1))
    }

    /// What a reference within the schema names; none where it leads elsewhere.
    fn target(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }
}

fn list<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    let list = fields.get(key).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ends(schema: Value) -> bool {
        check_ends("schema", &schema).is_ok()
    }

    #[test]
    fn what_requires_itself_never_ends() {
        let itself = json!({"$ref": "#"});
        let object = json!({"type": "object", "properties": {"a": itself}, "required": ["a"]});
        let error = check_ends("schema", &object).expect_err("it never ends");
        assert!(error.to_string().contains("by {\"$ref\":\"#\"}"), "{error}");
        assert!(!ends(
            json!({"type": "array", "items": itself, "minItems": 1})
        ));
        assert!(!ends(
            json!({"type": "array", "prefixItems": [itself], "minItems": 1})
        ));
        assert!(!ends(json!({"anyOf": [itself, {"allOf": [true, itself]}]})));
        let in_turn = json!({
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}}, "required": ["b"]},
                "b": {"type": ["object"], "properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]},
            },
        });
        assert!(!ends(in_turn));
    }

    #[test]
    fn what_may_stop_ends() {
        let itself = json!({"$ref": "#"});
        let optional = json!({"type": "object", "properties": {"a": itself}});
        let list = json!({"type": "array", "items": itself});
        let nullable =
            json!({"type": ["object", "null"], "properties": {"a": itself}, "required": ["a"]});
        let choice = json!({"anyOf": [itself, {"type": "integer"}]});
        let elsewhere = json!({"$ref": "https://example.com/schema"});
        for schema in [optional, list, nullable, choice, elsewhere, json!(true)] {
            assert!(ends(schema.clone()), "{schema}");
        }
        let tree = json!({
            "$ref": "#/$defs/node",
            "$defs": {"node": {"type": "object", "required": ["left"], "properties": {
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"const": null}]},
            }}},
        });
        assert!(ends(tree));
    }

    #[test]
    fn a_deep_or_large_schema_is_no_trouble() {
        let next = |at: usize| json!({"allOf": [{"$ref": format!("#/a/{}", (at + 1) % 2_000)}]});
        let ring: Vec<Value> = (0..2_000).map(next).collect();
        assert!(ends(json!({"$ref": "#/a/0", "a": ring})));
        let mut schema = json!({"$ref": "#"});
        for _ in 0..100 {
            schema = json!({"allOf": [schema]});
        }
        assert!(ends(schema));
    }
}
