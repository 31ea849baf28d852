//! Stopping a running guest from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops the guest calls it was handed to, from any thread.
///
/// Clones share one state. Once raised it stays raised: calls that run end within about a tick, later ones
/// at once, all with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// One that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every call that holds a clone.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether somebody raised it.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}
