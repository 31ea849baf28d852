//! The host's model, as plugins may use it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::capability::{Open, Refusal};
use super::exchange::StopReason;
use super::interrupt::Interrupt;
use crate::chat::{Conversation, Thinking};
use crate::error::{Error, ErrorKind, Result};

/// What answers plugins that were granted inference. A [`Runtime`](crate::Runtime) is one.
pub trait Inference: Send + Sync {
    /// Answers one request. `interrupt` is one deeper than that of the plugin's call, and stops the answer. Each prompt
    /// is to be asked for with [`TokenBudget::admit`] before the model reads it.
    ///
    /// # Errors
    /// `Unsupported` for a model that is not here, what the budget refuses, and whatever a chat fails with.
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
    /// Tokens of the answer, at most; fewer where the prompt leaves fewer.
    pub tokens_max: usize,
    /// What the plugin may spend.
    pub budget: TokenBudget,
    /// Offer the host's tools.
    pub use_tools: bool,
}

/// The tokens that a plugin may spend on one request, prompts and answer.
#[derive(Clone)]
pub struct TokenBudget {
    open: Arc<Open>,
}

impl TokenBudget {
    pub(super) fn new(open: Open) -> Self {
        let open = Arc::new(open);
        Self { open }
    }

    /// Asks for a prompt of `prompt_tokens`, after `written_tokens` of the answer in earlier rounds. Gives how many
    /// tokens may follow; they are set aside until the request is answered.
    ///
    /// # Errors
    /// `Limit("tokens_per_minute")` where the prompt leaves none.
    pub fn admit(&self, prompt_tokens: usize, written_tokens: usize) -> Result<usize> {
        let rest = self.open.admit(count(prompt_tokens), count(written_tokens));
        let rest = rest.map_err(|refusal| limit(&refusal))?;
        Ok(rest as usize)
    }

    /// Notes what the model has read and written by now, for the case that the request fails.
    pub fn spent(&self, prompt_tokens: usize, written_tokens: usize) {
        self.open.spent(count(prompt_tokens), count(written_tokens));
    }

    pub(super) fn tokens_max(&self) -> usize {
        self.open.tokens_max() as usize
    }

    /// Ends it, with what the answer cost; without an answer, with what was read and written.
    pub(super) fn settle(&self, reply: Option<&InferenceReply>) -> u32 {
        let cost = |reply: &InferenceReply| {
            count(reply.prompt_tokens).saturating_add(count(reply.output_tokens))
        };
        self.open.settle(reply.map(cost))
    }
}

impl fmt::Debug for TokenBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBudget").finish_non_exhaustive()
    }
}

/// The part of the grant that a budget comes from, as errors name it.
pub(super) const TOKENS_PER_MINUTE: &str = "tokens_per_minute";

fn limit(refusal: &Refusal) -> Error {
    let kind = ErrorKind::Limit(TOKENS_PER_MINUTE);
    Error::new(kind, "inference", refusal.message.as_str())
}

pub(super) fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
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
