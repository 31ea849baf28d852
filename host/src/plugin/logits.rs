//! Logits processors: plugins that lean on the model's choice of tokens.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::abi::{self, LogitsAbi, LogitsSessionAbi};
use super::engine::Engines;
use super::grants::Grants;
use super::info::PluginInfo;
use super::interrupt::Interrupt;
use super::load::Candidate;
use super::metrics::PluginMetrics;
use super::policy::{OnFailure, is_failure};
use super::store::Sandbox;
use super::world::World;
use crate::error::{Error, Result};

/// A loaded logits processor. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct LogitsPlugin {
    inner: Arc<Inner>,
}

struct Inner {
    abi: Arc<dyn LogitsAbi>,
    sandbox: Sandbox,
    info: PluginInfo,
}

impl LogitsPlugin {
    /// Loads a component of the world `logits-processor`; `name` is how errors call it. It only computes: of
    /// `grants` its limits and what becomes of its failures matter.
    ///
    /// # Errors
    /// As [`Format::load`](super::Format::load).
    pub fn load(name: &str, bytes: &[u8], grants: &Grants, engines: &Engines) -> Result<Self> {
        let candidate = Candidate::read(name, bytes, engines)?;
        Self::admit(candidate.expect(World::LogitsProcessor)?, grants, engines)
    }

    pub(super) fn admit(
        candidate: Candidate<'_>,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<Self> {
        let (sandbox, component) = candidate.admit(grants, engines)?;
        let inner = Inner {
            abi: abi::logits(&sandbox, &component)?,
            sandbox,
            info: candidate.info,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What can be told of its bytes.
    pub fn info(&self) -> &PluginInfo {
        &self.inner.info
    }

    /// What it did and cost since it was loaded.
    pub fn metrics(&self) -> PluginMetrics {
        self.inner.sandbox.metrics()
    }

    /// A processor of one generation, in an instance of its own. `config`, a JSON object, is for the plugin.
    ///
    /// # Errors
    /// `Invalid` when it does not like its configuration, `Plugin` when it breaks or rests, `Cancelled`.
    pub fn session(&self, config: &Value, interrupt: &Interrupt) -> Result<LogitsSession> {
        let sandbox = &self.inner.sandbox;
        sandbox.awake(sandbox.health())?;
        let opened = self.inner.abi.open(sandbox, config, interrupt);
        if opened.is_err() {
            sandbox.remember(sandbox.health(), &opened);
        }
        Ok(LogitsSession {
            sandbox: sandbox.clone(),
            abi: Some(opened?),
            has_worked: false,
        })
    }

    /// Whether a generation goes on without it after `error`; the operator is told of it.
    pub(crate) fn is_bypassed(&self, error: &Error) -> bool {
        let sandbox = &self.inner.sandbox;
        let goes_on = sandbox.on_failure() == OnFailure::Bypass && is_failure(error);
        if goes_on {
            sandbox.bypassed(error);
        }
        goes_on
    }
}

impl fmt::Debug for LogitsPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogitsPlugin")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}

/// Leans on one generation. Ends with the first error: start another one then.
pub struct LogitsSession {
    sandbox: Sandbox,
    abi: Option<Box<dyn LogitsSessionAbi>>,
    has_worked: bool,
}

impl LogitsSession {
    /// Changes the `scores` of the next token, one for each of the vocabulary; `last` is the token before it.
    ///
    /// # Errors
    /// `Plugin` when the processor breaks, now or before; `Cancelled`. The scores are then as they were.
    pub fn step(&mut self, last: Option<u32>, scores: &mut Vec<f32>) -> Result<()> {
        let Some(abi) = self.abi.as_deref_mut() else {
            let detail = "expected a running processor, found one that ended; open another one";
            return Err(self.sandbox.fault(detail));
        };
        let outcome = abi.step(&self.sandbox, last, scores);
        self.has_worked = outcome.is_ok();
        if outcome.is_err() {
            self.abi = None;
            self.sandbox.remember(self.sandbox.health(), &outcome);
        }
        outcome
    }
}

/// Only a whole generation shows that a processor works: it may break late, and each time.
impl Drop for LogitsSession {
    fn drop(&mut self) {
        if self.has_worked {
            self.sandbox.remember(self.sandbox.health(), &Ok(()));
        }
    }
}

impl fmt::Debug for LogitsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogitsSession")
            .field("usable", &self.abi.is_some())
            .finish_non_exhaustive()
    }
}
