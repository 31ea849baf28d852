//! Parameter schemas derived from argument structs.

use crate::{Arguments, Json};
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

impl<T: DeserializeOwned + JsonSchema> Arguments for T {
    fn schema() -> Json {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| {
                settings.meta_schema = None;
                settings.inline_subschemas = true;
            })
            .with_transform(ForModels);
        settings
            .into_generator()
            .into_root_schema_for::<T>()
            .to_value()
            .to_string()
    }
}

/// Says it the way that models are told of tools: no titles, and `nullable` in place of a union.
#[derive(Clone)]
struct ForModels;

impl Transform for ForModels {
    fn transform(&mut self, schema: &mut Schema) {
        schema.remove("title");
        schema.remove("format");
        if let Some(kind) = only_kind_beside_null(schema.get("type")) {
            schema.insert("type".to_owned(), kind);
            schema.insert("nullable".to_owned(), Value::Bool(true));
        }
        transform_subschemas(self, schema);
    }
}

/// `T` of `[T, "null"]`.
fn only_kind_beside_null(kind: Option<&Value>) -> Option<Value> {
    let kinds = kind?.as_array()?;
    let mut real = kinds.iter().filter(|kind| kind.as_str() != Some("null"));
    let first = real.next()?;
    (kinds.len() == 2 && real.next().is_none()).then(|| first.clone())
}
