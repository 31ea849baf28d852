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
        with: { "lapidary:plugin/types@0.1.0": crate::bindings::tool::lapidary::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_constrained_chat_format",
        default_bindings_module: "lapidary_guest::bindings::format",
        additional_derives: [PartialEq],
    });
}
