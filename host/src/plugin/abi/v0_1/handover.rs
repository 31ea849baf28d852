//! The `successor` world, beside that of tools or agents.

use wasmtime::component::{Component, Linker};

use super::successor::SuccessorPre;
use super::{convert, imports};
use crate::error::Result;
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::Sandbox;

/// Lets the plugin in `component` take over what the version with digest `older` kept.
pub(in crate::plugin) fn adopt(
    sandbox: &Sandbox,
    component: &Component,
    older: &str,
) -> Result<()> {
    let mut linker = Linker::new(component.engine());
    let guest = imports::add(&mut linker)
        .and_then(|()| linker.instantiate_pre(component))
        .and_then(SuccessorPre::new);
    let guest = guest.map_err(|error| sandbox.mismatch(error))?;
    let mut store = sandbox.store(&Interrupt::new());
    let adopted = sandbox.enter_waiting(&mut store, older.len(), async |store| {
        let guest = guest.instantiate_async(&mut *store).await?;
        guest
            .lapidary_plugin_handover()
            .call_adopt(store, older)
            .await
    })?;
    adopted.map_err(|error| convert::failure(sandbox, error))
}
