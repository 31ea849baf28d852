//! Conversations, tools, requests and events: plain data, no I/O.

mod conversation;
mod event;
mod openai;
mod request;
mod speech;
mod tool;

pub use conversation::{Content, Conversation, Media, MediaKind, Message, Part, Role, VideoView};
pub use event::{Event, FinishReason, Logprob, TokenLogprob, Usage};
pub(crate) use request::check_choices;
pub use request::{ChatOptions, PromptStyle, ResponseFormat, Sampling, Thinking, ToolChoice};
pub use tool::{Approval, Fallback, ToolCall, ToolResult, ToolSpec, ToolTraits};
