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
use super::record::{Session, Steps};
use super::store::Sandbox;
use super::tape::{Asked, Tape};
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
        let sandbox = self.inner.sandbox.clone();
        sandbox.awake(sandbox.health())?;
        let values_max = sandbox.engines().limits().recorded_values_max;
        let is_recorded = sandbox.engines().recorder().is_some();
        let steps = is_recorded.then(|| Steps::new(config.clone(), values_max));
        let opened = self.inner.abi.open(&sandbox, config, interrupt);
        if opened.is_err() {
            sandbox.remember(sandbox.health(), &opened);
        }
        let mut session = LogitsSession {
            sandbox,
            abi: None,
            has_worked: false,
            steps,
        };
        session.abi = Some(opened.inspect_err(|error| session.tell(Some(error)))?);
        Ok(session)
    }

    /// Does a recorded generation again, step by step; `host` is what it was told at each.
    pub(super) fn replay(&self, session: &Session, host: Vec<Vec<Asked>>) -> Value {
        let sandbox = &self.inner.sandbox;
        let mut steps = Steps::again(session);
        let done = self.step_again(session, host, &mut steps);
        let outcome = done.as_ref().map(|()| steps.outcome());
        sandbox.line_with(steps.request(), steps.host(), outcome)
    }

    fn step_again(
        &self,
        session: &Session,
        host: Vec<Vec<Asked>>,
        steps: &mut Steps,
    ) -> Result<()> {
        let (sandbox, interrupt) = (&self.inner.sandbox, Interrupt::new());
        let mut abi = self.inner.abi.open(sandbox, &session.config, &interrupt)?;
        for (last, told) in session.last.iter().zip(host) {
            let tape = Tape::told(told);
            let outcome = abi.step(&sandbox.on_tape(&tape), *last, &mut Vec::new());
            steps.write(*last, &tape);
            outcome?;
        }
        Ok(())
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
    /// Only while somebody records.
    steps: Option<Steps>,
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
        let outcome = match &mut self.steps {
            Some(steps) => {
                let tape = Tape::blank();
                let outcome = abi.step(&self.sandbox.on_tape(&tape), last, scores);
                steps.write(last, &tape);
                outcome
            }
            None => abi.step(&self.sandbox, last, scores),
        };
        self.has_worked = outcome.is_ok();
        if let Err(error) = &outcome {
            self.abi = None;
            self.tell(Some(error));
            self.sandbox.remember(self.sandbox.health(), &outcome);
        }
        outcome
    }

    /// Tells the recorder, once, of a session that ended.
    fn tell(&mut self, error: Option<&Error>) {
        let recorder = self.sandbox.engines().recorder();
        if let (Some(steps), Some(recorder)) = (self.steps.take(), recorder) {
            let outcome = error.map_or_else(|| Ok(steps.outcome()), Err);
            let line = self
                .sandbox
                .line_with(steps.request(), steps.host(), outcome);
            recorder.take(line);
        }
    }
}

/// Only a whole generation shows that a processor works: it may break late, and each time.
impl Drop for LogitsSession {
    fn drop(&mut self) {
        self.tell(None);
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
