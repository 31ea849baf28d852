//! Plugins: WebAssembly components in a sandbox. The only module that knows `wasmtime`.
//!
//! A component is looked at before a line of it is compiled: [`World`] says what it is, [`Grants`] whether
//! it may have what it imports. Everything a guest does then happens in a store of its own, which ends with
//! the work it was made for: one prompt, one parsed sequence, one tool call. A store that trapped is dropped.
//!
//! What a guest may cost is bounded by [`Limits`](crate::Limits): time (epochs, one tick a millisecond),
//! fuel, memory, tables, copied bytes, calls of the host and log. [`Interrupt`] stops a running call from any
//! thread. What grants open is in `capability`, one set for each plugin.

mod abi;
mod admission;
mod agent;
mod bounds;
mod cache;
mod capability;
mod check;
mod engine;
mod exchange;
mod fiber;
mod format;
mod grants;
mod health;
mod inference;
mod info;
mod interrupt;
mod json;
mod load;
mod log;
mod logits;
mod metrics;
mod policy;
mod record;
mod shape;
mod signature;
mod store;
mod tape;
mod ticker;
mod tools;
#[cfg(feature = "http")]
mod wasi;
mod world;

pub use agent::AgentPlugin;
pub use check::{PluginCheck, check};
pub use engine::Engines;
pub(crate) use exchange::{ConstrainRequest, Constrained, ThoughtMarks};
pub use exchange::{FormatDescription, ParsedEvent, Piece, RenderRequest, Rendered, StopReason};
pub use format::{Format, Parser};
pub use grants::{Access, Grant, Grants, InferenceGrant, Reach};
pub use inference::{Inference, InferenceReply, InferenceRequest, TokenBudget};
pub use info::{PluginInfo, function_imports, inspect};
pub use interrupt::Interrupt;
pub use logits::{LogitsPlugin, LogitsSession};
pub use metrics::PluginMetrics;
pub use policy::OnFailure;
pub(crate) use record::Recorder;
pub use signature::{PluginKey, Signer};
pub use tools::ToolPlugin;
pub use world::World;

use self::load::Candidate;
use crate::error::Result;

/// A loaded component, by its world.
#[derive(Clone, Debug)]
pub enum Plugin {
    /// How a family of models speaks.
    Format(Format),
    /// Tools for the model.
    Tools(ToolPlugin),
    /// A program that drives the model.
    Agent(AgentPlugin),
    /// What leans on the choice of tokens.
    Logits(LogitsPlugin),
}

impl Plugin {
    /// Loads a component of any world; `name` is how errors call it.
    ///
    /// # Errors
    /// As [`Format::load`] and [`ToolPlugin::load`].
    pub fn load(name: &str, bytes: &[u8], grants: &Grants, engines: &Engines) -> Result<Self> {
        let candidate = Candidate::read(name, bytes, engines)?;
        match candidate.info.world {
            World::ChatFormat => Format::admit(candidate, engines).map(Self::Format),
            World::ToolProvider => ToolPlugin::admit(candidate, grants, engines).map(Self::Tools),
            World::Agent => AgentPlugin::admit(candidate, grants, engines).map(Self::Agent),
            World::LogitsProcessor => {
                LogitsPlugin::admit(candidate, grants, engines).map(Self::Logits)
            }
        }
    }
}

/// A check that does not know yet whom it is about: the error is the rest of the sentence.
type Check<T> = std::result::Result<T, String>;

fn subject(name: &str) -> String {
    format!("plugin \"{name}\"")
}
