//! What a model says at a turn: through the runtime, or written down before by another program.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lapidary::{
    ChatOptions, ControlScanner, Engines, Event, FinishReason, Format, Interrupt, Limits,
    ParsedEvent, Piece, RenderRequest, Runtime, StopReason, TokenPiece, ToolCall, onnxruntime,
};
use serde::Deserialize;

use crate::cases::Turn;

/// One turn as the model wrote it.
#[derive(Debug, Default)]
pub struct Heard {
    /// What it thought, if it did.
    pub thought: Option<String>,
    /// What it said.
    pub text: String,
    /// What it called, in order.
    pub calls: Vec<ToolCall>,
    /// What broke the format.
    pub malformed: Vec<String>,
    /// Whether it closed the turn, or waits for its calls.
    pub is_ended: bool,
}

/// Where the plugins' machine code is kept, so that only a first start compiles them.
pub fn code_cache() -> lapidary::Result<PathBuf> {
    Ok(onnxruntime::cache_folder()?.join("plugins"))
}

/// Hours of training may go on beside an evaluation: a slow machine is no fault of the chat format.
pub fn limits() -> Limits {
    Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    }
}

/// Where the turns come from.
pub enum Source {
    /// The model runs.
    Model {
        /// What runs it.
        runtime: Runtime,
        /// Whether calls are constrained.
        strict: bool,
    },
    /// It ran elsewhere.
    Outputs(Outputs),
}

impl Source {
    /// What is said at `turn`.
    pub fn hear(&self, turn: &Turn<'_>) -> anyhow::Result<Heard> {
        match self {
            Self::Model { runtime, strict } => generate(runtime, turn, *strict),
            Self::Outputs(outputs) => outputs.hear(turn),
        }
    }
}

fn generate(runtime: &Runtime, turn: &Turn<'_>, strict: bool) -> anyhow::Result<Heard> {
    let mut heard = Heard::default();
    let options = ChatOptions {
        strict,
        ..turn.options()
    };
    for event in runtime.chat(turn.before(), options)? {
        match event? {
            Event::Thought { text } => heard.think(&text),
            Event::Text { text } => heard.text.push_str(&text),
            Event::ToolCall(call) => heard.calls.push(call),
            Event::Malformed { raw, .. } => heard.malformed.push(raw),
            // A call to a tool that is not there is answered by the runtime: this turn is over.
            Event::ToolResult(_) => {
                heard.is_ended = true;
                break;
            }
            Event::Finished { reason, .. } => {
                heard.is_ended = matches!(reason, FinishReason::EndOfTurn | FinishReason::ToolCall);
            }
            _ => {}
        }
    }
    Ok(heard)
}

impl Heard {
    fn think(&mut self, text: &str) {
        self.thought.get_or_insert_default().push_str(text);
    }

    fn take(&mut self, event: ParsedEvent) {
        match event {
            ParsedEvent::Thought(text) => self.think(&text),
            ParsedEvent::Text(text) => self.text.push_str(&text),
            ParsedEvent::CallEnd {
                name, arguments, ..
            } => self.calls.push(ToolCall {
                id: String::new(),
                name,
                arguments,
            }),
            ParsedEvent::Malformed { raw, .. } => self.malformed.push(raw),
            ParsedEvent::CallStart { .. } | ParsedEvent::CallDelta { .. } => {}
        }
    }
}

/// Raw outputs, understood by the same chat format that the runtime uses.
pub struct Outputs {
    texts: HashMap<(usize, usize), String>,
    format: Format,
    scanner: ControlScanner,
}

/// One line of an outputs file.
#[derive(Deserialize)]
struct Output {
    /// The number of the case, from 0.
    case: usize,
    /// The index of the message.
    turn: usize,
    /// What the model wrote, control tokens spelled out.
    text: String,
}

impl Outputs {
    /// Reads a file with one output a line.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: cannot be read", path.display()))?;
        let outputs = text.lines().map(serde_json::from_str::<Output>);
        let outputs = outputs.map(|output| output.map(|o| ((o.case, o.turn), o.text)));
        let engines = Engines::new(&limits(), Some(code_cache()?))?;
        let format = Format::builtin(&engines)?;
        Ok(Self {
            texts: outputs
                .collect::<Result<_, _>>()
                .with_context(|| path.display().to_string())?,
            scanner: ControlScanner::new(format.describe().control_tokens.clone())?,
            format,
        })
    }

    fn hear(&self, turn: &Turn<'_>) -> anyhow::Result<Heard> {
        let key = (turn.case.number, turn.index);
        let text = self.texts.get(&key).with_context(|| {
            format!(
                "expected an output of case {}, turn {}, found none",
                key.0, key.1
            )
        })?;
        let pieces = self.scanner.split(text);
        let options = turn.options();
        let prefix = self.open_turn(turn)?;
        let mut parser = self
            .format
            .parser(&prefix, &options.tools, &Interrupt::new())?;
        let mut heard = Heard {
            is_ended: self.ends(&pieces),
            ..Heard::default()
        };
        let reason = if heard.is_ended {
            StopReason::EndOfTurn
        } else {
            StopReason::Length
        };
        let events = parser.push(&pieces)?.into_iter();
        for event in events.chain(parser.finish(reason)?) {
            heard.take(event);
        }
        Ok(heard)
    }

    fn ends(&self, pieces: &[TokenPiece]) -> bool {
        let stops = &self.format.describe().stop_tokens;
        matches!(pieces.last(), Some(TokenPiece::Control(token)) if stops.contains(token))
    }

    /// The end of the prompt, which the parser starts from.
    fn open_turn(&self, turn: &Turn<'_>) -> anyhow::Result<Vec<TokenPiece>> {
        let (conversation, options) = (turn.before(), turn.options());
        let request = RenderRequest {
            thinking: options.thinking,
            ..RenderRequest::new(&conversation, &options.tools)
        };
        let rendered = self.format.render(&request, &Interrupt::new())?;
        let open = rendered.pieces.into_iter().skip(rendered.open_turn);
        Ok(open
            .flat_map(|piece| match piece {
                Piece::Control(text) => self.scanner.split(&text),
                Piece::Data(text) => vec![TokenPiece::Data(text)],
                Piece::Media(_) => Vec::new(),
            })
            .collect())
    }
}
