//! Stopping a chat or a generation from outside.

use crate::graph::RunControl;
use crate::plugin::Interrupt;

/// Stops a chat or a generation: reaches the running graph and the running plugin. Any thread may use it.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    pub(super) graphs: RunControl,
    pub(super) plugins: Interrupt,
}

impl Cancel {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops what it was given to; the reason to end is then `Cancelled`.
    pub fn cancel(&self) {
        self.graphs.cancel();
        self.plugins.raise();
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        // Not the graphs: a stop text ends those of its chat too.
        self.plugins.is_raised()
    }
}
