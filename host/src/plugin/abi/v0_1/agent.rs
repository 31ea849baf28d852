//! The `agent` world.

use wasmtime::component::{Component, Linker};

use super::agent_world::AgentPre;
use super::{convert, imports};
use crate::chat::{Content, Conversation, Media, Message};
use crate::error::Result;
use crate::plugin::abi::AgentAbi;
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::{Sandbox, State};

/// A linked agent of contract 0.1.
pub(in crate::plugin) struct AgentV01 {
    guest: AgentPre<State>,
}

impl AgentV01 {
    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(component.engine());
        let guest = imports::add(&mut linker)
            .and_then(|()| linker.instantiate_pre(component))
            .and_then(AgentPre::new);
        Ok(Self {
            guest: guest.map_err(|error| sandbox.mismatch(error))?,
        })
    }
}

impl AgentAbi for AgentV01 {
    fn run(
        &self,
        sandbox: &Sandbox,
        conversation: &Conversation,
        interrupt: &Interrupt,
    ) -> Result<Content> {
        let messages = convert::messages(conversation)?;
        let handed_bytes = conversation.messages.iter().map(Message::text_bytes).sum();
        let media: Vec<Media> = conversation.media().cloned().collect();
        let mut store = sandbox.store(interrupt);
        store.data_mut().media = media;
        let outcome = sandbox.enter_waiting(&mut store, handed_bytes, async |store| {
            let guest = self.guest.instantiate_async(&mut *store).await?;
            guest
                .lapidary_plugin_pipeline()
                .call_run(store, &messages)
                .await
        })?;
        let content = outcome.map_err(|error| store.data().failure(sandbox, error))?;
        let media = std::mem::take(&mut store.data_mut().media);
        convert::content_with(content, &media).map_err(|reason| sandbox.fault(reason))
    }
}
