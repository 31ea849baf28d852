//! Tools: sandboxed functions that the model may call.

use std::fmt;
use std::sync::Arc;

use super::abi::{self, ToolsAbi};
use super::engine::Engines;
use super::grants::Grants;
use super::info::PluginInfo;
use super::interrupt::Interrupt;
use super::load::Candidate;
use super::store::Sandbox;
use super::world::World;
use crate::chat::{ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};

/// A loaded tool plugin. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct ToolPlugin {
    inner: Arc<Inner>,
}

struct Inner {
    abi: Arc<dyn ToolsAbi>,
    sandbox: Sandbox,
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

    /// Lets a tool provider in and asks what it offers.
    pub(super) fn admit(
        candidate: Candidate<'_>,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<Self> {
        let (sandbox, component) = candidate.admit(grants, engines)?;
        let abi = abi::tools(&sandbox, &component)?;
        let specs = abi.definitions(&sandbox)?;
        let inner = Inner {
            abi,
            sandbox,
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
        if !self.specs().iter().any(|spec| spec.name == call.name) {
            let detail = format!("has no tool \"{}\"", call.name);
            return Err(Error::unsupported(self.inner.sandbox.subject(), detail));
        }
        self.inner.abi.call(&self.inner.sandbox, call, interrupt)
    }
}

impl fmt::Debug for ToolPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolPlugin")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}
