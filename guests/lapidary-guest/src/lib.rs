//! Write plugins for the Lapidary runtime.
//!
//! A plugin is a WebAssembly component. This crate hides the component part: a tool is a type that
//! implements [`Tool`], a chat format is a type that implements [`ChatFormat`], and one macro line
//! exports either. Build with `cargo build --release --target wasm32-unknown-unknown` and
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
//! there for every tool. A plugin that uses none imports no function.

#[doc(hidden)]
pub mod bindings;
mod content;
mod format;
#[cfg(feature = "schema")]
mod schema;
mod tool;

pub use bindings::format::exports::lapidary::plugin::constraint::{
    Answer, ConstrainRequest, Constrained, Grammar, ThoughtMarks, ToolChoice,
};
pub use bindings::format::exports::lapidary::plugin::format::Description;
pub use bindings::format::exports::lapidary::plugin::parser::{OpenRequest, TokenPiece};
pub use bindings::format::exports::lapidary::plugin::template::{
    Piece, PromptStyle, RenderRequest, Rendered,
};
pub use bindings::format::lapidary::plugin::events::{
    CallDelta, CallEnd, CallStart, Event, Malformed, StopReason,
};
pub use bindings::tool::exports::lapidary::plugin::tools::ToolOutput;
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
#[cfg(feature = "schema")]
pub use schemars::{self, JsonSchema};
pub use tool::{Arguments, Failure, Tool, ToolResult};
#[doc(hidden)]
pub use tool::{definition, run, unknown};
