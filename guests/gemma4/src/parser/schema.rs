//! What the tools' schemas say about a value: its types and the schemas inside it.

use lapidary_guest::ToolDefinition;
use serde_json::Value;
use std::collections::HashSet;
use std::ptr;
use std::rc::Rc;

/// The tools that the model was told of.
#[derive(Default)]
pub struct Tools {
    tools: Vec<(String, Schema)>,
}

impl Tools {
    pub fn new(definitions: &[ToolDefinition]) -> Self {
        let read = |tool: &ToolDefinition| (tool.name.clone(), Schema::new(&tool.parameters));
        Self {
            tools: definitions.iter().map(read).collect(),
        }
    }

    /// The tool that a written name means: itself, or the longest one that it ends in behind a
    /// separator, as in `google:mcp:files:create`. A name that nobody declared stays as it is.
    pub fn resolve(&self, written: &str) -> (String, Schema) {
        let fits = |name: &str| {
            let prefix = written.strip_suffix(name);
            prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(['.', ':', '/']))
        };
        let found = self
            .tools
            .iter()
            .filter(|(name, _)| !name.is_empty() && fits(name));
        let longest = found.max_by_key(|(name, _)| name.len()).cloned();
        longest.unwrap_or_else(|| (written.to_owned(), Schema::default()))
    }

    pub fn declares(&self, name: &str) -> bool {
        self.tools.iter().any(|(declared, _)| declared == name)
    }
}

/// A schema, or the absence of one.
#[derive(Clone, Default)]
pub struct Schema {
    root: Option<Rc<Value>>,
    node: Option<Rc<Value>>,
}

/// Which types a schema allows; none known means any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    pub const STRING: Self = Self(1);
    pub const INTEGER: Self = Self(2);
    pub const NUMBER: Self = Self(4);
    pub const BOOLEAN: Self = Self(8);
    pub const NULL: Self = Self(16);
    pub const OBJECT: Self = Self(32);
    pub const ARRAY: Self = Self(64);

    /// Whether the schema says nothing.
    pub fn unknown(self) -> bool {
        self.0 == 0
    }

    /// Whether the schema names one of these types.
    pub fn names(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }

    /// Whether a value of these types may stand here.
    pub fn allows(self, kinds: Self) -> bool {
        self.unknown() || self.names(kinds)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The type of a JSON value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.as_str().contains(['.', 'e', 'E']) => Self::NUMBER,
            Value::Number(_) => Self::INTEGER.or(Self::NUMBER),
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "string" => Self::STRING,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "boolean" => Self::BOOLEAN,
            "null" => Self::NULL,
            "object" => Self::OBJECT,
            "array" => Self::ARRAY,
            _ => Self::default(),
        }
    }
}

impl Schema {
    fn new(json: &str) -> Self {
        let root = serde_json::from_str(json).ok().map(Rc::new);
        Self {
            node: root.clone(),
            root,
        }
    }

    /// The types of a value here.
    pub fn kinds(&self) -> Kinds {
        let nodes = self.nodes();
        let kinds = nodes.iter().map(|node| own_kinds(node));
        let kinds = kinds.fold(Kinds::default(), Kinds::or);
        let is_nullable = |node: &&Value| node.get("nullable") == Some(&Value::Bool(true));
        if kinds.unknown() || !nodes.iter().any(is_nullable) {
            return kinds;
        }
        kinds.or(Kinds::NULL)
    }

    /// The schema of a property.
    pub fn property(&self, key: &str) -> Self {
        self.inside(|node| {
            let named = node
                .get("properties")
                .and_then(|properties| properties.get(key));
            named.or_else(|| {
                node.get("additionalProperties")
                    .filter(|schema| schema.is_object())
            })
        })
    }

    /// The schema of an array's items.
    pub fn items(&self) -> Self {
        self.inside(|node| node.get("items").filter(|schema| schema.is_object()))
    }

    /// Whether the schema lists properties, and this one among them; None when it lists none.
    pub fn declares(&self, key: &str) -> Option<bool> {
        let listed = self.inside(|node| node.get("properties"));
        Some(listed.node?.get(key).is_some())
    }

    fn inside(&self, pick: impl Fn(&Value) -> Option<&Value>) -> Self {
        let found = self.nodes().into_iter().find_map(pick);
        Self {
            root: self.root.clone(),
            node: found.cloned().map(Rc::new),
        }
    }

    /// The schema and those that its references and unions lead to, each once: they may form circles.
    fn nodes(&self) -> Vec<&Value> {
        let (mut nodes, mut seen) = (Vec::new(), HashSet::new());
        let mut open: Vec<&Value> = self.node.as_deref().into_iter().collect();
        while let Some(node) = open.pop() {
            if seen.insert(ptr::from_ref(node)) {
                nodes.push(node);
                let members: Vec<_> = self.referred(node).into_iter().chain(union(node)).collect();
                open.extend(members.into_iter().rev());
            }
        }
        nodes
    }

    /// The target of `$ref`, inside the tool's own schema only.
    fn referred(&self, node: &Value) -> Option<&Value> {
        let pointer = node.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.as_deref()?.pointer(pointer)
    }
}

fn union(node: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|key| node.get(key)?.as_array())
        .flatten()
}

/// The types a schema names itself, or those of the values it lists.
fn own_kinds(node: &Value) -> Kinds {
    match node.get("type") {
        Some(Value::String(name)) => return Kinds::named(name),
        Some(Value::Array(names)) => {
            let named = names.iter().filter_map(Value::as_str).map(Kinds::named);
            return named.fold(Kinds::default(), Kinds::or);
        }
        _ => {}
    }
    let listed = node
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    listed
        .chain(node.get("const"))
        .map(Kinds::of)
        .fold(Kinds::default(), Kinds::or)
}
