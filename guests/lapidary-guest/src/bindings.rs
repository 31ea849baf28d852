//! What wit-bindgen makes of the contract: one world's bindings a module, the types shared.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::unwrap_used,
    clippy::uninlined_format_args,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

/// The world of tool plugins.
pub mod tool {
    wit_bindgen::generate!({
        world: "tool-provider",
        path: "../../wit",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_tool_provider",
        default_bindings_module: "lapidary_guest::bindings::tool",
        additional_derives: [PartialEq],
    });
}

/// The world of chat formats.
pub mod format {
    wit_bindgen::generate!({
        world: "constrained-chat-format",
        path: "../../wit",
        with: {
            "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types,
            "lapidary:plugin/events@0.1.0": crate::bindings::tool::lapidary::plugin::events,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_constrained_chat_format",
        default_bindings_module: "lapidary_guest::bindings::format",
        additional_derives: [PartialEq],
    });
}

/// The world of agents. Its imports are those of tools.
pub mod agent {
    wit_bindgen::generate!({
        world: "agent",
        path: "../../wit",
        with: {
            "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types,
            "lapidary:plugin/events@0.1.0": crate::bindings::tool::lapidary::plugin::events,
            "lapidary:plugin/log@0.1.0": crate::bindings::tool::lapidary::plugin::log,
            "lapidary:plugin/clock@0.1.0": crate::bindings::tool::lapidary::plugin::clock,
            "lapidary:plugin/config@0.1.0": crate::bindings::tool::lapidary::plugin::config,
            "lapidary:plugin/secrets@0.1.0": crate::bindings::tool::lapidary::plugin::secrets,
            "lapidary:plugin/key-value@0.1.0": crate::bindings::tool::lapidary::plugin::key_value,
            "lapidary:plugin/files@0.1.0": crate::bindings::tool::lapidary::plugin::files,
            "lapidary:plugin/http@0.1.0": crate::bindings::tool::lapidary::plugin::http,
            "lapidary:plugin/inference@0.1.0": crate::bindings::tool::lapidary::plugin::inference,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_agent_world",
        default_bindings_module: "lapidary_guest::bindings::agent",
        additional_derives: [PartialEq],
    });
}

/// The world of logits processors.
pub mod logits {
    wit_bindgen::generate!({
        world: "logits-processor",
        path: "../../wit",
        with: { "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_logits_processor",
        default_bindings_module: "lapidary_guest::bindings::logits",
        additional_derives: [PartialEq],
    });
}

/// What tools and agents export to take over from older versions.
pub mod successor {
    wit_bindgen::generate!({
        world: "successor",
        path: "../../wit",
        with: { "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_successor",
        default_bindings_module: "lapidary_guest::bindings::successor",
        additional_derives: [PartialEq],
    });
}

/// The preview world of tools with streamed results. Its other imports are those of tools.
#[cfg(feature = "preview")]
pub mod streaming {
    wit_bindgen::generate!({
        world: "streaming-tool-provider",
        path: "../../wit",
        features: ["streaming"],
        with: {
            "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types,
            "lapidary:plugin/events@0.1.0": crate::bindings::tool::lapidary::plugin::events,
            "lapidary:plugin/log@0.1.0": crate::bindings::tool::lapidary::plugin::log,
            "lapidary:plugin/clock@0.1.0": crate::bindings::tool::lapidary::plugin::clock,
            "lapidary:plugin/config@0.1.0": crate::bindings::tool::lapidary::plugin::config,
            "lapidary:plugin/secrets@0.1.0": crate::bindings::tool::lapidary::plugin::secrets,
            "lapidary:plugin/key-value@0.1.0": crate::bindings::tool::lapidary::plugin::key_value,
            "lapidary:plugin/files@0.1.0": crate::bindings::tool::lapidary::plugin::files,
            "lapidary:plugin/http@0.1.0": crate::bindings::tool::lapidary::plugin::http,
            "lapidary:plugin/inference@0.1.0": crate::bindings::tool::lapidary::plugin::inference,
        },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_streaming_tool_provider",
        default_bindings_module: "lapidary_guest::bindings::streaming",
        additional_derives: [PartialEq],
    });
}
