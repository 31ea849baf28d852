//! Write plugins for the Lapidary runtime.
//!
//! A plugin is a WebAssembly component. This crate hides the component part: a tool is a type that
//! implements [`Tool`], a chat format [`ChatFormat`], an agent, which drives the host's model, [`Agent`], and a
//! logits processor [`LogitsProcessor`]; one macro line exports it. Build with `cargo build --release --target wasm32-unknown-unknown` and
//! `linker = "wasm-component-ld"` for that target in `.cargo/config.toml`; what comes out is a component.
//!
//! ```
//! use lapidary_guest::{JsonSchema, Tool, ToolResult, export_tool, schemars};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Words {
//!     /// The text whose words are counted.
//!     text: String,
//! }
//!
//! struct CountWords;
//!
//! impl Tool for CountWords {
//!     type Arguments = Words;
//!     const NAME: &str = "count_words";
//!     const DESCRIPTION: &str = "Counts the words of a text.";
//!
//!     fn call(words: Words) -> ToolResult {
//!         Ok(words.text.split_whitespace().count().to_string().into())
//!     }
//! }
//!
//! export_tool!(CountWords);
//! # fn main() {}
//! ```
//!
//! A plugin's import list is its request for capabilities: using [`clock`] asks for the clock, using
//! [`http`] for requests, and so do [`config`], [`secrets`], [`key_value`], [`files`] and [`inference`]; [`log`] is
//! there for every tool. A plugin that uses none imports no function. A tool plugin or an agent that keeps something
//! can take over from its older versions: [`Handover`].

mod agent;
#[doc(hidden)]
pub mod bindings;
mod content;
mod format;
mod handover;
mod logits;
#[cfg(feature = "schema")]
mod schema;
#[cfg(feature = "preview")]
mod streaming;
mod tool;

pub use agent::Agent;
#[doc(hidden)]
pub use agent::AgentComponent;
pub use bindings::format::exports::lapidary::plugin::constraint::{
    Answer, ConstrainRequest, Constrained, Grammar, ThoughtMarks, ToolChoice,
};
pub use bindings::format::exports::lapidary::plugin::format::Description;
pub use bindings::format::exports::lapidary::plugin::parser::{OpenRequest, TokenPiece};
pub use bindings::format::exports::lapidary::plugin::template::{
    Piece, PromptStyle, RenderRequest, Rendered,
};
pub use bindings::logits::lapidary::plugin::logits::{Scored, View as Logits};
#[cfg(feature = "preview")]
pub use bindings::streaming::lapidary::plugin::concurrent_http;
pub use bindings::tool::exports::lapidary::plugin::tools::ToolOutput;
pub use bindings::tool::lapidary::plugin::events::{
    CallDelta, CallEnd, CallStart, Event, Malformed, StopReason,
};
pub use bindings::tool::lapidary::plugin::inference::{GenerateRequest, Generated};
pub use bindings::tool::lapidary::plugin::types::{
    Content, Error, ErrorKind, Json, MediaKind, MediaRef, Message, Part, Role, Thinking, ToolCall,
    ToolDefinition, ToolTraits,
};
pub use bindings::tool::lapidary::plugin::{
    clock, config, files, http, inference, key_value, log, secrets,
};
pub use format::{ChatFormat, Parser};
#[doc(hidden)]
pub use format::{Component, Live};
pub use handover::Handover;
pub use logits::LogitsProcessor;
#[doc(hidden)]
pub use logits::{LiveProcessor, LogitsComponent};
#[cfg(feature = "schema")]
pub use schemars::{self, JsonSchema};
#[cfg(feature = "preview")]
pub use streaming::{Output, StreamingTool};
#[cfg(feature = "preview")]
#[doc(hidden)]
pub use streaming::{PieceReader, streaming_definition, streaming_run};
pub use tool::{Arguments, Failure, Tool, ToolResult};
#[doc(hidden)]
pub use tool::{definition, run, unknown};
