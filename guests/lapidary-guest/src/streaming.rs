//! Tools whose results arrive in pieces: the preview world `streaming-tool-provider`.

use std::future::Future;

use wit_bindgen::{StreamReader, StreamWriter, spawn_local};

use crate::bindings::streaming::exports::lapidary::plugin::streaming_tools::Piece;
use crate::bindings::streaming::wit_stream;
use crate::{Arguments, Error, Failure, Json, ToolCall, ToolDefinition, ToolTraits};

#[doc(hidden)]
pub type PieceReader = StreamReader<Piece>;

/// A tool that tells its result while it makes it, and may wait for several things at once. Exported with
/// [`export_streaming_tools!`](crate::export_streaming_tools). Its requests go through
/// [`concurrent_http`](crate::concurrent_http).
///
/// A preview: only hosts built with the feature `preview` take such a plugin.
///
/// ```
/// use lapidary_guest::{Failure, JsonSchema, Output, StreamingTool, export_streaming_tools, schemars};
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Count {
///     to: u32,
/// }
///
/// struct CountUp;
///
/// impl StreamingTool for CountUp {
///     type Arguments = Count;
///     const NAME: &str = "count_up";
///     const DESCRIPTION: &str = "Counts from one to a number.";
///
///     async fn call(count: Count, output: &mut Output) -> Result<(), Failure> {
///         for number in 1..=count.to {
///             output.write(format!("{number} ")).await;
///         }
///         Ok(())
///     }
/// }
///
/// export_streaming_tools!(CountUp);
/// # fn main() {}
/// ```
pub trait StreamingTool {
    /// The arguments, read from the call's JSON object.
    type Arguments: Arguments + 'static;
    /// The name that the model calls it by.
    const NAME: &'static str;
    /// What it does, written for the model.
    const DESCRIPTION: &'static str;

    /// The JSON Schema of the arguments.
    #[must_use]
    fn parameters() -> Json {
        Self::Arguments::schema()
    }

    /// What a host should know before it runs the tool.
    #[must_use]
    fn traits() -> ToolTraits {
        ToolTraits::empty()
    }

    /// Runs one call. What is written to `output` is the result.
    ///
    /// # Errors
    /// A failure that the model hears of, behind what was written. Its result has begun, so the operator
    /// hears of none.
    fn call(
        arguments: Self::Arguments,
        output: &mut Output,
    ) -> impl Future<Output = Result<(), Failure>>;
}

/// Where a call's result goes.
#[derive(Debug)]
pub struct Output(StreamWriter<Piece>);

impl Output {
    /// Hands over the next stretch; `false` when nobody wants more. Ready once the host has taken it.
    pub async fn write(&mut self, text: impl Into<String>) -> bool {
        self.hand_over(Piece::Text(text.into())).await
    }

    async fn hand_over(&mut self, piece: Piece) -> bool {
        self.0.write_one(piece).await.is_none()
    }
}

#[doc(hidden)]
#[must_use]
pub fn streaming_definition<T: StreamingTool>() -> ToolDefinition {
    ToolDefinition {
        name: T::NAME.to_owned(),
        description: T::DESCRIPTION.to_owned(),
        parameters: T::parameters(),
        response: None,
        traits: T::traits(),
    }
}

#[doc(hidden)]
#[must_use]
pub fn streaming_run<T: StreamingTool>(call: &ToolCall) -> PieceReader {
    let (writer, reader) = wit_stream::new();
    let arguments = serde_json::from_str(&call.arguments);
    spawn_local(async move {
        let mut output = Output(writer);
        let outcome = match arguments {
            Ok(arguments) => T::call(arguments, &mut output).await,
            Err(error) => Err(Failure::Model(format!("arguments of {}: {error}", T::NAME))),
        };
        if let Err(failure) = outcome {
            output.hand_over(Piece::Failed(told(failure))).await;
        }
    });
    reader
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::Model(message) | Failure::Operator(Error { message, .. }) => message,
    }
}

/// Exports tools as one component of the preview world `streaming-tool-provider`.
#[macro_export]
macro_rules! export_streaming_tools {
    ($($tool:ty),+ $(,)?) => {
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            struct Plugin;

            impl $crate::bindings::streaming::exports::lapidary::plugin::streaming_tools::Guest for Plugin {
                fn definitions() -> ::std::vec::Vec<$crate::ToolDefinition> {
                    ::std::vec![$($crate::streaming_definition::<$tool>()),+]
                }

                async fn call(
                    call: $crate::ToolCall,
                ) -> ::std::result::Result<$crate::PieceReader, $crate::Error> {
                    match call.name.as_str() {
                        $(name if name == <$tool as $crate::StreamingTool>::NAME => {
                            ::std::result::Result::Ok($crate::streaming_run::<$tool>(&call))
                        })+
                        _ => ::std::result::Result::Err($crate::unknown(&call)),
                    }
                }
            }

            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::streaming::export_streaming_tool_provider!(
                Plugin with_types_in $crate::bindings::streaming
            );
        };
    };
}
