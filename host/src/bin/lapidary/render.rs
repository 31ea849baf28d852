//! `lapidary render`: conversations to prompts.

use std::io::BufRead;
use std::process::ExitCode;

use clap::{Args as ClapArgs, ValueEnum};
use lapidary::{
    Conversation, Error, Format, Interrupt, Limits, MediaKind, Piece, PromptStyle, RenderRequest,
    Segment, Thinking, Tokenizer, ToolSpec,
};
use serde_json::{Value, json};

use crate::format::FormatArgs;
use crate::model;
use crate::screen;

/// Render conversations to prompts, one JSON request a line.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  echo '{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | lapidary render --jsonl"
)]
pub struct Args {
    /// One request a line in, one result or error a line out, in the same order. The only form there is.
    /// A request has messages, and may have tools, enable_thinking, preserve_thinking,
    /// add_generation_prompt and continue_final_message.
    #[arg(long, required = true)]
    jsonl: bool,
    /// How prompts end: small for E2B and E4B, large for 12B, 26B-A4B and 31B.
    #[arg(long, value_enum)]
    variant: Option<Variant>,
    #[command(flatten)]
    format: FormatArgs,
    /// A bundle's directory: adds token ids, chooses the variant, and brings its template.
    #[arg(long)]
    model: Option<String>,
}

/// A [`PromptStyle`] on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum Variant {
    Small,
    Large,
}

impl From<Variant> for PromptStyle {
    fn from(variant: Variant) -> Self {
        match variant {
            Variant::Small => Self::Small,
            Variant::Large => Self::Large,
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bundle = args
        .model
        .as_deref()
        .map(|name| model::bundle(Some(name)))
        .transpose()?;
    let format = args.format.load(bundle.as_ref(), &Limits::default())?;
    let tokenizer = bundle
        .as_ref()
        .map(|bundle| bundle.tokenizer())
        .transpose()?;
    let of_bundle = bundle.as_ref().map(|bundle| bundle.config().prompt_style);
    let style = args.variant.map(PromptStyle::from).or(of_bundle);
    let style = style.unwrap_or_default();
    answer_lines(|line| render(&format, &request(line)?, style, tokenizer.as_ref()))?;
    Ok(ExitCode::SUCCESS)
}

/// `{"error":{"kind":…,"message":…}}`.
fn error_json(error: &Error) -> Value {
    json!({"error": {"kind": error.kind().name(), "message": error.to_string()}})
}

/// One line of input as a JSON object.
pub fn request(line: &[u8]) -> lapidary::Result<Value> {
    let parsed: Result<Value, _> = serde_json::from_slice(line);
    match parsed {
        Ok(request @ Value::Object(_)) => Ok(request),
        Ok(_) => Err(invalid(
            "request",
            "expected one JSON object a line, found another value",
        )),
        Err(error) => Err(invalid(
            "request",
            &format!("expected one JSON object a line: {error}"),
        )),
    }
}

/// Answers each line of standard input with one line; a request that fails is answered by its error.
pub fn answer_lines(answer: impl Fn(&[u8]) -> lapidary::Result<Value>) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().split(b'\n') {
        let result = answer(&line?).unwrap_or_else(|error| error_json(&error));
        screen::result(&format!("{result}\n"))?;
    }
    Ok(())
}

/// The `tools` of a request.
pub fn tools(request: &Value) -> lapidary::Result<Vec<ToolSpec>> {
    match &request["tools"] {
        Value::Null => Ok(Vec::new()),
        Value::Array(tools) => tools.iter().map(ToolSpec::from_json).collect(),
        _ => Err(invalid("/tools", "expected a list")),
    }
}

fn flag(request: &Value, key: &str, default: bool) -> lapidary::Result<bool> {
    match &request[key] {
        Value::Null => Ok(default),
        Value::Bool(value) => Ok(*value),
        _ => Err(invalid(&format!("/{key}"), "expected true or false")),
    }
}

fn invalid(subject: &str, detail: &str) -> Error {
    Error::new(lapidary::ErrorKind::Invalid, subject, detail)
}

/// One request rendered: `text`, `pieces`, and `ids` with a tokenizer.
pub fn render(
    format: &Format,
    request: &Value,
    style: PromptStyle,
    tokenizer: Option<&Tokenizer>,
) -> lapidary::Result<Value> {
    let conversation = Conversation::from_json(&request["messages"])?;
    let flag = |key: &str, default| flag(request, key, default);
    let rendering = RenderRequest {
        conversation: &conversation,
        tools: &tools(request)?,
        thinking: if flag("enable_thinking", false)? {
            Thinking::On
        } else {
            Thinking::Off
        },
        preserve_thinking: flag("preserve_thinking", false)?,
        add_generation_prompt: flag("add_generation_prompt", true)?,
        continue_final_message: flag("continue_final_message", false)?,
        style,
        extra: None,
    };
    let rendered = format.render(&rendering, &Interrupt::new())?;
    let placeholders: Vec<&str> = conversation
        .media()
        .map(|media| placeholder(media.kind))
        .collect();
    let text: String = rendered
        .pieces
        .iter()
        .map(|piece| text_of(piece, &placeholders))
        .collect();
    let mut result = json!({"text": text, "pieces": rendered.pieces});
    if let Some(tokenizer) = tokenizer {
        let segments: Vec<Segment<'_>> = rendered
            .pieces
            .iter()
            .map(|piece| segment(piece, &placeholders))
            .collect();
        result["ids"] = json!(tokenizer.encode(&segments)?);
    }
    Ok(result)
}

/// How the reference template shows a media item before the processor expands it.
fn placeholder(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "<|image|>",
        MediaKind::Audio => "<|audio|>",
        MediaKind::Video => "<|video|>",
    }
}

fn text_of<'a>(piece: &'a Piece, placeholders: &[&'a str]) -> &'a str {
    match piece {
        Piece::Control(text) | Piece::Data(text) => text,
        Piece::Media(index) => placeholders[*index],
    }
}

fn segment<'a>(piece: &'a Piece, placeholders: &[&'a str]) -> Segment<'a> {
    match piece {
        Piece::Data(text) => Segment::Data(text),
        Piece::Control(_) | Piece::Media(_) => Segment::Control(text_of(piece, placeholders)),
    }
}
