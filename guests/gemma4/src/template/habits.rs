//! Conversations as clients keep them, put the way the model speaks.
//!
//! The reference template renders two of their habits as no model ever wrote them: what an assistant said before
//! its calls comes behind the results and ends the turn, and calls that nobody answered leave a response open in
//! the middle of the conversation.

use super::{python, thinking};
use lapidary_guest::{Content, Error, Message, Part, RenderRequest, Role};
use std::borrow::Cow;

/// The messages to render, and where each comes from.
pub struct Settled<'a> {
    /// In order.
    pub messages: Cow<'a, [Message]>,
    /// For each message, its index in the request.
    origins: Vec<usize>,
}

impl Settled<'_> {
    /// The error, pointing into the request.
    pub fn placed(&self, mut error: Error) -> Error {
        let place = error.at.as_deref().and_then(|at| self.origin(at));
        error.at = place.or(error.at);
        error
    }

    fn origin(&self, at: &str) -> Option<String> {
        let rest = at.strip_prefix("/messages/")?;
        let (index, rest) = rest.split_once('/')?;
        let origin = self.origins.get(index.parse::<usize>().ok()?)?;
        Some(format!("/messages/{origin}/{rest}"))
    }
}

/// Puts what an assistant said before its calls into a message of its own, and answers calls that the
/// conversation went on without by `null`.
///
/// Calls that wait at the end are left to wait, and a message that is to be continued is left whole.
pub fn settled<'a>(messages: &'a [Message], request: &RenderRequest) -> Settled<'a> {
    if !messages.iter().any(is_caller) {
        let origins = (0..messages.len()).collect();
        return Settled {
            messages: Cow::Borrowed(messages),
            origins,
        };
    }
    let last_user = messages
        .iter()
        .rposition(|message| message.role == Role::User);
    let mut list = Vec::with_capacity(messages.len() + 2);
    for (index, message) in messages.iter().enumerate() {
        let next = messages.get(index + 1);
        let continued = next.is_none() && request.continue_final_message;
        if is_caller(message) && says_something(message) && !continued {
            let past = last_user.is_some_and(|last| index < last);
            list.extend(
                split(message, past && request.preserve_thinking).map(|part| (index, part)),
            );
        } else {
            list.push((index, message.clone()));
        }
        if is_caller(message) && next.is_some_and(|next| next.role != Role::Tool) {
            let answers = message
                .tool_calls
                .iter()
                .map(|call| null_result(&call.id, &call.name));
            list.extend(answers.map(|answer| (index, answer)));
        }
    }
    let (origins, messages) = list.into_iter().unzip();
    Settled {
        messages: Cow::Owned(messages),
        origins,
    }
}

fn is_caller(message: &Message) -> bool {
    message.role == Role::Assistant && !message.tool_calls.is_empty()
}

fn says_something(message: &Message) -> bool {
    match &message.content {
        Some(Content::Text(text)) => is_said(text),
        Some(Content::Parts(parts)) => parts.iter().any(|part| match part {
            Part::Text(text) => is_said(text),
            Part::Media(_) => true,
        }),
        Some(Content::Structured(_)) | None => false,
    }
}

fn is_said(text: &str) -> bool {
    !python::trim(&thinking::strip(text)).is_empty()
}

/// What was said, then the calls. The thought comes first, unless only the calls keep it.
fn split(message: &Message, thought_with_calls: bool) -> [Message; 2] {
    let mut said = Message {
        tool_calls: Vec::new(),
        ..message.clone()
    };
    let mut calls = Message {
        content: None,
        ..message.clone()
    };
    if thought_with_calls {
        said.reasoning = None;
    } else {
        calls.reasoning = None;
    }
    [said, calls]
}

fn null_result(id: &str, name: &str) -> Message {
    Message {
        role: Role::Tool,
        name: Some(name.to_owned()),
        content: None,
        reasoning: None,
        tool_calls: Vec::new(),
        tool_call_id: (!id.is_empty()).then(|| id.to_owned()),
    }
}
