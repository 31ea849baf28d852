//! What a generation tells its caller, as it happens.

use serde::Serialize;

use super::tool::{ToolCall, ToolResult};

/// One thing that happened in a chat.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// More of what the model thinks.
    Thought {
        /// The next stretch.
        text: String,
    },
    /// More of the answer.
    Text {
        /// The next stretch.
        text: String,
    },
    /// More of a call's arguments, before the call is complete.
    ToolCallDelta {
        /// Counts the calls of this chat from 0.
        index: usize,
        /// The tool's name.
        name: String,
        /// The next stretch of the arguments' JSON text.
        json_delta: String,
    },
    /// The model called a tool.
    ToolCall(ToolCall),
    /// More of a tool's result, before it is whole. Only tools whose results are streams tell any.
    ToolResultDelta {
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
        /// The next stretch.
        text: String,
    },
    /// The tool answered.
    ToolResult(ToolResult),
    /// The model broke its format; nothing of what it wrote is lost.
    Malformed {
        /// What it wrote, control tokens spelled out.
        raw: String,
        /// Stable and documented by the format.
        code: String,
        /// One sentence for a person.
        message: String,
    },
    /// How likely the next token was; before the events that it completes. Only when asked for.
    Logprob(TokenLogprob),
    /// The chat is over. Always the last event.
    Finished {
        /// Why.
        reason: FinishReason,
        /// What it cost.
        usage: Usage,
    },
}

/// How likely a generated token was: natural logarithms of the probabilities that the model gave, before
/// temperature and every filter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// The token that was chosen.
    #[serde(flatten)]
    pub chosen: Logprob,
    /// The likeliest tokens, likeliest first.
    pub top: Vec<Logprob>,
}

/// One token and its log-probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logprob {
    /// Its id.
    pub id: u32,
    /// Its text; a control token as spelled, U+FFFD for part of a character.
    pub token: String,
    /// At most 0.
    pub logprob: f32,
}

/// Why a chat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model closed its turn.
    EndOfTurn,
    /// No more tokens were allowed.
    Length,
    /// The model called a tool that the caller must run.
    ToolCall,
    /// A stop text appeared.
    Stop,
    /// It was cancelled.
    Cancelled,
}

/// What a chat cost, all its tool rounds together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Tokens of the last prompt.
    pub prompt_tokens: usize,
    /// Prompt tokens whose keys and values were still held.
    pub cached_tokens: usize,
    /// Generated tokens that were thought.
    pub thought_tokens: usize,
    /// All generated tokens.
    pub output_tokens: usize,
    /// Milliseconds from a prompt to its first logits, encoders included.
    pub prefill_ms: f64,
    /// Milliseconds of all further steps.
    pub decode_ms: f64,
    /// The part of `decode_ms` inside ONNX Runtime.
    pub graph_ms: f64,
    /// The part of `decode_ms` that waited for what may come next.
    pub constraint_ms: f64,
    /// What ran the graphs: `cpu`, `cuda:0`.
    pub provider: String,
    /// Plugins that it went on without because they failed or rested: a chat format that another stood in for,
    /// logits processors that were left out.
    pub bypassed: Vec<String>,
}
