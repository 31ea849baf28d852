//! The calculator, Gemma 4's template and its parser through Extism's plug-in kit: the code of our own guests, with
//! JSON in and JSON out.

#[path = "../../../../../guests/tool-calculator/src/expression.rs"]
mod expression;
#[path = "../../../../../guests/tool-calculator/src/number.rs"]
mod number;

use std::cell::RefCell;

use extism_pdk::{Error, FnResult, plugin_fn};
use lapidary_guest::{
    Content, Event, Message, OpenRequest, Parser, Piece, PromptStyle, RenderRequest, Role,
    Thinking, TokenPiece,
};
use serde::{Deserialize, Serialize};

/// Nothing.
#[plugin_fn]
pub fn noop() -> FnResult<()> {
    Ok(())
}

#[derive(Deserialize)]
struct Sum {
    expression: String,
}

/// The tool's arguments to its answer.
#[plugin_fn]
pub fn calculator(arguments: String) -> FnResult<String> {
    let sum: Sum = serde_json::from_str(&arguments)?;
    let value = expression::evaluate(&sum.expression);
    Ok(number::shown(value.map_err(|_| Error::msg("expression"))?))
}

#[derive(Deserialize)]
struct Said {
    role: String,
    content: String,
}

impl From<Said> for Message {
    fn from(said: Said) -> Self {
        let role = match said.role.as_str() {
            "system" => Role::System,
            _ => Role::User,
        };
        Self {
            role,
            name: None,
            content: Some(Content::Text(said.content)),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    Control(String),
    Data(String),
    Media(u32),
}

impl From<Piece> for Shown {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Control(text) => Self::Control(text),
            Piece::Data(text) => Self::Data(text),
            Piece::Media(media) => Self::Media(media.index),
        }
    }
}

/// Messages to the pieces of a prompt.
#[plugin_fn]
pub fn render(messages: String) -> FnResult<String> {
    let messages: Vec<Said> = serde_json::from_str(&messages)?;
    let request = RenderRequest {
        messages: messages.into_iter().map(Message::from).collect(),
        tools: Vec::new(),
        thinking: Thinking::Off,
        preserve_thinking: false,
        add_generation_prompt: true,
        continue_final_message: false,
        style: PromptStyle::Small,
        extra: None,
    };
    let rendered = gemma4::render(&request).map_err(|_| Error::msg("render"))?;
    let pieces = rendered.pieces.into_iter().map(Shown::from);
    Ok(serde_json::to_string(&pieces.collect::<Vec<_>>())?)
}

thread_local! {
    static READER: RefCell<Option<gemma4::Reader>> = const { RefCell::new(None) };
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Text(String),
    Other,
}

/// The next piece of output to what it says; the first call opens the parser.
#[plugin_fn]
pub fn push(piece: String) -> FnResult<String> {
    let pieces = match piece.is_empty() {
        true => Vec::new(),
        false => vec![TokenPiece::Data(piece)],
    };
    let events = READER.with_borrow_mut(|reader| {
        let open = OpenRequest {
            prefix: Vec::new(),
            tools: Vec::new(),
        };
        let reader = reader.get_or_insert_with(|| gemma4::Reader::open(&open));
        reader.push(pieces).map_err(|_| Error::msg("push"))
    });
    let told = events?.into_iter().map(|event| match event {
        Event::Text(text) => Told::Text(text),
        _ => Told::Other,
    });
    Ok(serde_json::to_string(&told.collect::<Vec<_>>())?)
}
