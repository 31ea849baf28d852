//! The contract's versions. Only the modules below know generated types; a new version is a new module that
//! implements these traits.

mod v0_1;

use std::sync::Arc;

use serde_json::Value;
use wasmtime::component::Component;

use super::exchange::{
    ConstrainRequest, Constrained, FormatDescription, ParsedEvent, RenderRequest, Rendered,
    StopReason,
};
use super::interrupt::Interrupt;
use super::store::Sandbox;
use crate::chat::{Content, Conversation, ToolCall, ToolResult, ToolSpec};
use crate::error::Result;
use crate::text::TokenPiece;

/// The `chat-format` world.
pub(super) trait FormatAbi: Send + Sync {
    /// What the format says of itself.
    fn describe(&self, sandbox: &Sandbox) -> Result<FormatDescription>;

    /// One prompt, in a store of its own.
    fn render(
        &self,
        sandbox: &Sandbox,
        request: &RenderRequest<'_>,
        interrupt: &Interrupt,
    ) -> Result<Rendered>;

    /// A parser, in a store of its own.
    fn open(
        &self,
        sandbox: &Sandbox,
        prefix: &[TokenPiece],
        tools: &[ToolSpec],
        interrupt: &Interrupt,
    ) -> Result<Box<dyn ParserAbi>>;

    /// What a generation may be; `None` from a format that does not say.
    fn constrain(
        &self,
        sandbox: &Sandbox,
        request: &ConstrainRequest<'_>,
        interrupt: &Interrupt,
    ) -> Result<Option<Constrained>>;
}

/// One parsed sequence.
pub(super) trait ParserAbi: Send {
    /// Takes the next pieces.
    fn push(&mut self, sandbox: &Sandbox, pieces: &[TokenPiece]) -> Result<Vec<ParsedEvent>>;

    /// Ends the sequence.
    fn finish(&mut self, sandbox: &Sandbox, reason: StopReason) -> Result<Vec<ParsedEvent>>;
}

/// The `tool-provider` world.
pub(super) trait ToolsAbi: Send + Sync {
    /// The tools on offer.
    fn definitions(&self, sandbox: &Sandbox) -> Result<Vec<ToolSpec>>;

    /// One call, in a store of its own. `progress` takes the stretches of the result that come before it is
    /// whole.
    fn call(
        &self,
        sandbox: &Sandbox,
        call: &ToolCall,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(&str),
    ) -> Result<ToolResult>;
}

/// The `agent` world.
pub(super) trait AgentAbi: Send + Sync {
    /// One run, in a store of its own.
    fn run(
        &self,
        sandbox: &Sandbox,
        conversation: &Conversation,
        interrupt: &Interrupt,
    ) -> Result<Content>;
}

/// The `logits-processor` world.
pub(super) trait LogitsAbi: Send + Sync {
    /// A processor, in a store of its own.
    fn open(
        &self,
        sandbox: &Sandbox,
        config: &Value,
        interrupt: &Interrupt,
    ) -> Result<Box<dyn LogitsSessionAbi>>;
}

/// One processed sequence.
pub(super) trait LogitsSessionAbi: Send {
    /// Changes the scores of the next token.
    fn step(&mut self, sandbox: &Sandbox, last: Option<u32>, scores: &mut Vec<f32>) -> Result<()>;
}

/// The format in `component`, whose contract version was found to fit.
pub(super) fn format(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn FormatAbi>> {
    Ok(Arc::new(v0_1::FormatV01::link(sandbox, component)?))
}

/// The tools in `component`, whose contract version was found to fit and whose imports were granted.
pub(super) fn tools(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn ToolsAbi>> {
    #[cfg(feature = "preview")]
    if v0_1::StreamingV01::is_of(component) {
        return Ok(Arc::new(v0_1::StreamingV01::link(sandbox, component)?));
    }
    Ok(Arc::new(v0_1::ToolsV01::link(sandbox, component)?))
}

/// The agent in `component`, whose contract version was found to fit and whose imports were granted.
pub(super) fn agent(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn AgentAbi>> {
    Ok(Arc::new(v0_1::AgentV01::link(sandbox, component)?))
}

/// The processor in `component`, whose contract version was found to fit.
pub(super) fn logits(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn LogitsAbi>> {
    Ok(Arc::new(v0_1::LogitsV01::link(sandbox, component)?))
}

/// Lets the plugin in `component`, which exports `handover`, take over what the version with digest `older` kept.
pub(super) fn adopt(sandbox: &Sandbox, component: &Component, older: &str) -> Result<()> {
    v0_1::adopt(sandbox, component, older)
}
