//! What a generation may be, as a grammar in Gemma's own syntax.
//!
//! Thoughts stand in a channel, calls between their markers, strings between `<|"|>`, keys are bare and in
//! the template's order. A marker in a grammar is the token; text never matches one.

mod answer;
mod arguments;
mod fault;
mod keys;
mod lark;
mod merge;
mod object;
mod pattern;
mod scalar;
mod schema;

use crate::token;
use fault::refuse;
use lapidary_guest::{
    Answer, ConstrainRequest, Constrained, Error, Grammar, Thinking, ThoughtMarks, TokenPiece,
    ToolChoice, ToolDefinition,
};
use lark::Lark;

/// What holds for one generation.
///
/// # Errors
/// A tool that is not there, and schemas that no grammar can express, with a code of the README.
pub fn constrain(request: &ConstrainRequest) -> Result<Constrained, Error> {
    let is_open = ends_in_thought(&request.prefix);
    let tools = called(request)?;
    let banned = match request.tool_choice {
        ToolChoice::None => vec![token::CALL_OPEN.to_owned()],
        ToolChoice::Auto | ToolChoice::Required | ToolChoice::Named(_) => Vec::new(),
    };
    Ok(Constrained {
        grammar: grammar(request, &tools, is_open)?,
        banned,
        thought: Some(ThoughtMarks {
            open: token::CHANNEL_OPEN.to_owned(),
            close: token::CHANNEL_CLOSE.to_owned(),
            is_open,
        }),
    })
}

/// The tools that may be called.
fn called(request: &ConstrainRequest) -> Result<Vec<&ToolDefinition>, Error> {
    let tools = request.tools.iter();
    match &request.tool_choice {
        ToolChoice::None => Ok(Vec::new()),
        ToolChoice::Auto => Ok(tools.collect()),
        ToolChoice::Required if request.tools.is_empty() => Err(refuse(
            "no-tools",
            "tool_choice: expected at least one tool for a required call, found none",
        )),
        ToolChoice::Required => Ok(tools.collect()),
        ToolChoice::Named(name) => {
            let named: Vec<_> = tools.filter(|tool| tool.name == *name).collect();
            if named.is_empty() {
                let message = format!("tool_choice: expected the name of a tool, found {name:?}");
                return Err(refuse("unknown-tool", &message));
            }
            Ok(named)
        }
    }
}

/// Whether a channel was opened and not closed.
fn ends_in_thought(prefix: &[TokenPiece]) -> bool {
    let markers = prefix.iter().rev().filter_map(|piece| match piece {
        TokenPiece::Control(spelling) => Some(spelling.as_str()),
        TokenPiece::Data(_) => None,
    });
    let mut channels =
        markers.filter(|marker| matches!(*marker, token::CHANNEL_OPEN | token::CHANNEL_CLOSE));
    channels.next() == Some(token::CHANNEL_OPEN)
}

fn grammar(
    request: &ConstrainRequest,
    tools: &[&ToolDefinition],
    is_open: bool,
) -> Result<Option<Grammar>, Error> {
    let must_call = matches!(
        request.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_)
    );
    let mut lark = Lark::default();
    if !must_call && matches!(request.answer, Answer::Text) {
        if !request.strict || tools.is_empty() {
            return Ok(None);
        }
        let call = arguments::calls(&mut lark, tools, request.strict)?;
        return Ok(Some(Grammar {
            lark: lark.finish(&call),
            after: vec![token::CALL_OPEN.to_owned()],
        }));
    }
    let mut endings = Vec::new();
    if !tools.is_empty() {
        let call = arguments::calls(&mut lark, tools, request.strict)?;
        let opener = token::CALL_OPEN;
        endings.push(format!("({opener} {call})+ ({})", stops()));
    }
    if !must_call {
        let answer = answer::write(&mut lark, &request.answer)?;
        endings.push(format!("{answer} ({})", stops()));
    }
    let ending = lark.rule(&endings.join(" | "));
    let start = format!("{} {ending}", thought(request.thinking, is_open));
    Ok(Some(Grammar {
        lark: lark.finish(&start),
        after: Vec::new(),
    }))
}

/// What comes before calls and answer: a thought, or the end of one. The host fills it.
fn thought(thinking: Thinking, is_open: bool) -> String {
    let (open, close) = (token::CHANNEL_OPEN, token::CHANNEL_CLOSE);
    match thinking {
        _ if is_open => close.to_owned(),
        Thinking::Off => String::new(),
        Thinking::On | Thinking::Budget(_) => format!("({open} {close})?"),
    }
}

/// What ends a generation.
fn stops() -> String {
    token::STOPS.join(" | ")
}
