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
    outer: Option<Arc<Interrupt>>,
    depth: u32,
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
        let outer = || self.outer.as_ref().is_some_and(|outer| outer.is_raised());
        self.raised.load(Ordering::Acquire) || outer()
    }

    /// One for what a plugin's use of the model calls: raising this one raises it too, and not the other way.
    #[must_use]
    pub fn deeper(&self) -> Self {
        Self {
            raised: Arc::default(),
            outer: Some(Arc::new(self.clone())),
            depth: self.depth.saturating_add(1),
        }
    }

    /// How many uses of the model by plugins lie between the caller and here.
    pub fn depth(&self) -> u32 {
        self.depth
    }
}
