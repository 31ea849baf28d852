//! `lapidary parse`: what a model wrote to events.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{
    ControlScanner, Error, ErrorKind, Format, Interrupt, Limits, ParsedEvent, Result, StopReason,
    TokenPiece,
};
use serde_json::{Value, json};

use crate::format::FormatArgs;
use crate::render::{answer_lines, request, tools};

/// Parse what a model wrote, one JSON request a line.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  echo '{\"input_text\":\"Hello<turn|>\"}' | lapidary parse --jsonl"
)]
pub struct Args {
    /// One request a line in, one result or error a line out, in the same order. The only form there is.
    /// A request has input_text, what the model wrote, and may have chunks, the same as it streamed, prefix, the
    /// end of the prompt, and tools.
    #[arg(long, required = true)]
    jsonl: bool,
    #[command(flatten)]
    format: FormatArgs,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let format = args.format.load(None, &Limits::default())?;
    let scanner = ControlScanner::new(format.describe().control_tokens.clone())?;
    answer_lines(|line| parse(&format, &scanner, &request(line)?, StopReason::EndOfTurn))?;
    Ok(ExitCode::SUCCESS)
}

/// One output understood; `reason` is why it ended.
pub fn parse(
    format: &Format,
    scanner: &ControlScanner,
    request: &Value,
    reason: StopReason,
) -> Result<Value> {
    let prefix = match &request["prefix"] {
        Value::Null => "",
        Value::String(prefix) => prefix,
        _ => return Err(invalid("expected prefix as a text")),
    };
    let prefix = scanner.split(prefix);
    let mut parser = format.parser(&prefix, &tools(request)?, &Interrupt::new())?;
    let mut events = Vec::new();
    for pieces in streamed(scanner, &chunks(request)?) {
        events.extend(parser.push(&pieces)?);
    }
    events.extend(parser.finish(reason)?);
    Ok(summary(&events))
}

fn chunks(request: &Value) -> Result<Vec<&str>> {
    if request["chunks"].is_null() {
        let whole = request["input_text"].as_str().map(|text| vec![text]);
        return whole.ok_or_else(|| invalid("expected input_text, the model's output"));
    }
    let chunks = request["chunks"].as_array();
    let texts = chunks.and_then(|chunks| chunks.iter().map(Value::as_str).collect());
    texts.ok_or_else(|| invalid("expected chunks as a list of texts"))
}

fn invalid(detail: &str) -> Error {
    Error::new(ErrorKind::Invalid, "request", detail)
}

/// The pieces of each chunk; a control token that a cut went through comes with the later chunk.
fn streamed(scanner: &ControlScanner, chunks: &[&str]) -> Vec<Vec<TokenPiece>> {
    let mut held = String::new();
    let mut pieces = Vec::with_capacity(chunks.len() + 1);
    for chunk in chunks {
        held.push_str(chunk);
        let rest = held.split_off(held.len() - scanner.open_tail_len(&held));
        pieces.push(scanner.split(&std::mem::replace(&mut held, rest)));
    }
    pieces.push(scanner.split(&held));
    pieces
}

fn summary(events: &[ParsedEvent]) -> Value {
    let (mut reasoning, mut content) = (String::new(), String::new());
    let (mut calls, mut malformed) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            ParsedEvent::Thought(text) => reasoning.push_str(text),
            ParsedEvent::Text(text) => content.push_str(text),
            ParsedEvent::CallEnd {
                name, arguments, ..
            } => calls.push(json!({"name": name, "arguments": arguments})),
            ParsedEvent::Malformed { raw, code, .. } => {
                malformed.push(json!({"raw": raw, "code": code}))
            }
            ParsedEvent::CallStart { .. } | ParsedEvent::CallDelta { .. } => {}
        }
    }
    let reasoning = if reasoning.is_empty() {
        Value::Null
    } else {
        json!(reasoning)
    };
    json!({
        "reasoning": reasoning,
        "content": content,
        "tool_calls": calls,
        "malformed": malformed,
        "events": events.iter().map(ParsedEvent::to_json).collect::<Vec<_>>(),
    })
}
