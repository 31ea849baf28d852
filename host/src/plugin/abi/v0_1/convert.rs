//! Conversations, tools and errors, to and from the contract's types.

use super::wit;
use crate::chat::{
    Content, Conversation, Media, MediaKind, Message, Part, Role, Thinking, ToolCall, ToolSpec,
    ToolTraits,
};
use crate::error::{Error, ErrorKind, Result};
use crate::plugin::log::printable;
use crate::plugin::store::Sandbox;
use crate::plugin::{Check, json};

/// The guest's failure, as ours: whoever must act, with the plugin's stable code in the text.
pub(super) fn failure(sandbox: &Sandbox, error: wit::Error) -> Error {
    let kind = match error.kind {
        wit::ErrorKind::InvalidInput => ErrorKind::Invalid,
        wit::ErrorKind::Unsupported => ErrorKind::Unsupported,
        wit::ErrorKind::Cancelled
        | wit::ErrorKind::Denied
        | wit::ErrorKind::LimitExceeded
        | wit::ErrorKind::Unavailable
        | wit::ErrorKind::Internal => ErrorKind::Plugin,
    };
    let at = error.at.map_or_else(String::new, |at| format!(", at {at}"));
    let detail = format!("{} ({}{at})", error.message, error.code);
    Error::new(kind, sandbox.subject(), printable(&detail))
}

/// Every message, with its media numbered as [`Conversation::media`] counts them.
pub(super) fn messages(conversation: &Conversation) -> Result<Vec<wit::Message>> {
    let mut media = 0;
    let numbered = conversation.messages.iter().enumerate();
    numbered
        .map(|(index, from)| {
            message(from, &mut media)
                .map_err(|reason| Error::invalid(format!("message {index}"), reason))
        })
        .collect()
}

fn message(from: &Message, media: &mut u32) -> Check<wit::Message> {
    Ok(wit::Message {
        role: role(from.role),
        name: from.name.clone(),
        content: from
            .content
            .as_ref()
            .map(|content| content_to(content, media))
            .transpose()?,
        reasoning: from.reasoning.clone(),
        tool_calls: from
            .tool_calls
            .iter()
            .map(tool_call)
            .collect::<Check<_>>()?,
        tool_call_id: from.tool_call_id.clone(),
    })
}

fn role(from: Role) -> wit::Role {
    match from {
        Role::System => wit::Role::System,
        Role::Developer => wit::Role::Developer,
        Role::User => wit::Role::User,
        Role::Assistant => wit::Role::Assistant,
        Role::Tool => wit::Role::Tool,
    }
}

fn content_to(from: &Content, media: &mut u32) -> Check<wit::Content> {
    Ok(match from {
        Content::Text(text) => wit::Content::Text(text.clone()),
        Content::Parts(parts) => {
            wit::Content::Parts(parts.iter().map(|part| part_to(part, media)).collect())
        }
        Content::Structured(value) => wit::Content::Structured(json::object_text(value)?),
    })
}

fn part_to(from: &Part, media: &mut u32) -> wit::Part {
    match from {
        Part::Text(text) => wit::Part::Text(text.clone()),
        Part::Media(item) => {
            let index = *media;
            *media += 1;
            wit::Part::Media(wit::MediaRef {
                index,
                kind: media_kind(item.kind),
            })
        }
    }
}

pub(super) fn media_kind(from: MediaKind) -> wit::MediaKind {
    match from {
        MediaKind::Image => wit::MediaKind::Image,
        MediaKind::Audio => wit::MediaKind::Audio,
        MediaKind::Video => wit::MediaKind::Video,
    }
}

/// A call, whose arguments must be an object.
pub(super) fn tool_call(from: &ToolCall) -> Check<wit::ToolCall> {
    let arguments = json::object_text(&from.arguments)
        .map_err(|reason| format!("arguments of {}: {reason}", printable(&from.name)))?;
    Ok(wit::ToolCall {
        id: from.id.clone(),
        name: from.name.clone(),
        arguments,
    })
}

/// Tools as a guest is told of them.
pub(super) fn definitions(tools: &[ToolSpec]) -> Result<Vec<wit::ToolDefinition>> {
    let invalid =
        |tool: &ToolSpec, reason| Error::invalid(format!("tool \"{}\"", tool.name), reason);
    tools
        .iter()
        .map(|tool| definition(tool).map_err(|reason| invalid(tool, reason)))
        .collect()
}

fn definition(from: &ToolSpec) -> Check<wit::ToolDefinition> {
    Ok(wit::ToolDefinition {
        name: from.name.clone(),
        description: from.description.clone(),
        parameters: json::object_text(&from.parameters)?,
        response: from.response.as_ref().map(json::object_text).transpose()?,
        traits: traits_to(from.traits),
    })
}

fn traits_to(from: ToolTraits) -> wit::ToolTraits {
    use wit::ToolTraits as T;
    let flag = |set: bool, flag: T| if set { flag } else { T::empty() };
    flag(from.read_only, T::READ_ONLY)
        | flag(from.destructive, T::DESTRUCTIVE)
        | flag(from.idempotent, T::IDEMPOTENT)
        | flag(from.open_world, T::OPEN_WORLD)
        | flag(from.needs_approval, T::NEEDS_APPROVAL)
}

/// A tool that a plugin offers. The error says what is wrong with it.
pub(super) fn spec(from: wit::ToolDefinition) -> Check<ToolSpec> {
    let told =
        |what: &str, reason: String| format!("{what} of tool {}: {reason}", printable(&from.name));
    if from.name.is_empty() {
        return Err("expected a name for each tool, found an empty one".into());
    }
    let parameters = json::object(&from.parameters).map_err(|reason| told("parameters", reason))?;
    let response = from.response.as_deref().map(json::object).transpose();
    let response = response.map_err(|reason| told("response", reason))?;
    let traits = traits_from(from.traits);
    Ok(ToolSpec {
        name: from.name,
        description: from.description,
        parameters,
        response,
        traits,
    })
}

fn traits_from(from: wit::ToolTraits) -> ToolTraits {
    use wit::ToolTraits as T;
    ToolTraits {
        read_only: from.contains(T::READ_ONLY),
        destructive: from.contains(T::DESTRUCTIVE),
        idempotent: from.contains(T::IDEMPOTENT),
        open_world: from.contains(T::OPEN_WORLD),
        needs_approval: from.contains(T::NEEDS_APPROVAL),
    }
}

/// What a tool gave. Media cannot come from it: it has none.
pub(super) fn content_from(from: wit::Content) -> Check<Content> {
    content_with(from, &[])
}

/// What a guest says, its media handles looked up in those that it was given.
pub(super) fn content_with(from: wit::Content, media: &[Media]) -> Check<Content> {
    Ok(match from {
        wit::Content::Text(text) => Content::Text(text),
        wit::Content::Structured(text) => Content::Structured(json::object(&text)?),
        wit::Content::Parts(parts) => {
            let parts = parts.into_iter().map(|part| part_from(part, media));
            Content::Parts(parts.collect::<Check<_>>()?)
        }
    })
}

fn part_from(from: wit::Part, media: &[Media]) -> Check<Part> {
    match from {
        wit::Part::Text(text) => Ok(Part::Text(text)),
        wit::Part::Media(handle) => match media.get(handle.index as usize) {
            Some(item) if media_kind(item.kind) == handle.kind => Ok(Part::Media(item.clone())),
            Some(item) => Err(format!(
                "expected media {} to be {:?}, found {:?}",
                handle.index, item.kind, handle.kind
            )),
            None if media.is_empty() => Err(format!(
                "expected text, found media {}; the plugin was given no media to refer to",
                handle.index
            )),
            None => Err(format!(
                "expected one of {} media items, found media {}",
                media.len(),
                handle.index
            )),
        },
    }
}

/// A conversation that a guest made up, with the media that it was given.
pub(super) fn conversation(from: Vec<wit::Message>, media: &[Media]) -> Check<Conversation> {
    let messages = from.into_iter().map(|from| message_from(from, media));
    Ok(Conversation {
        messages: messages.collect::<Check<_>>()?,
    })
}

fn message_from(from: wit::Message, media: &[Media]) -> Check<Message> {
    let content = from.content.map(|content| content_with(content, media));
    let calls = from.tool_calls.into_iter().map(|call| {
        Ok(ToolCall {
            arguments: json::object(&call.arguments)?,
            id: call.id,
            name: call.name,
        })
    });
    Ok(Message {
        role: role_from(from.role),
        name: from.name,
        content: content.transpose()?,
        reasoning: from.reasoning,
        tool_calls: calls.collect::<Check<_>>()?,
        tool_call_id: from.tool_call_id,
    })
}

fn role_from(from: wit::Role) -> Role {
    match from {
        wit::Role::System => Role::System,
        wit::Role::Developer => Role::Developer,
        wit::Role::User => Role::User,
        wit::Role::Assistant => Role::Assistant,
        wit::Role::Tool => Role::Tool,
    }
}

pub(super) fn thinking(from: Thinking) -> wit::Thinking {
    match from {
        Thinking::Off => wit::Thinking::Off,
        Thinking::On => wit::Thinking::On,
        Thinking::Budget(tokens) => {
            wit::Thinking::Budget(u32::try_from(tokens).unwrap_or(u32::MAX))
        }
    }
}

/// About the bytes that a guest is told of the tools.
pub(super) fn tool_bytes(tools: &[wit::ToolDefinition]) -> usize {
    let one = |tool: &wit::ToolDefinition| {
        tool.name.len()
            + tool.description.len()
            + tool.parameters.len()
            + tool.response.as_ref().map_or(0, String::len)
    };
    tools.iter().map(one).sum()
}
