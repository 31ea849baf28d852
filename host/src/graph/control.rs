//! Stopping a graph that runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ort::session::RunOptions;

use super::library;
use crate::error::{Error, Result};

/// A handle to stop runs from another thread. Clones stop the same runs; once cancelled it stays so.
///
/// ONNX Runtime looks at it between two nodes of the graph.
#[derive(Clone, Default)]
pub struct RunControl {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    // Made by the first run, since nothing of ONNX Runtime may be touched before the library is there.
    options: OnceLock<RunOptions>,
}

impl RunControl {
    /// Stops the runs that use this handle, now and later.
    pub fn cancel(&self) {
        // The order matters: a run makes its options first and looks at the flag after.
        self.shared.cancelled.store(true, Ordering::SeqCst);
        if let Some(options) = self.shared.options.get() {
            // It only sets a flag and cannot fail; if it did, the run would end by itself.
            let _ = options.terminate();
        }
    }

    /// Whether [`RunControl::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// What one run needs, unless it was cancelled before.
    pub(super) fn options(&self, subject: impl FnOnce() -> String) -> Result<&RunOptions> {
        if self.shared.options.get().is_none() {
            library::environment()?;
            let options = RunOptions::new();
            let options = options.map_err(|cause| {
                Error::graph("run options", "cannot be made").with_source(cause)
            })?;
            self.shared.options.get_or_init(|| options);
        }
        match self.shared.options.get() {
            Some(options) if !self.is_cancelled() => Ok(options),
            Some(_) | None => Err(Error::cancelled(subject())),
        }
    }
}

impl fmt::Debug for RunControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunControl")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_cancelled_together_and_without_a_library() {
        let control = RunControl::default();
        let other = control.clone();
        assert!(!other.is_cancelled());
        control.cancel();
        assert!(other.is_cancelled());
    }

    #[test]
    fn a_handle_can_be_sent_and_shared() {
        fn check<T: Send + Sync>() {}
        check::<RunControl>();
    }
}
