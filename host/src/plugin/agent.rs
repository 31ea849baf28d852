//! Agents: plugins that drive the host's model.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component::Component;

use super::abi::{self, AgentAbi};
use super::engine::Engines;
use super::grants::Grants;
use super::info::PluginInfo;
use super::interrupt::Interrupt;
use super::load::Candidate;
use super::metrics::PluginMetrics;
use super::policy::is_failure;
use super::record;
use super::store::Sandbox;
use super::tape::Tape;
use super::world::World;
use crate::chat::{Content, Conversation, Fallback};
use crate::error::{Error, Result};

/// A loaded agent. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct AgentPlugin {
    inner: Arc<Inner>,
}

struct Inner {
    abi: Arc<dyn AgentAbi>,
    sandbox: Sandbox,
    component: Component,
    info: PluginInfo,
}

impl AgentPlugin {
    /// Loads a component of the world `agent`; `name` is how errors call it. What it may use of the model is
    /// in `grants`, and which model that is, [`Engines::provide`] says.
    ///
    /// # Errors
    /// As [`ToolPlugin::load`](super::ToolPlugin::load).
    pub fn load(name: &str, bytes: &[u8], grants: &Grants, engines: &Engines) -> Result<Self> {
        let candidate = Candidate::read(name, bytes, engines)?;
        Self::admit(candidate.expect(World::Agent)?, grants, engines)
    }

    /// Loads a new version of this agent, under its name; what was kept is handed over as
    /// [`ToolPlugin::successor`](super::ToolPlugin::successor) says.
    ///
    /// # Errors
    /// As there.
    pub fn successor(&self, bytes: &[u8], grants: &Grants) -> Result<Self> {
        let engines = self.inner.sandbox.engines();
        let candidate = Candidate::read(&self.info().name, bytes, engines)?;
        let candidate = candidate.expect(World::Agent)?;
        let new = Self::admit_after(Some(self.info()), candidate, grants, engines)?;
        new.resume()?;
        Ok(new)
    }

    /// Makes what this version kept the agent's again, when its successor is given up.
    ///
    /// # Errors
    /// `Io` when the file of the grant cannot be written; nothing has changed then.
    pub fn resume(&self) -> Result<()> {
        self.inner.sandbox.keep()
    }

    pub(super) fn admit(
        candidate: Candidate<'_>,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<Self> {
        Self::admit_after(None, candidate, grants, engines)
    }

    fn admit_after(
        old: Option<&PluginInfo>,
        candidate: Candidate<'_>,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<Self> {
        let (sandbox, component) = candidate.admit_after(old, grants, engines)?;
        let inner = Inner {
            abi: abi::agent(&sandbox, &component)?,
            sandbox,
            component,
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

    /// Lets it do what the conversation asks for, in an instance of its own. Where it breaks, rests or reaches a
    /// limit, its fallback answers, if it has one; the log tells of it, and [`PluginMetrics::bypassed`] counts it.
    ///
    /// # Errors
    /// `Invalid` and `Unsupported` as the plugin says, `Plugin` when it breaks, `Limit("plugin_calls_max")`,
    /// `Cancelled`.
    pub fn run(&self, conversation: &Conversation, interrupt: &Interrupt) -> Result<Content> {
        let sandbox = &self.inner.sandbox;
        let outcome = sandbox.guarded(|| {
            let ask = |sandbox: &Sandbox| self.inner.abi.run(sandbox, conversation, interrupt);
            sandbox.recorded(|| record::run(conversation), ask, record::content)
        });
        match outcome {
            Err(error) if is_failure(&error) => self.instead(error),
            outcome => outcome,
        }
    }

    /// What answers a run that failed, where the operator said so.
    fn instead(&self, error: Error) -> Result<Content> {
        let sandbox = &self.inner.sandbox;
        let Some(answer) = sandbox.fallback().and_then(Fallback::said) else {
            return Err(error);
        };
        sandbox.bypassed(&error);
        Ok(answer)
    }

    /// Takes over again from the version with digest `older`.
    pub(super) fn replay_adopt(&self, older: &str, tape: &Tape) -> Value {
        let inner = &self.inner;
        inner.sandbox.adopt_again(&inner.component, older, tape)
    }

    /// Makes a recorded run again.
    pub(super) fn replay(&self, conversation: &Conversation, tape: &Tape) -> Result<Value> {
        let sandbox = self.inner.sandbox.on_tape(tape);
        let done = self
            .inner
            .abi
            .run(&sandbox, conversation, &Interrupt::new());
        let outcome = done.as_ref().map(record::content);
        Ok(sandbox.line(record::run(conversation), tape, outcome))
    }
}

impl fmt::Debug for AgentPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentPlugin")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}
