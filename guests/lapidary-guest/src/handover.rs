//! What a new version makes of what an older one kept.

use crate::Error;

/// A tool plugin or an agent that takes over from its older versions. Named behind `adopt` where the plugin is
/// exported; without it a new version goes on with what is there.
///
/// ```
/// use lapidary_guest::{
///     Error, Handover, Tool, ToolResult, export_tool, key_value, schemars, JsonSchema,
/// };
///
/// #[derive(serde::Deserialize, JsonSchema)]
/// struct Note {
///     text: String,
/// }
///
/// /// Keeps notes, since version 2 with their number in front.
/// struct Notes;
///
/// impl Tool for Notes {
///     type Arguments = Note;
///     const NAME: &str = "keep_note";
///     const DESCRIPTION: &str = "Keeps a note.";
///
///     fn call(note: Note) -> ToolResult {
///         let count = key_value::keys()?.len();
///         key_value::set(&format!("note/{count}"), note.text.as_bytes())?;
///         Ok("kept".into())
///     }
/// }
///
/// impl Handover for Notes {
///     fn adopt(_older: String) -> Result<(), Error> {
///         let old = key_value::keys()?.into_iter().filter(|key| !key.starts_with("note/"));
///         for (number, key) in old.enumerate() {
///             let text = key_value::get(&key)?.unwrap_or_default();
///             key_value::set(&format!("note/{number}"), &text)?;
///             key_value::delete(&key)?;
///         }
///         Ok(())
///     }
/// }
///
/// export_tool!(Notes; adopt = Notes);
/// # fn main() {}
/// ```
pub trait Handover {
    /// Makes of what `key_value` holds, a copy of what the older version kept, what this version expects to find.
    /// Called once, before anything else; `older` is the digest of the version before.
    ///
    /// # Errors
    /// Whatever stands against it: then the older version stays, and all that it kept.
    fn adopt(older: String) -> Result<(), Error>;
}

/// Exports a handover beside the plugin's world.
#[doc(hidden)]
#[macro_export]
macro_rules! export_handover {
    ($heir:ty) => {
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            struct Heir;

            impl $crate::bindings::successor::exports::lapidary::plugin::handover::Guest for Heir {
                fn adopt(older: ::std::string::String) -> ::std::result::Result<(), $crate::Error> {
                    <$heir as $crate::Handover>::adopt(older)
                }
            }

            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::successor::export_successor!(
                Heir with_types_in $crate::bindings::successor
            );
        };
    };
}
