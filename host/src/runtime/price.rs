//! What a prompt costs, before anything runs.

use super::Inner;
use super::media::Purpose;
use super::prompt::{self, Given};
use crate::chat::{ChatOptions, Conversation};
use crate::error::Result;
use crate::plugin::Interrupt;

/// What a prompt costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptPrice {
    /// All of it, media included: what [`Usage::prompt_tokens`](crate::Usage) will say of the first round.
    pub tokens: usize,
    /// Soft tokens of each image, recording and video, in the conversation's order.
    pub media: Vec<usize>,
    /// What the model's context leaves for the answer.
    pub left_tokens: usize,
}

pub(super) fn of(
    inner: &Inner,
    conversation: &Conversation,
    options: &ChatOptions,
) -> Result<PromptPrice> {
    prompt::check_size(conversation, &inner.limits)?;
    let given = Given::new(inner, conversation, options, Purpose::Price)?;
    let rendered = prompt::render(inner, conversation, options, &given, &Interrupt::new())?;
    let tokens = rendered.prompt.ids.len();
    Ok(PromptPrice {
        tokens,
        media: given.soft_tokens(),
        left_tokens: inner.bundle.config().context_tokens.saturating_sub(tokens),
    })
}
