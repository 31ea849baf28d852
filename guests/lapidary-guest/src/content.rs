//! Conversions that spare plugins the variants.

use crate::{Content, Error, ErrorKind};

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Content {
    fn from(object: serde_json::Map<String, serde_json::Value>) -> Self {
        Self::Structured(serde_json::Value::Object(object).to_string())
    }
}

impl Error {
    /// A failure of this `kind`; `code` is stable and documented by the plugin.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            at: None,
        }
    }

    /// The same failure, located by a JSON pointer into the request.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.at = Some(pointer.into());
        self
    }
}
