//! Tools: what the model is told, what it calls, what comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conversation::Content;

/// What a host should know before it runs a tool. All `false` when the tool does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolTraits {
    /// Changes nothing.
    pub read_only: bool,
    /// May destroy something.
    pub destructive: bool,
    /// Calling it twice is as calling it once.
    pub idempotent: bool,
    /// Reaches outside the machine.
    pub open_world: bool,
    /// A person must agree to each call.
    pub needs_approval: bool,
}

/// Decides whether a call may run, for tools whose [`ToolTraits::needs_approval`] is set.
///
/// It is asked on the chat's own thread, one call after the other, before any call of the turn runs; the chat
/// waits for it. What is not allowed becomes a result that tells the model so.
///
/// ```
/// let careful = lapidary::Approval::new(|call| call.name != "delete_everything");
/// # let _ = careful;
/// ```
#[derive(Clone)]
pub struct Approval(Arc<dyn Fn(&ToolCall) -> bool + Send + Sync>);

impl Approval {
    /// Allows the calls of which `decide` says yes.
    pub fn new(decide: impl Fn(&ToolCall) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// Whether this call may run. The runtime asks for its plugins; a caller that runs tools of its own may too.
    pub fn allows(&self, call: &ToolCall) -> bool {
        (self.0)(call)
    }
}

impl std::fmt::Debug for Approval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Approval")
    }
}

/// The host's own answer in the place of a tool plugin, or an agent, that fails.
///
/// ```
/// use lapidary::{Fallback, Grants};
/// let grants = Grants::none().with_fallback(Fallback::text("the weather is not known now"));
/// # let _ = grants;
/// ```
#[derive(Clone)]
pub struct Fallback(Answer);

#[derive(Clone)]
enum Answer {
    Text(Arc<str>),
    Made(Arc<dyn Fn(&ToolCall) -> ToolResult + Send + Sync>),
}

impl Fallback {
    /// Answers each call of a tool with what `answer` makes of it.
    pub fn new(answer: impl Fn(&ToolCall) -> ToolResult + Send + Sync + 'static) -> Self {
        Self(Answer::Made(Arc::new(answer)))
    }

    /// Answers every call of a tool, and every run of an agent, with this text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self(Answer::Text(text.into()))
    }

    pub(crate) fn answer(&self, call: &ToolCall) -> ToolResult {
        match &self.0 {
            Answer::Made(answer) => answer(call),
            Answer::Text(text) => ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content: content(text),
                is_error: false,
            },
        }
    }

    /// What it answers where there is no call; none where it needs one.
    pub(crate) fn said(&self) -> Option<Content> {
        match &self.0 {
            Answer::Text(text) => Some(content(text)),
            Answer::Made(_) => None,
        }
    }
}

fn content(text: &str) -> Content {
    Content::Text(text.to_owned())
}

/// Two are equal when they say the same text or are clones of one.
impl PartialEq for Fallback {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Answer::Text(one), Answer::Text(other)) => one == other,
            (Answer::Made(one), Answer::Made(other)) => Arc::ptr_eq(one, other),
            (Answer::Text(_), Answer::Made(_)) | (Answer::Made(_), Answer::Text(_)) => false,
        }
    }
}

impl Eq for Fallback {}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fallback")
    }
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Its name: what the model calls.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// A JSON Schema of type object.
    pub parameters: Value,
    /// A JSON Schema of the result, where the tool states one.
    pub response: Option<Value>,
    /// What a host should know.
    pub traits: ToolTraits,
}

/// A call that the model made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique in the conversation.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// A JSON object.
    pub arguments: Value,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolResult {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the model is shown.
    #[serde(serialize_with = "content_json")]
    pub content: Content,
    /// The call failed in a way the model hears of.
    pub is_error: bool,
}

fn content_json<S: serde::Serializer>(content: &Content, serializer: S) -> Result<S::Ok, S::Error> {
    use super::conversation::Part;
    match content {
        Content::Text(text) => serializer.serialize_str(text),
        Content::Structured(value) => value.serialize(serializer),
        Content::Parts(parts) => {
            serializer.collect_seq(parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text),
                Part::Media(_) => None,
            }))
        }
    }
}
