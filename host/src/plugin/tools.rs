//! Tools: sandboxed functions that the model may call.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use wasmtime::component::Component;

use super::abi::{self, ToolsAbi};
use super::engine::Engines;
use super::grants::Grants;
use super::info::PluginInfo;
use super::interrupt::Interrupt;
use super::load::Candidate;
use super::metrics::PluginMetrics;
use super::policy::{OnFailure, is_failure};
use super::record;
use super::store::Sandbox;
use super::tape::Tape;
use super::world::World;
use crate::chat::{Content, ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};

/// A loaded tool plugin. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct ToolPlugin {
    inner: Arc<Inner>,
}

struct Inner {
    abi: Arc<dyn ToolsAbi>,
    sandbox: Sandbox,
    component: Component,
    info: PluginInfo,
    specs: Vec<ToolSpec>,
}

impl ToolPlugin {
    /// Loads a component of the world `tool-provider`; `name` is how errors call it.
    ///
    /// # Errors
    /// `Invalid` for what is no component or imports more than was granted, `Unsupported` for another world
    /// or contract, `Limit("component_bytes_max")`, `Plugin` when it cannot be compiled or its definitions
    /// are wrong.
    pub fn load(name: &str, bytes: &[u8], grants: &Grants, engines: &Engines) -> Result<Self> {
        let candidate = Candidate::read(name, bytes, engines)?;
        Self::admit(candidate.expect(World::ToolProvider)?, grants, engines)
    }

    /// Loads a new version of this plugin, under its name. One that exports `handover` takes over what this version
    /// kept under `key-value`: on a copy, which is the plugin's from then on, while this version and its clones keep
    /// theirs. One that does not goes on with what is there, as does one that is this version.
    ///
    /// # Errors
    /// As [`ToolPlugin::load`]; whatever the new version says or does when it takes over. Nothing has changed then.
    pub fn successor(&self, bytes: &[u8], grants: &Grants) -> Result<Self> {
        let new = self.heir(bytes, grants)?;
        new.resume()?;
        Ok(new)
    }

    /// As [`ToolPlugin::successor`], but what is under the plugin's name stays until [`ToolPlugin::resume`].
    pub(crate) fn heir(&self, bytes: &[u8], grants: &Grants) -> Result<Self> {
        let engines = self.inner.sandbox.engines();
        let candidate = Candidate::read(&self.info().name, bytes, engines)?;
        let candidate = candidate.expect(World::ToolProvider)?;
        Self::admit_after(Some(self.info()), candidate, grants, engines)
    }

    /// Makes what this version kept the plugin's again, when its successor is given up.
    ///
    /// # Errors
    /// `Io` when the file of the grant cannot be written; nothing has changed then.
    pub fn resume(&self) -> Result<()> {
        self.inner.sandbox.keep()
    }

    /// Lets a tool provider in and asks what it offers.
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
        let abi = abi::tools(&sandbox, &component)?;
        let ask = |sandbox: &Sandbox| abi.definitions(sandbox);
        let specs = sandbox.recorded(record::definitions, ask, |specs| record::defined(specs))?;
        let inner = Inner {
            abi,
            sandbox,
            component,
            info: candidate.info,
            specs,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What the model is told of the tools, read once.
    pub fn specs(&self) -> &[ToolSpec] {
        &self.inner.specs
    }

    /// What can be told of its bytes.
    pub fn info(&self) -> &PluginInfo {
        &self.inner.info
    }

    /// Runs one call, in an instance of its own.
    ///
    /// A failure that the model should hear of is a result with `is_error`.
    ///
    /// # Errors
    /// `Unsupported` for a tool that this plugin does not have, `Invalid` and `Unsupported` as the plugin
    /// says, `Plugin` when it breaks, `Cancelled`.
    pub fn call(&self, call: &ToolCall, interrupt: &Interrupt) -> Result<ToolResult> {
        self.call_streaming(call, interrupt, &mut |_| {})
    }

    /// The same; `progress` takes each stretch of the result that comes before it is whole. Only plugins of the
    /// preview world `streaming-tool-provider` tell any.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_streaming(
        &self,
        call: &ToolCall,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(&str),
    ) -> Result<ToolResult> {
        let sandbox = &self.inner.sandbox;
        self.check_name(call)?;
        let started = Instant::now();
        let outcome = sandbox.guarded(|| {
            let ask = |sandbox: &Sandbox| self.inner.abi.call(sandbox, call, interrupt, progress);
            sandbox.recorded(|| record::call(call), ask, record::result)
        });
        log(&sandbox.subject(), call, started, &outcome);
        match outcome {
            Err(error) if is_failure(&error) => match self.instead(call) {
                Some(answer) => {
                    sandbox.bypassed(&error);
                    Ok(answer)
                }
                None => Err(error),
            },
            outcome => outcome,
        }
    }

    fn check_name(&self, call: &ToolCall) -> Result<()> {
        if self.specs().iter().any(|spec| spec.name == call.name) {
            return Ok(());
        }
        let detail = format!("has no tool \"{}\"", call.name);
        Err(Error::unsupported(self.inner.sandbox.subject(), detail))
    }

    /// Takes over again from the version with digest `older`.
    pub(super) fn replay_adopt(&self, older: &str, tape: &Tape) -> Value {
        let inner = &self.inner;
        inner.sandbox.adopt_again(&inner.component, older, tape)
    }

    /// Asks again what it offers.
    pub(super) fn replay_definitions(&self, tape: &Tape) -> Result<Value> {
        let sandbox = self.inner.sandbox.on_tape(tape);
        let done = self.inner.abi.definitions(&sandbox);
        let outcome = done.as_ref().map(|specs| record::defined(specs));
        Ok(sandbox.line(record::definitions(), tape, outcome))
    }

    /// Makes a recorded call again.
    pub(super) fn replay(&self, call: ToolCall, tape: &Tape) -> Result<Value> {
        let sandbox = self.inner.sandbox.on_tape(tape);
        let ask = || {
            self.inner
                .abi
                .call(&sandbox, &call, &Interrupt::new(), &mut |_| {})
        };
        let done = self.check_name(&call).and_then(|()| ask());
        let outcome = done.as_ref().map(record::result);
        Ok(sandbox.line(record::call(&call), tape, outcome))
    }

    /// What it did and cost since it was loaded.
    pub fn metrics(&self) -> PluginMetrics {
        self.inner.sandbox.metrics()
    }

    /// What answers a call that failed, where the operator said so.
    fn instead(&self, call: &ToolCall) -> Option<ToolResult> {
        let sandbox = &self.inner.sandbox;
        match (sandbox.fallback(), sandbox.on_failure()) {
            (Some(fallback), _) => Some(fallback.answer(call)),
            (None, OnFailure::Bypass) => Some(unavailable(call)),
            (None, OnFailure::Fail) => None,
        }
    }
}

/// One line for each call in the operator's log. Arguments and results may hold what is nobody's business:
/// only names and sizes are told.
fn log(subject: &str, call: &ToolCall, started: Instant, outcome: &Result<ToolResult>) {
    let arguments = call.arguments.as_object();
    let names: Vec<&str> = arguments
        .into_iter()
        .flat_map(|all| all.keys().map(String::as_str))
        .collect();
    let (tool, us) = (call.name.as_str(), started.elapsed().as_micros());
    let arguments = names.join(",");
    match outcome {
        Ok(result) => {
            let (bytes, is_error) = (result.content.text_bytes(), result.is_error);
            tracing::info!(target: "lapidary::calls", plugin = subject, tool, arguments, us, bytes, is_error, "call");
        }
        Err(error) => {
            let kind = error.kind().name();
            tracing::warn!(target: "lapidary::calls", plugin = subject, tool, arguments, us, kind, "call failed");
        }
    }
}

/// What the model is told in place of a failure.
fn unavailable(call: &ToolCall) -> ToolResult {
    ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: Content::Text(format!("the tool {} is not available now", call.name)),
        is_error: true,
    }
}

impl fmt::Debug for ToolPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolPlugin")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}
