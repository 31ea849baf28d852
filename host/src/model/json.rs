//! Configuration files as JSON that may lack anything.

use serde_json::Value;

use super::files::Files;
use crate::error::{Error, Result};

/// More than any size, count or id of a model: they are multiplied with each other, and count rows of tables.
const NUMBER_MAX: u64 = 1 << 24;

/// A JSON object that answers with `None` for what is not there.
#[derive(Clone, Debug)]
pub(super) struct Json(pub Value);

impl Json {
    pub fn read_optional(files: &Files, name: &str) -> Result<Self> {
        files
            .find(name)?
            .map_or(Ok(Self(Value::Null)), |bytes| Self::parse(name, &bytes))
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            Error::bundle(name, format!("expected JSON, found none: {error}")).with_source(error)
        })
    }

    /// Whether the file that it stands for is not there.
    pub fn is_absent(&self) -> bool {
        self.0.is_null()
    }

    pub fn child(&self, key: &str) -> Self {
        Self(self.0.get(key).cloned().unwrap_or(Value::Null))
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    pub fn number(&self, key: &str) -> Option<usize> {
        whole(self.0.get(key)?).map(|number| number as usize)
    }

    pub fn required(&self, key: &str) -> Result<usize> {
        self.number(key).ok_or_else(|| {
            Error::bundle(
                "config.json",
                format!("expected a number text_config.{key} of at most {NUMBER_MAX}, found none"),
            )
        })
    }

    pub fn float(&self, key: &str) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a setting, not a count")]
        self.0.get(key)?.as_f64().map(|number| number as f32)
    }

    pub fn id(&self, key: &str) -> Option<u32> {
        whole(self.0.get(key)?)
    }

    /// One id or a list of them.
    pub fn ids(&self, key: &str) -> Vec<u32> {
        match self.0.get(key) {
            Some(Value::Array(ids)) => ids.iter().filter_map(whole).collect(),
            Some(one) => whole(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn whole(value: &Value) -> Option<u32> {
    let number = value.as_u64().filter(|number| *number <= NUMBER_MAX)?;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_model_has_count_as_absent() {
        let config =
            Json(serde_json::json!({"id": 4_294_967_295_u32, "ids": [7, 4_294_967_295_u32, -1]}));
        assert_eq!((config.number("id"), config.id("id")), (None, None));
        assert_eq!(config.ids("ids"), [7]);
        let error = config.required("id").unwrap_err().to_string();
        assert!(error.contains("at most"), "{error}");
    }
}
