//! Contract 0.1: generated bindings and the conversions to and from `chat`.

mod agent;
mod constraint;
mod convert;
mod events;
mod format;
mod handover;
mod imports;
mod inference;
mod logits;
#[cfg(feature = "preview")]
mod streaming;
mod tools;

pub(in crate::plugin) use agent::AgentV01;
pub(in crate::plugin) use format::FormatV01;
pub(in crate::plugin) use handover::adopt;
pub(in crate::plugin) use logits::LogitsV01;
#[cfg(feature = "preview")]
pub(in crate::plugin) use streaming::StreamingV01;
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
        imports: { "lapidary:plugin/http.send": async | trappable, default: trappable },
        exports: { default: async },
        with: {
            "lapidary:plugin/types": super::chat_format::lapidary::plugin::types,
            "lapidary:plugin/events": super::chat_format::lapidary::plugin::events,
        },
    });
}

/// Generated from `wit/`, world `agent`. Its imports are those of tools.
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod agent_world {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "agent",
        exports: { default: async },
        with: {
            "lapidary:plugin/types": super::chat_format::lapidary::plugin::types,
            "lapidary:plugin/events": super::chat_format::lapidary::plugin::events,
            "lapidary:plugin/log": super::tool_provider::lapidary::plugin::log,
            "lapidary:plugin/clock": super::tool_provider::lapidary::plugin::clock,
            "lapidary:plugin/config": super::tool_provider::lapidary::plugin::config,
            "lapidary:plugin/secrets": super::tool_provider::lapidary::plugin::secrets,
            "lapidary:plugin/key-value": super::tool_provider::lapidary::plugin::key_value,
            "lapidary:plugin/files": super::tool_provider::lapidary::plugin::files,
            "lapidary:plugin/http": super::tool_provider::lapidary::plugin::http,
            "lapidary:plugin/inference": super::tool_provider::lapidary::plugin::inference,
        },
    });
}

/// Generated from `wit/`, world `successor`.
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod successor {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "successor",
        exports: { default: async },
        with: { "lapidary:plugin/types": super::chat_format::lapidary::plugin::types },
    });
}

/// Generated from `wit/`, the preview world `streaming-tool-provider`. Its other imports are those of tools.
#[cfg(feature = "preview")]
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod streaming_world {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "streaming-tool-provider",
        imports: {
            "lapidary:plugin/concurrent-http.send": async | store | trappable,
            default: trappable,
        },
        exports: {
            "lapidary:plugin/streaming-tools.call": async | store,
            default: async,
        },
        with: {
            "lapidary:plugin/types": super::chat_format::lapidary::plugin::types,
            "lapidary:plugin/events": super::chat_format::lapidary::plugin::events,
            "lapidary:plugin/log": super::tool_provider::lapidary::plugin::log,
            "lapidary:plugin/clock": super::tool_provider::lapidary::plugin::clock,
            "lapidary:plugin/config": super::tool_provider::lapidary::plugin::config,
            "lapidary:plugin/secrets": super::tool_provider::lapidary::plugin::secrets,
            "lapidary:plugin/key-value": super::tool_provider::lapidary::plugin::key_value,
            "lapidary:plugin/files": super::tool_provider::lapidary::plugin::files,
            "lapidary:plugin/http": super::tool_provider::lapidary::plugin::http,
            "lapidary:plugin/inference": super::tool_provider::lapidary::plugin::inference,
        },
    });
}

/// Generated from `wit/`, world `logits-processor`.
#[allow(missing_docs, reason = "generated; wit/ documents every item")]
mod logits_world {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "logits-processor",
        imports: { default: trappable },
        with: {
            "lapidary:plugin/types": super::chat_format::lapidary::plugin::types,
            "lapidary:plugin/logits.view": super::logits::View,
        },
    });
}

use chat_format::exports::lapidary::plugin as exports;
use chat_format::lapidary::plugin::{events as wit_events, types as wit};
