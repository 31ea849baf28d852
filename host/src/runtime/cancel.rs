//! Stopping a chat from outside.

use crate::graph::RunControl;
use crate::plugin::Interrupt;

/// Stops a chat: reaches the running graph and the running plugin. Any thread may use it.
#[derive(Clone, Debug)]
pub struct Cancel {
    pub(super) graphs: RunControl,
    pub(super) plugins: Interrupt,
}

impl Cancel {
    pub(super) fn new() -> Self {
        Self {
            graphs: RunControl::new(),
            plugins: Interrupt::new(),
        }
    }

    /// Stops the chat; its last event says `Cancelled`.
    pub fn cancel(&self) {
        self.graphs.cancel();
        self.plugins.raise();
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        self.graphs.is_cancelled()
    }
}
