//! The `chat-format` world.

use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Linker, ResourceAny};

use super::{constraint, convert, events, exports};
use crate::chat::{Conversation, Message, PromptStyle, ToolSpec};
use crate::error::Result;
use crate::plugin::abi::{FormatAbi, ParserAbi};
use crate::plugin::exchange::{
    ConstrainRequest, Constrained, FormatDescription, ParsedEvent, RenderRequest, Rendered,
    StopReason,
};
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::{Sandbox, State};
use crate::text::TokenPiece;

/// A linked format of contract 0.1.
pub(in crate::plugin) struct FormatV01 {
    guest: InstancePre<State>,
    format: exports::format::GuestIndices,
    template: exports::template::GuestIndices,
    parser: exports::parser::GuestIndices,
    /// Only formats of the world `constrained-chat-format` have it.
    constraint: Option<exports::constraint::GuestIndices>,
}

impl FormatV01 {
    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self> {
        Self::linked(component).map_err(|error| sandbox.mismatch(error))
    }

    fn linked(component: &Component) -> wasmtime::Result<Self> {
        // Empty, and it stays so: a format only computes.
        let linker = Linker::new(component.engine());
        let guest = linker.instantiate_pre(component)?;
        Ok(Self {
            format: exports::format::GuestIndices::new(&guest)?,
            template: exports::template::GuestIndices::new(&guest)?,
            parser: exports::parser::GuestIndices::new(&guest)?,
            constraint: exports::constraint::GuestIndices::new(&guest).ok(),
            guest,
        })
    }

    fn instance(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        self.guest.instantiate(store)
    }
}

impl FormatAbi for FormatV01 {
    fn describe(&self, sandbox: &Sandbox) -> Result<FormatDescription> {
        let mut store = sandbox.store(&Interrupt::new());
        let description = sandbox.enter(&mut store, 0, |store| {
            let instance = self.instance(store)?;
            let guest = self.format.load(&mut *store, &instance)?;
            guest.call_describe(store)
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
        let handed_bytes = text_bytes(request.conversation)
            + convert::tool_bytes(&asked.tools)
            + request.extra.map_or(0, str::len);
        let mut store = sandbox.store(interrupt);
        let rendered = sandbox.enter(&mut store, handed_bytes, |store| {
            let instance = self.instance(store)?;
            let guest = self.template.load(&mut *store, &instance)?;
            guest.call_render(store, &asked)
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
            let instance = self.instance(store)?;
            let guest = self.parser.load(&mut *store, &instance)?;
            let opened = guest.session().call_open(store, &asked)?;
            Ok((guest, opened))
        })?;
        let sequence = sequence.map_err(|error| convert::failure(sandbox, error))?;
        Ok(Box::new(ParserV01 {
            store,
            guest,
            sequence,
        }))
    }

    fn constrain(
        &self,
        sandbox: &Sandbox,
        request: &ConstrainRequest<'_>,
        interrupt: &Interrupt,
    ) -> Result<Option<Constrained>> {
        let Some(indices) = &self.constraint else {
            return Ok(None);
        };
        let asked = constraint::request(request)?;
        let handed_bytes = convert::tool_bytes(&asked.tools) + constraint::answer_bytes(&asked);
        let mut store = sandbox.store(interrupt);
        let constrained = sandbox.enter(&mut store, handed_bytes, |store| {
            let instance = self.instance(store)?;
            let guest = indices.load(&mut *store, &instance)?;
            guest.call_constrain(store, &asked)
        })?;
        let constrained = constrained.map_err(|error| convert::failure(sandbox, error))?;
        Ok(Some(constraint::constrained(constrained)))
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
        extra: from.extra.map(str::to_owned),
    })
}

/// A parser and the store it lives in.
struct ParserV01 {
    store: Store<State>,
    guest: exports::parser::Guest,
    sequence: ResourceAny,
}

impl ParserAbi for ParserV01 {
    fn push(&mut self, sandbox: &Sandbox, pieces: &[TokenPiece]) -> Result<Vec<ParsedEvent>> {
        let pieces = events::token_pieces(pieces);
        let (guest, sequence) = (&self.guest, self.sequence);
        let parsed = sandbox.enter(&mut self.store, 0, |store| {
            guest.session().call_push(store, sequence, &pieces)
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
            guest.session().call_finish(store, sequence, reason)
        })?;
        events::parsed(
            sandbox,
            parsed.map_err(|error| convert::failure(sandbox, error))?,
        )
    }
}
