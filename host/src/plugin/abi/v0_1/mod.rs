//! Contract 0.1: generated bindings and the conversions to and from `chat`.

mod constraint;
mod convert;
mod events;
mod format;
mod imports;
mod tools;

pub(in crate::plugin) use format::FormatV01;
pub(in crate::plugin) use tools::ToolsV01;

/// Generated from `wit/`, world `constrained-chat-format`; a `chat-format` lacks one export.
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod chat_format {
    wasmtime::component::bindgen!({ path: "../wit", world: "constrained-chat-format" });
}

/// Generated from `wit/`, world `tool-provider`.
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod tool_provider {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "tool-provider",
        with: { "lapidary:plugin/types": super::chat_format::lapidary::plugin::types },
    });
}

use chat_format::exports::lapidary::plugin as exports;
use chat_format::lapidary::plugin::{events as wit_events, types as wit};
