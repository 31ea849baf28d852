//! Tool results: part of the model's turn that made the calls.

use super::argument::{self, Keys};
use super::fault::{invalid, parse_json};
use super::writer::Writer;
use crate::token;
use lapidary_guest::{Content, Error, Message, Part, ToolCall};
use serde_json::Value;

/// One result; `index` is its message's place in the request.
pub fn write(
    writer: &mut Writer,
    calls: &[ToolCall],
    result: &Message,
    index: usize,
) -> Result<(), Error> {
    writer.control("<|tool_response>response:");
    writer.data(tool_name(calls, result));
    writer.control("{");
    body(writer, result, index)?;
    writer.control("}");
    writer.control(token::RESPONSE_CLOSE);
    writer.open();
    media(writer, result);
    Ok(())
}

/// The call's name; where no call fits, the result's own.
fn tool_name<'a>(calls: &'a [ToolCall], result: &'a Message) -> &'a str {
    // Without ids everything fits: the last call wins, as in the reference.
    let id = result.tool_call_id.as_deref().unwrap_or_default();
    let called = calls
        .iter()
        .rev()
        .find(|call| call.id == id)
        .map(|call| call.name.as_str());
    let own = result.name.as_deref().filter(|name| !name.is_empty());
    called.or(own).unwrap_or("unknown")
}

fn body(writer: &mut Writer, result: &Message, index: usize) -> Result<(), Error> {
    if let Some(Content::Structured(json)) = &result.content {
        return structured(writer, json, index);
    }
    writer.control("value:");
    match &result.content {
        None => writer.control("null"),
        Some(Content::Text(text)) => argument::string(writer, text),
        Some(Content::Parts(parts)) => argument::string(writer, &joined(parts)),
        Some(Content::Structured(_)) => {}
    }
    Ok(())
}

fn structured(writer: &mut Writer, json: &str, index: usize) -> Result<(), Error> {
    let at = format!("/messages/{index}/content");
    let Value::Object(map) = parse_json(json, at.clone())? else {
        let message = "content: expected an object as structured content";
        return Err(invalid("structured-content", message).at(at));
    };
    argument::entries(writer, &map, Keys::Bare);
    Ok(())
}

fn joined(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Media(_) => None,
    });
    texts.collect()
}

/// Media stand behind the closed result.
fn media(writer: &mut Writer, result: &Message) {
    let Some(Content::Parts(parts)) = &result.content else {
        return;
    };
    for part in parts {
        if let Part::Media(media) = part {
            writer.media(*media);
        }
    }
}
