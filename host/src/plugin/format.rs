//! Chat formats: conversations to prompts, output to events.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::abi::{self, FormatAbi, ParserAbi};
use super::engine::Engines;
use super::exchange::{
    ConstrainRequest, Constrained, FormatDescription, ParsedEvent, RenderRequest, Rendered,
    StopReason,
};
use super::grants::Grants;
use super::health::Health;
use super::info::PluginInfo;
use super::interrupt::Interrupt;
use super::load::Candidate;
use super::metrics::PluginMetrics;
use super::record::{self, Constraining, Parse, Rendering, Request};
use super::store::Sandbox;
use super::tape::Tape;
use super::world::World;
use crate::chat::ToolSpec;
use crate::error::{Error, Result};
use crate::text::TokenPiece;

/// A loaded chat format. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct Format {
    inner: Arc<Inner>,
    /// A template that goes with every request.
    template: Option<Arc<str>>,
}

struct Inner {
    abi: Arc<dyn FormatAbi>,
    sandbox: Sandbox,
    info: PluginInfo,
    description: FormatDescription,
    /// Of prompts. A format may render well and parse badly: what one does well says nothing of the other.
    rendering: Health,
    /// Of outputs: a whole one shows that it works.
    parsing: Arc<Health>,
}

impl Format {
    /// Loads a component of the world `chat-format`; `name` is how errors call it.
    ///
    /// # Errors
    /// `Invalid` for what is no component or imports anything, `Unsupported` for another world or contract,
    /// `Limit("component_bytes_max")`, `Plugin` when it cannot be compiled or describe itself.
    pub fn load(name: &str, bytes: &[u8], engines: &Engines) -> Result<Self> {
        let candidate = Candidate::read(name, bytes, engines)?;
        Self::admit(candidate.expect(World::ChatFormat)?, engines)
    }

    /// Lets a chat format in and asks what it is.
    pub(super) fn admit(candidate: Candidate<'_>, engines: &Engines) -> Result<Self> {
        let (sandbox, component) = candidate.admit(&Grants::none(), engines)?;
        let abi = abi::format(&sandbox, &component)?;
        let ask = |sandbox: &Sandbox| abi.describe(sandbox);
        let description = sandbox.recorded(record::describe, ask, record::described)?;
        let inner = Inner {
            abi,
            sandbox,
            info: candidate.info,
            description,
            rendering: Health::default(),
            parsing: Arc::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            template: None,
        })
    }

    /// The built-in Gemma 4 format.
    ///
    /// # Errors
    /// As [`Format::load`].
    #[cfg(feature = "embedded")]
    pub fn builtin(engines: &Engines) -> Result<Self> {
        Self::load("gemma4-format", lapidary_guests::GEMMA4_FORMAT, engines)
    }

    /// A checkpoint's own chat template in Jinja, run in the sandbox by a built-in format. What its model writes
    /// is read as Gemma 4's output.
    ///
    /// # Errors
    /// As [`Format::load`]. A template that is none shows at the first rendering.
    #[cfg(feature = "embedded")]
    pub fn template(template: &str, engines: &Engines) -> Result<Self> {
        let jinja = Self::load("jinja-format", lapidary_guests::JINJA_FORMAT, engines)?;
        Ok(Self {
            template: Some(template.into()),
            ..jinja
        })
    }

    /// What the format says of itself, read once.
    pub fn describe(&self) -> &FormatDescription {
        &self.inner.description
    }

    /// What can be told of its bytes.
    pub fn info(&self) -> &PluginInfo {
        &self.inner.info
    }

    /// What it did and cost since it was loaded.
    pub fn metrics(&self) -> PluginMetrics {
        self.inner.sandbox.metrics()
    }

    /// Renders one prompt, in an instance of its own.
    ///
    /// # Errors
    /// `Invalid` and `Unsupported` as the format says, `Plugin` when it breaks, `Cancelled`.
    pub fn render(&self, request: &RenderRequest<'_>, interrupt: &Interrupt) -> Result<Rendered> {
        let extra = self.template.as_deref().map(template_extra);
        let request = RenderRequest {
            extra: extra.as_deref().or(request.extra),
            ..*request
        };
        let ask = |sandbox: &Sandbox| self.inner.abi.render(sandbox, &request, interrupt);
        let sandbox = &self.inner.sandbox;
        let rendered = sandbox.recorded(|| record::render(&request), ask, record::rendered);
        sandbox.remember(&self.inner.rendering, &rendered);
        rendered
    }

    /// A parser of one generation, in an instance of its own.
    ///
    /// `prefix` is the prompt's open turn. `interrupt` stops this call and every later one of the parser.
    ///
    /// # Errors
    /// As [`Format::render`].
    pub fn parser(
        &self,
        prefix: &[TokenPiece],
        tools: &[ToolSpec],
        interrupt: &Interrupt,
    ) -> Result<Parser> {
        let sandbox = self.inner.sandbox.clone();
        let is_recorded = sandbox.engines().recorder().is_some();
        let notes = is_recorded.then(|| Notes::new(prefix, tools));
        let opened = self.inner.abi.open(&sandbox, prefix, tools, interrupt);
        self.broke(&opened);
        let mut parser = Parser {
            sandbox,
            health: Arc::clone(&self.inner.parsing),
            abi: None,
            bytes_told: 0,
            notes,
        };
        parser.abi = Some(opened.inspect_err(|error| parser.tell(Some(error)))?);
        Ok(parser)
    }

    /// Refuses while it rests, because it kept failing.
    pub(crate) fn awake(&self) -> Result<()> {
        let sandbox = &self.inner.sandbox;
        sandbox.awake(&self.inner.rendering)?;
        sandbox.awake(&self.inner.parsing)
    }

    /// Tells the operator that another format stands in, because of `error`.
    pub(crate) fn is_replaced(&self, error: &Error) {
        self.inner.sandbox.bypassed(error);
    }

    fn broke<T>(&self, outcome: &Result<T>) {
        if outcome.is_err() {
            self.inner.sandbox.remember(&self.inner.parsing, outcome);
        }
    }
}

impl Format {
    /// Asks again what the format is.
    pub(super) fn replay_describe(&self) -> Value {
        let done = self.inner.abi.describe(&self.inner.sandbox);
        self.line(record::describe(), done.as_ref().map(record::described))
    }

    /// Renders a recorded request again.
    pub(super) fn replay_render(&self, request: &Value) -> Result<Value> {
        let rendering = Rendering::read(request)?;
        let (request, sandbox) = (rendering.request(), &self.inner.sandbox);
        let done = self.inner.abi.render(sandbox, &request, &Interrupt::new());
        let outcome = done.as_ref().map(record::rendered);
        Ok(self.line(record::render(&request), outcome))
    }

    /// Asks again what a recorded generation may be.
    pub(super) fn replay_constrain(&self, asked: &Constraining) -> Result<Value> {
        let tools = asked.specs()?;
        let (request, sandbox) = (asked.request(&tools), &self.inner.sandbox);
        let done = self
            .inner
            .abi
            .constrain(sandbox, &request, &Interrupt::new());
        let outcome = done.as_ref().map(record::constrained);
        Ok(self.line(record::constrain(&request), outcome))
    }

    /// Parses a recorded generation again.
    pub(super) fn replay_parse(&self, parse: &Parse) -> Result<Value> {
        let tools = parse.specs()?;
        let done = self.parse(parse, &tools);
        let outcome = done.as_ref().map(|events| record::events(events));
        Ok(self.line(parse.request(), outcome))
    }

    /// A line without calls of the host: a format makes none.
    fn line(&self, request: Request, outcome: std::result::Result<Value, &Error>) -> Value {
        self.inner.sandbox.line(request, &Tape::blank(), outcome)
    }

    fn parse(&self, parse: &Parse, tools: &[ToolSpec]) -> Result<Vec<ParsedEvent>> {
        let mut parser = self.parser(&parse.prefix, tools, &Interrupt::new())?;
        let mut events = Vec::new();
        for pieces in &parse.pushes {
            events.extend(parser.push(pieces)?);
        }
        if let Some(reason) = parse.reason {
            events.extend(parser.finish(reason)?);
        }
        Ok(events)
    }

    /// What a generation may be; `None` from a format that does not say.
    ///
    /// # Errors
    /// As [`Format::render`].
    pub(crate) fn constrain(
        &self,
        request: &ConstrainRequest<'_>,
        interrupt: &Interrupt,
    ) -> Result<Option<Constrained>> {
        let ask = |sandbox: &Sandbox| self.inner.abi.constrain(sandbox, request, interrupt);
        let sandbox = &self.inner.sandbox;
        let said = sandbox.recorded(|| record::constrain(request), ask, record::constrained);
        self.broke(&said);
        said
    }
}

/// The settings of the Jinja format: the template, and the time for templates that write the date.
fn template_extra(template: &str) -> String {
    let now = jiff::Zoned::now();
    let seconds = now.timestamp().as_second() + i64::from(now.offset().seconds());
    json!({"template": template, "now": seconds}).to_string()
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format")
            .field("info", self.info())
            .finish_non_exhaustive()
    }
}

/// Understands one generation as it streams. Ends with the first error: start another one then.
pub struct Parser {
    sandbox: Sandbox,
    health: Arc<Health>,
    abi: Option<Box<dyn ParserAbi>>,
    bytes_told: usize,
    /// Only while somebody records.
    notes: Option<Notes>,
}

/// What a parser read and said so far.
struct Notes {
    parse: Parse,
    events: Vec<ParsedEvent>,
}

impl Notes {
    fn new(prefix: &[TokenPiece], tools: &[ToolSpec]) -> Self {
        Self {
            parse: Parse::new(prefix, tools),
            events: Vec::new(),
        }
    }
}

impl Parser {
    /// Takes the next pieces of output.
    ///
    /// # Errors
    /// `Plugin` when the format breaks, now or before; `Cancelled`.
    pub fn push(&mut self, pieces: &[TokenPiece]) -> Result<Vec<ParsedEvent>> {
        if let Some(notes) = &mut self.notes {
            notes.parse.pushes.push(pieces.to_vec());
        }
        self.with(|abi, sandbox| abi.push(sandbox, pieces))
    }

    /// Ends the output: what was held back comes out. The parser takes nothing after it.
    ///
    /// # Errors
    /// As [`Parser::push`].
    pub fn finish(&mut self, reason: StopReason) -> Result<Vec<ParsedEvent>> {
        if let Some(notes) = &mut self.notes {
            notes.parse.reason = Some(reason);
        }
        let events = self.with(|abi, sandbox| abi.finish(sandbox, reason));
        if events.is_ok() {
            self.sandbox.remember(&self.health, &events);
        }
        self.abi = None;
        self.tell(None);
        events
    }

    /// Calls the guest, and drops it with everything it holds when it fails.
    fn with(
        &mut self,
        call: impl FnOnce(&mut dyn ParserAbi, &Sandbox) -> Result<Vec<ParsedEvent>>,
    ) -> Result<Vec<ParsedEvent>> {
        let Some(abi) = self.abi.as_deref_mut() else {
            let detail = "expected a running parser, found one that ended; open another one";
            return Err(self.sandbox.fault(detail));
        };
        let outcome = call(abi, &self.sandbox);
        let outcome = outcome.and_then(|events| self.counted(events));
        match (&outcome, &mut self.notes) {
            (Ok(events), Some(notes)) => notes.events.extend_from_slice(events),
            (Ok(_), None) => {}
            (Err(error), _) => {
                self.sandbox.remember(&self.health, &outcome);
                self.abi = None;
                self.tell(Some(error));
            }
        }
        outcome
    }

    /// Refuses when all events together are more than any answer may be: who reads them keeps them.
    fn counted(&mut self, events: Vec<ParsedEvent>) -> Result<Vec<ParsedEvent>> {
        let bytes: usize = events.iter().map(ParsedEvent::bytes).sum();
        self.bytes_told = self.bytes_told.saturating_add(bytes);
        let max = self.sandbox.engines().limits().parsed_bytes_max;
        if self.bytes_told > max {
            let detail = format!(
                "expected at most {max} bytes of events in one generation, found more; raise parsed_bytes_max"
            );
            return Err(self.sandbox.fault(detail));
        }
        Ok(events)
    }

    /// Tells the recorder, once, of a parser that ended.
    fn tell(&mut self, error: Option<&Error>) {
        let recorder = self.sandbox.engines().recorder();
        if let (Some(notes), Some(recorder)) = (self.notes.take(), recorder) {
            let outcome = error.map_or_else(|| Ok(record::events(&notes.events)), Err);
            let line = self
                .sandbox
                .line(notes.parse.request(), &Tape::blank(), outcome);
            recorder.take(line);
        }
    }
}

impl Drop for Parser {
    /// A generation that nobody ended is recorded too.
    fn drop(&mut self) {
        self.tell(None);
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser")
            .field("usable", &self.abi.is_some())
            .finish_non_exhaustive()
    }
}
