//! A running chat, as its caller sees it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use async_channel::Receiver;
use futures_core::Stream;

use super::Inner;
use super::cancel::Cancel;
use super::chat::Chat;
use super::collect::Collector;
use super::prompt;
use crate::chat::{
    ChatOptions, Conversation, Event, FinishReason, Message, ToolCall, Usage, check_choices,
};
use crate::error::{Error, Result};
use crate::plugin::TokenBudget;

/// A running chat: an iterator, and a `futures` stream, of [`Event`]s. Dropping it stops the chat.
#[derive(Debug)]
pub struct Generation {
    events: Pin<Box<Receiver<Result<Event>>>>,
    messages: SharedMessages,
    cancel: Cancel,
}

/// What a chat added to its conversation.
pub(super) type SharedMessages = Arc<Mutex<Vec<Message>>>;

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// What the model thought.
    pub thought: String,
    /// The calls that it made, in order.
    pub tool_calls: Vec<ToolCall>,
    /// What the chat adds to the conversation: the model's turns and the tools' results.
    pub messages: Vec<Message>,
    /// Why it ended.
    pub reason: FinishReason,
    /// What it cost.
    pub usage: Usage,
}

/// Events that may wait for a slow reader before the chat waits for it.
const EVENTS_WAITING_MAX: usize = 256;

/// Starts a chat whose request is within bounds. `cancel` stops it; a plugin's has a `budget`.
pub(super) fn checked_start(
    inner: Arc<Inner>,
    conversation: Conversation,
    options: ChatOptions,
    cancel: Cancel,
    budget: Option<TokenBudget>,
) -> Result<Generation> {
    prompt::check_size(&conversation, &inner.limits)?;
    options.sampling.unwrap_or_default().check()?;
    let vocab_size = inner.bundle.config().vocab_size;
    check_choices(&options.logit_bias, options.logprobs, vocab_size)?;
    start(inner, conversation, options, cancel, budget)
}

fn start(
    inner: Arc<Inner>,
    conversation: Conversation,
    options: ChatOptions,
    cancel: Cancel,
    budget: Option<TokenBudget>,
) -> Result<Generation> {
    let (sink, events) = async_channel::bounded(EVENTS_WAITING_MAX);
    let messages = SharedMessages::default();
    let mut chat = Chat::new(
        inner,
        conversation,
        options,
        sink,
        (cancel.clone(), budget),
        messages.clone(),
    );
    thread::Builder::new()
        .name("lapidary-chat".into())
        .spawn(move || chat.run())
        .map_err(|error| Error::io("chat", "no thread can be started").with_source(error))?;
    Ok(Generation {
        events: Box::pin(events),
        messages,
        cancel,
    })
}

impl Generation {
    /// A handle that stops this chat from another thread.
    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// What the chat failed with.
    pub fn finish(mut self) -> Result<Reply> {
        let mut all = Collector::default();
        for event in self.by_ref() {
            all.push(&event?);
        }
        let (reason, usage) = all.finished.ok_or_else(crate::engine::stopped)?;
        let messages = self.messages();
        Ok(Reply {
            text: all.text,
            thought: all.thought,
            tool_calls: all.calls,
            messages,
            reason,
            usage,
        })
    }

    /// What the chat has added to its conversation so far: append it to ask further.
    pub fn messages(&self) -> Vec<Message> {
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Iterator for Generation {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.recv_blocking().ok()
    }
}

impl Stream for Generation {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.as_mut().poll_next(context)
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
