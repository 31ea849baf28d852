//! The host's model, as plugins may use it.

use serde::{Deserialize, Serialize};

use super::exchange::StopReason;
use super::interrupt::Interrupt;
use crate::chat::{Conversation, Thinking};
use crate::error::Result;

/// What answers plugins that were granted inference. A [`Runtime`](crate::Runtime) is one.
pub trait Inference: Send + Sync {
    /// Answers one request. `interrupt` is one deeper than that of the plugin's call, and stops the answer.
    ///
    /// # Errors
    /// `Unsupported` for a model that is not here, and whatever a chat fails with.
    fn generate(&self, request: InferenceRequest, interrupt: &Interrupt) -> Result<InferenceReply>;
}

/// What a plugin asks of the model.
#[derive(Clone, Debug)]
pub struct InferenceRequest {
    /// Which model; `None` for the host's own.
    pub model: Option<String>,
    /// What was said.
    pub conversation: Conversation,
    /// Whether the model thinks first.
    pub thinking: Thinking,
    /// Tokens of the answer.
    pub tokens_max: usize,
    /// Offer the host's tools.
    pub use_tools: bool,
}

/// What the model answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceReply {
    /// The answer.
    pub text: String,
    /// What it thought.
    pub thought: String,
    /// Why it ended.
    pub reason: StopReason,
    /// Tokens that were read.
    pub prompt_tokens: usize,
    /// Tokens that were written.
    pub output_tokens: usize,
}
