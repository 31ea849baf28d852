//! What a model may write, to and from the contract's types.

use super::{convert, events, exports};
use crate::chat::{ResponseFormat, ToolChoice};
use crate::error::{Error, Result};
use crate::plugin::exchange::{ConstrainRequest, Constrained, ThoughtMarks};
use crate::plugin::json;

use exports::constraint as contract;

pub(super) fn request(from: &ConstrainRequest<'_>) -> Result<contract::ConstrainRequest> {
    Ok(contract::ConstrainRequest {
        prefix: events::token_pieces(from.prefix),
        tools: convert::definitions(from.tools)?,
        tool_choice: tool_choice(from.tool_choice),
        strict: from.strict,
        answer: answer(from.response_format)?,
        thinking: convert::thinking(from.thinking),
    })
}

fn tool_choice(from: &ToolChoice) -> contract::ToolChoice {
    match from {
        ToolChoice::Auto => contract::ToolChoice::Auto,
        ToolChoice::None => contract::ToolChoice::None,
        ToolChoice::Required => contract::ToolChoice::Required,
        ToolChoice::Named(name) => contract::ToolChoice::Named(name.clone()),
    }
}

fn answer(from: &ResponseFormat) -> Result<contract::Answer> {
    Ok(match from {
        ResponseFormat::Text => contract::Answer::Text,
        ResponseFormat::JsonSchema(schema) => {
            let text = json::object_text(schema);
            let text = text.map_err(|reason| Error::invalid("response_format", reason))?;
            contract::Answer::JsonSchema(text)
        }
        ResponseFormat::Regex(pattern) => contract::Answer::Regex(pattern.clone()),
        ResponseFormat::Choice(texts) => contract::Answer::Choice(texts.clone()),
    })
}

/// About the bytes that a guest is told of the answer.
pub(super) fn answer_bytes(request: &contract::ConstrainRequest) -> usize {
    match &request.answer {
        contract::Answer::Text => 0,
        contract::Answer::JsonSchema(text) | contract::Answer::Regex(text) => text.len(),
        contract::Answer::Choice(texts) => texts.iter().map(String::len).sum(),
    }
}

pub(super) fn constrained(from: contract::Constrained) -> Constrained {
    Constrained {
        grammar: from.grammar.map(|grammar| (grammar.lark, grammar.after)),
        banned: from.banned,
        thought: from.thought.map(|marks| ThoughtMarks {
            open: marks.open,
            close: marks.close,
            is_open: marks.is_open,
        }),
    }
}
