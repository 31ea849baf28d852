//! Conversions that spare plugins the variants.

use crate::{Content, Error, ErrorKind, GenerateRequest, Message, Part, Role, Thinking};

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

impl Content {
    /// Its text; parts joined, media left out.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Structured(text) => text.clone(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text(text) => Some(text.as_str()),
                    Part::Media(_) => None,
                })
                .collect(),
        }
    }
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<Content>) -> Self {
        Self {
            role,
            name: None,
            content: Some(content.into()),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// What a person says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// Its text; empty where it only carries calls.
    #[must_use]
    pub fn text(&self) -> String {
        self.content
            .as_ref()
            .map_or_else(String::new, Content::text)
    }
}

impl GenerateRequest {
    /// An answer of the host's own model to `messages`, at once and without the host's tools.
    #[must_use]
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            model: None,
            messages,
            thinking: Thinking::Off,
            max_tokens: None,
            use_tools: false,
            extra: None,
        }
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
