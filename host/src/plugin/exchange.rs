//! What goes to a format and comes back, independent of the contract's version.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::{Conversation, PromptStyle, ResponseFormat, Thinking, ToolChoice, ToolSpec};
use crate::text::TokenPiece;

/// A format's description of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatDescription {
    /// A name for people: `gemma4`.
    pub name: String,
    /// Every control token it writes or understands, as spelled.
    pub control_tokens: Vec<String>,
    /// Those of them that end a generation.
    pub stop_tokens: Vec<String>,
}

/// One prompt to render.
#[derive(Clone, Copy, Debug)]
pub struct RenderRequest<'a> {
    /// What was said.
    pub conversation: &'a Conversation,
    /// What the model may call.
    pub tools: &'a [ToolSpec],
    /// Whether it thinks first.
    pub thinking: Thinking,
    /// Keep the thoughts of earlier turns that called tools.
    pub preserve_thinking: bool,
    /// End with the opening of the model's turn.
    pub add_generation_prompt: bool,
    /// End inside the last message of the model, so that it goes on with it.
    pub continue_final_message: bool,
    /// How the model's size ends a prompt.
    pub style: PromptStyle,
    /// The format's own settings, a JSON object. [`Format::template`](super::Format::template) fills it in by
    /// itself.
    pub extra: Option<&'a str>,
}

impl<'a> RenderRequest<'a> {
    /// A prompt that asks for the next turn, with the defaults of everything else.
    pub fn new(conversation: &'a Conversation, tools: &'a [ToolSpec]) -> Self {
        Self {
            conversation,
            tools,
            thinking: Thinking::default(),
            preserve_thinking: false,
            add_generation_prompt: true,
            continue_final_message: false,
            style: PromptStyle::default(),
            extra: None,
        }
    }
}

/// A stretch of prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Piece {
    /// Written by the format: control tokens and the plain text around them.
    Control(String),
    /// From a message, a tool or a person: never a control token, whatever it spells.
    Data(String),
    /// The place of a media item, counted as [`Conversation::media`] counts.
    Media(usize),
}

/// A rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// In order.
    pub pieces: Vec<Piece>,
    /// Index into `pieces` of the model's open turn: what a [`Parser`](super::Parser) starts with.
    pub open_turn: usize,
}

/// What one generation has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConstrainRequest<'a> {
    /// The prompt's open turn.
    pub prefix: &'a [TokenPiece],
    /// What the model was told of.
    pub tools: &'a [ToolSpec],
    pub tool_choice: &'a ToolChoice,
    /// Arguments have to fit their tool's schema.
    pub strict: bool,
    pub response_format: &'a ResponseFormat,
    pub thinking: Thinking,
}

/// What holds for one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constrained {
    /// A grammar in Lark, and the control tokens behind which it holds; none of them: from the start.
    pub grammar: Option<(String, Vec<String>)>,
    /// Control tokens that never come.
    pub banned: Vec<String>,
    /// How a thought stands in the output; `None` for formats without thoughts.
    pub thought: Option<ThoughtMarks>,
}

/// The control tokens around a thought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ThoughtMarks {
    pub open: String,
    pub close: String,
    /// The prompt ends inside a thought.
    pub is_open: bool,
}

/// What a stretch of output means.
#[derive(Clone, Debug, PartialEq)]
pub enum ParsedEvent {
    /// More of the answer.
    Text(String),
    /// More of what the model thinks.
    Thought(String),
    /// A call begins.
    CallStart {
        /// Counts the calls of this generation from 0.
        index: usize,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments.
    CallDelta {
        /// Which call.
        index: usize,
        /// The next stretch of the arguments' JSON text.
        json: String,
    },
    /// A call is complete.
    CallEnd {
        /// Which call.
        index: usize,
        /// The tool's name.
        name: String,
        /// A JSON object.
        arguments: Value,
    },
    /// The model broke the format.
    Malformed {
        /// What it wrote, control tokens spelled out.
        raw: String,
        /// Stable and documented by the format.
        code: String,
        /// One sentence for a person.
        message: String,
    },
}

impl ParsedEvent {
    /// What it takes of memory, so that empty ones take some too.
    pub(super) fn bytes(&self) -> usize {
        let held = match self {
            Self::Text(text) | Self::Thought(text) => text.len(),
            Self::CallStart { name, .. } => name.len(),
            Self::CallDelta { json, .. } => json.len(),
            Self::CallEnd {
                name, arguments, ..
            } => name.len() + arguments.to_string().len(),
            Self::Malformed { raw, code, message } => raw.len() + code.len() + message.len(),
        };
        held + size_of::<Self>()
    }

    /// `{"type":"text","text":…}` and its like.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Thought(text) => json!({"type": "thought", "text": text}),
            Self::CallStart { index, name } => {
                json!({"type": "call-start", "index": index, "name": name})
            }
            Self::CallDelta { index, json } => {
                json!({"type": "call-delta", "index": index, "json_delta": json})
            }
            Self::CallEnd {
                index,
                name,
                arguments,
            } => {
                json!({"type": "tool-call", "index": index, "name": name, "arguments": arguments})
            }
            Self::Malformed { raw, code, message } => {
                json!({"type": "malformed", "raw": raw, "code": code, "message": message})
            }
        }
    }
}

/// Why the output of one generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The model closed its turn.
    EndOfTurn,
    /// No more tokens were allowed.
    Length,
    /// A stop text of the caller appeared.
    Stop,
    /// It was cancelled.
    Cancelled,
}
