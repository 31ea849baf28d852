//! The threads that wait for the network, so that a guest's own thread can be called away from it.

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

use crate::error::{Error, Result};

/// Requests under way at once, of all plugins; further ones wait for their turn.
const REQUESTS_MAX: usize = 64;

/// Those of one pair of engines.
pub(in crate::plugin) struct Io {
    // Taken when it ends.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Io {
    pub(in crate::plugin) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(REQUESTS_MAX)
            .thread_name("lapidary-network")
            .enable_all()
            .build()
            .map_err(|source| {
                Error::io("plugins' network", "cannot start its threads").with_source(source)
            })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(in crate::plugin) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What waits on this thread while the guard lives may use the network and its clock.
    pub(in crate::plugin) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nobody waits for what is still under way: it ends by its own timeouts.
            runtime.shutdown_background();
        }
    }
}
