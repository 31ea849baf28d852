//! The contract's versions. Only the modules below know generated types; a new version is a new module that
//! implements these traits.

mod v0_1;

use std::sync::Arc;

use wasmtime::component::Component;

use super::exchange::{
    ConstrainRequest, Constrained, FormatDescription, ParsedEvent, RenderRequest, Rendered,
    StopReason,
};
use super::interrupt::Interrupt;
use super::store::Sandbox;
use crate::chat::{ToolCall, ToolResult, ToolSpec};
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

    /// One call, in a store of its own.
    fn call(&self, sandbox: &Sandbox, call: &ToolCall, interrupt: &Interrupt)
    -> Result<ToolResult>;
}

/// The format in `component`, whose contract version was found to fit.
pub(super) fn format(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn FormatAbi>> {
    Ok(Arc::new(v0_1::FormatV01::link(sandbox, component)?))
}

/// The tools in `component`, whose contract version was found to fit and whose imports were granted.
pub(super) fn tools(sandbox: &Sandbox, component: &Component) -> Result<Arc<dyn ToolsAbi>> {
    Ok(Arc::new(v0_1::ToolsV01::link(sandbox, component)?))
}
