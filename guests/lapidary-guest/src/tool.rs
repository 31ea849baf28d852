//! Tools: what a model may call.

use crate::{Content, Error, ErrorKind, Json, ToolCall, ToolDefinition, ToolOutput, ToolTraits};
use serde::de::DeserializeOwned;

/// What a call gives: content for the model, or why there is none.
pub type ToolResult = Result<Content, Failure>;

/// A tool that the model may call. Exported with [`export_tool!`](crate::export_tool).
pub trait Tool {
    /// The arguments, read from the call's JSON object.
    type Arguments: Arguments;
    /// The name that the model calls it by.
    const NAME: &'static str;
    /// What it does, written for the model.
    const DESCRIPTION: &'static str;

    /// The JSON Schema of the arguments.
    #[must_use]
    fn parameters() -> Json {
        Self::Arguments::schema()
    }

    /// The JSON Schema of the result, where the tool states one.
    #[must_use]
    fn response() -> Option<Json> {
        None
    }

    /// What a host should know before it runs the tool.
    #[must_use]
    fn traits() -> ToolTraits {
        ToolTraits::empty()
    }

    /// Runs one call.
    ///
    /// # Errors
    /// [`Failure::Model`] for what the model should hear of and may mend, [`Failure::Operator`] for
    /// what it cannot.
    fn call(arguments: Self::Arguments) -> ToolResult;
}

/// Typed arguments with a schema.
///
/// With the feature `schema` every `Deserialize + JsonSchema` type is one. Without it, write the
/// schema by hand:
///
/// ```
/// # #[cfg(not(feature = "schema"))] {
/// #[derive(serde::Deserialize)]
/// struct City {
///     city: String,
/// }
///
/// impl lapidary_guest::Arguments for City {
///     fn schema() -> String {
///         r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#.into()
///     }
/// }
/// # }
/// ```
pub trait Arguments: DeserializeOwned {
    /// A JSON Schema of type object.
    fn schema() -> Json;
}

/// Why a call gave nothing.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The model hears this sentence and may try again.
    Model(String),
    /// The operator hears this; the call ends.
    Operator(Error),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Model(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Model(message.to_owned())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Operator(error)
    }
}

#[doc(hidden)]
#[must_use]
pub fn definition<T: Tool>() -> ToolDefinition {
    ToolDefinition {
        name: T::NAME.to_owned(),
        description: T::DESCRIPTION.to_owned(),
        parameters: T::parameters(),
        response: T::response(),
        traits: T::traits(),
    }
}

#[doc(hidden)]
pub fn run<T: Tool>(call: &ToolCall) -> Result<ToolOutput, Error> {
    let outcome = match serde_json::from_str(&call.arguments) {
        Ok(arguments) => T::call(arguments),
        Err(error) => Err(Failure::Model(format!("arguments of {}: {error}", T::NAME))),
    };
    match outcome {
        Ok(content) => Ok(ToolOutput {
            content,
            is_error: false,
        }),
        Err(Failure::Model(message)) => Ok(ToolOutput {
            content: Content::Text(message),
            is_error: true,
        }),
        Err(Failure::Operator(error)) => Err(error),
    }
}

#[doc(hidden)]
#[must_use]
pub fn unknown(call: &ToolCall) -> Error {
    let message = format!(
        "call \"{}\": expected one of this plugin's tools",
        call.name
    );
    Error::new(ErrorKind::InvalidInput, "tool.unknown", message)
}

/// Exports one tool as a component of world `tool-provider`; with `; adopt = Type` one that takes over from its older
/// versions, as [`Handover`](crate::Handover) says.
#[macro_export]
macro_rules! export_tool {
    ($tool:ty $(,)? $(; adopt = $heir:ty)?) => {
        $crate::export_tools!($tool $(; adopt = $heir)?);
    };
}

/// Exports several tools as one component of world `tool-provider`; with `; adopt = Type` at the end one that takes
/// over from its older versions, as [`Handover`](crate::Handover) says.
#[macro_export]
macro_rules! export_tools {
    ($($tool:ty),+ $(,)? $(; adopt = $heir:ty)?) => {
        $($crate::export_handover!($heir);)?
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            struct Plugin;

            impl $crate::bindings::tool::exports::lapidary::plugin::tools::Guest for Plugin {
                fn definitions() -> ::std::vec::Vec<$crate::ToolDefinition> {
                    ::std::vec![$($crate::definition::<$tool>()),+]
                }

                fn call(call: $crate::ToolCall) -> ::std::result::Result<$crate::ToolOutput, $crate::Error> {
                    match call.name.as_str() {
                        $(name if name == <$tool as $crate::Tool>::NAME => $crate::run::<$tool>(&call),)+
                        _ => ::std::result::Result::Err($crate::unknown(&call)),
                    }
                }
            }

            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::tool::export_tool_provider!(Plugin with_types_in $crate::bindings::tool);
        };
    };
}
