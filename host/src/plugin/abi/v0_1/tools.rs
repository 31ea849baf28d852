//! The `tool-provider` world.

use wasmtime::component::{Component, Linker};

use super::tool_provider::ToolProviderPre;
use super::tool_provider::exports::lapidary::plugin::tools::ToolOutput;
use super::{convert, imports, wit};
use crate::chat::{ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};
use crate::plugin::Check;
use crate::plugin::abi::ToolsAbi;
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::{Sandbox, State};

/// Linked tools of contract 0.1.
pub(in crate::plugin) struct ToolsV01 {
    guest: ToolProviderPre<State>,
}

impl ToolsV01 {
    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(component.engine());
        let guest = imports::add(&mut linker)
            .and_then(|()| linker.instantiate_pre(component))
            .and_then(ToolProviderPre::new);
        Ok(Self {
            guest: guest.map_err(|error| sandbox.mismatch(error))?,
        })
    }
}

impl ToolsAbi for ToolsV01 {
    fn definitions(&self, sandbox: &Sandbox) -> Result<Vec<ToolSpec>> {
        let mut store = sandbox.store(&Interrupt::new());
        let definitions = sandbox.enter_waiting(&mut store, 0, async |store| {
            let guest = self.guest.instantiate_async(&mut *store).await?;
            guest.lapidary_plugin_tools().call_definitions(store).await
        })?;
        specs(sandbox, definitions)
    }

    fn call(
        &self,
        sandbox: &Sandbox,
        call: &ToolCall,
        interrupt: &Interrupt,
        _: &mut dyn FnMut(&str),
    ) -> Result<ToolResult> {
        let asked =
            convert::tool_call(call).map_err(|reason| Error::invalid("tool call", reason))?;
        let mut store = sandbox.store(interrupt);
        let output = sandbox.enter_waiting(&mut store, asked.arguments.len(), async |store| {
            let guest = self.guest.instantiate_async(&mut *store).await?;
            guest.lapidary_plugin_tools().call_call(store, &asked).await
        })?;
        result(
            sandbox,
            call,
            output.map_err(|error| store.data().failure(sandbox, error))?,
        )
    }
}

fn result(sandbox: &Sandbox, call: &ToolCall, output: ToolOutput) -> Result<ToolResult> {
    let content = convert::content_from(output.content).map_err(|reason| sandbox.fault(reason))?;
    let (id, name) = (call.id.clone(), call.name.clone());
    Ok(ToolResult {
        id,
        name,
        content,
        is_error: output.is_error,
    })
}

/// What a plugin says it offers.
pub(super) fn specs(
    sandbox: &Sandbox,
    definitions: Vec<wit::ToolDefinition>,
) -> Result<Vec<ToolSpec>> {
    let specs = definitions
        .into_iter()
        .map(convert::spec)
        .collect::<Check<Vec<_>>>();
    specs
        .and_then(unique)
        .map_err(|reason| sandbox.fault(reason))
}

fn unique(specs: Vec<ToolSpec>) -> Check<Vec<ToolSpec>> {
    let mut names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!(
            "expected each tool's name once, found {} twice",
            pair[0]
        )),
        None => Ok(specs),
    }
}
