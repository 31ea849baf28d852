//! The model as plugins use it: a chat of its own, one deeper.

use std::sync::Arc;

use super::Inner;
use super::cancel::Cancel;
use super::generation;
use super::reload::Shared;
use super::tools::Toolbox;
use crate::chat::{ChatOptions, FinishReason};
use crate::error::{Error, Result};
use crate::plugin::{Inference, InferenceReply, InferenceRequest, Interrupt, StopReason};

impl Inference for Shared {
    fn generate(&self, request: InferenceRequest, interrupt: &Interrupt) -> Result<InferenceReply> {
        let inner = self.of_new_chat()?;
        check_model(&inner, request.model.as_deref())?;
        let options = ChatOptions {
            max_tokens: Some(request.tokens_max.min(inner.limits.new_tokens_max)),
            thinking: request.thinking,
            ..ChatOptions::default()
        };
        let inner = match request.use_tools {
            true => inner,
            false => Arc::new(Inner {
                tools: Toolbox::default(),
                ..Inner::clone(&inner)
            }),
        };
        let cancel = Cancel {
            plugins: interrupt.clone(),
            ..Cancel::new()
        };
        let reply = generation::checked_start(
            inner,
            request.conversation,
            options,
            cancel,
            Some(request.budget),
        )?
        .finish()?;
        Ok(InferenceReply {
            text: reply.text,
            thought: reply.thought,
            reason: reason(reply.reason)?,
            prompt_tokens: reply.usage.prompt_tokens,
            output_tokens: reply.usage.output_tokens,
        })
    }
}

fn check_model(inner: &Inner, wanted: Option<&str>) -> Result<()> {
    let ours = inner.bundle.location().to_string();
    match wanted {
        Some(wanted) if wanted != ours => {
            let detail = format!("expected {ours:?}, the model that runs here");
            Err(Error::unsupported(format!("model {wanted:?}"), detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn reason(from: FinishReason) -> Result<StopReason> {
    match from {
        FinishReason::EndOfTurn | FinishReason::ToolCall => Ok(StopReason::EndOfTurn),
        FinishReason::Length => Ok(StopReason::Length),
        FinishReason::Stop => Ok(StopReason::Stop),
        FinishReason::Cancelled => Err(Error::cancelled("inference")),
    }
}
