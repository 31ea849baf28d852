//! The `chat-format` world.

use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceAny};

use super::chat_format::{ChatFormat, ChatFormatPre};
use super::{convert, events, exports};
use crate::chat::{Conversation, Message, PromptStyle, ToolSpec};
use crate::error::Result;
use crate::plugin::abi::{FormatAbi, ParserAbi};
use crate::plugin::exchange::{
    FormatDescription, ParsedEvent, RenderRequest, Rendered, StopReason,
};
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::{Sandbox, State};
use crate::text::TokenPiece;

/// A linked format of contract 0.1.
pub(in crate::plugin) struct FormatV01 {
    guest: ChatFormatPre<State>,
}

impl FormatV01 {
    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self> {
        // Empty, and it stays so: a format only computes.
        let linker = Linker::new(component.engine());
        let guest = linker
            .instantiate_pre(component)
            .and_then(ChatFormatPre::new);
        Ok(Self {
            guest: guest.map_err(|error| sandbox.mismatch(error))?,
        })
    }
}

impl FormatAbi for FormatV01 {
    fn describe(&self, sandbox: &Sandbox) -> Result<FormatDescription> {
        let mut store = sandbox.store(&Interrupt::new());
        let description = sandbox.enter(&mut store, 0, |store| {
            let guest = self.guest.instantiate(&mut *store)?;
            guest.lapidary_plugin_format().call_describe(store)
        })?;
        events::description(sandbox, description)
    }

    fn render(
        &self,
        sandbox: &Sandbox,
        request: &RenderRequest<'_>,
        interrupt: &Interrupt,
    ) -> Result<Rendered> {
        let asked = render_request(request)?;
        let handed_bytes = text_bytes(request.conversation) + convert::tool_bytes(&asked.tools);
        let mut store = sandbox.store(interrupt);
        let rendered = sandbox.enter(&mut store, handed_bytes, |store| {
            let guest = self.guest.instantiate(&mut *store)?;
            guest.lapidary_plugin_template().call_render(store, &asked)
        })?;
        let rendered = rendered.map_err(|error| convert::failure(sandbox, error))?;
        events::rendered(sandbox, rendered, request.conversation)
    }

    fn open(
        &self,
        sandbox: &Sandbox,
        prefix: &[TokenPiece],
        tools: &[ToolSpec],
        interrupt: &Interrupt,
    ) -> Result<Box<dyn ParserAbi>> {
        let asked = exports::parser::OpenRequest {
            prefix: events::token_pieces(prefix),
            tools: convert::definitions(tools)?,
        };
        let mut store = sandbox.store(interrupt);
        let (guest, sequence) = sandbox.enter(&mut store, 0, |store| {
            let guest = self.guest.instantiate(&mut *store)?;
            let opened = guest
                .lapidary_plugin_parser()
                .session()
                .call_open(store, &asked)?;
            Ok((guest, opened))
        })?;
        let sequence = sequence.map_err(|error| convert::failure(sandbox, error))?;
        Ok(Box::new(ParserV01 {
            store,
            guest,
            sequence,
        }))
    }
}

fn text_bytes(conversation: &Conversation) -> usize {
    conversation.messages.iter().map(Message::text_bytes).sum()
}

fn render_request(from: &RenderRequest<'_>) -> Result<exports::template::RenderRequest> {
    Ok(exports::template::RenderRequest {
        messages: convert::messages(from.conversation)?,
        tools: convert::definitions(from.tools)?,
        thinking: convert::thinking(from.thinking),
        preserve_thinking: from.preserve_thinking,
        add_generation_prompt: from.add_generation_prompt,
        continue_final_message: from.continue_final_message,
        style: match from.style {
            PromptStyle::Small => exports::template::PromptStyle::Small,
            PromptStyle::Large => exports::template::PromptStyle::Large,
        },
        extra: None,
    })
}

/// A parser and the store it lives in.
struct ParserV01 {
    store: Store<State>,
    guest: ChatFormat,
    sequence: ResourceAny,
}

impl ParserAbi for ParserV01 {
    fn push(&mut self, sandbox: &Sandbox, pieces: &[TokenPiece]) -> Result<Vec<ParsedEvent>> {
        let pieces = events::token_pieces(pieces);
        let (guest, sequence) = (&self.guest, self.sequence);
        let parsed = sandbox.enter(&mut self.store, 0, |store| {
            guest
                .lapidary_plugin_parser()
                .session()
                .call_push(store, sequence, &pieces)
        })?;
        events::parsed(
            sandbox,
            parsed.map_err(|error| convert::failure(sandbox, error))?,
        )
    }

    fn finish(&mut self, sandbox: &Sandbox, reason: StopReason) -> Result<Vec<ParsedEvent>> {
        let (guest, sequence) = (&self.guest, self.sequence);
        let reason = events::stop_reason(reason);
        let parsed = sandbox.enter(&mut self.store, 0, |store| {
            guest
                .lapidary_plugin_parser()
                .session()
                .call_finish(store, sequence, reason)
        })?;
        events::parsed(
            sandbox,
            parsed.map_err(|error| convert::failure(sandbox, error))?,
        )
    }
}
