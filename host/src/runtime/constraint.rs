//! What one turn of the model has to obey: the format says it, the engine keeps it.

use super::Inner;
use crate::chat::{ChatOptions, ResponseFormat, Thinking, ToolChoice, ToolSpec, Usage};
use crate::constrain::{Enforcer, Grammar, ThoughtGate, check_ends};
use crate::error::{Error, ErrorKind, Result};
use crate::plugin::{ConstrainRequest, Constrained, Interrupt, ThoughtMarks};
use crate::text::{TokenPiece, Tokenizer};

/// The rules of one turn.
#[derive(Default)]
pub(super) struct Rules {
    pub enforcer: Option<Enforcer>,
    /// Behind the prompt, before the first token.
    pub thought: Option<ThoughtGate>,
    pub banned_ids: Vec<u32>,
}

impl Rules {
    /// Asks the format, and compiles what it says.
    ///
    /// `turn_count` and `usage` are those of the chat so far.
    ///
    /// # Errors
    /// `Invalid` for a schema that only an endless text fits, `Unsupported` when the format cannot say it, `Limit` for what the grammar may cost, and what the format
    /// and the grammar's compiler say.
    pub fn of_turn(
        inner: &Inner,
        options: &ChatOptions,
        specs: &[ToolSpec],
        prefix: &[TokenPiece],
        (turn_count, usage): (usize, &Usage),
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let request = ConstrainRequest {
            prefix,
            tools: specs,
            tool_choice: tool_choice(options, turn_count),
            strict: options.strict,
            response_format: &options.response_format,
            thinking: options.thinking,
        };
        check_schemas(&request)?;
        match inner.format.constrain(&request, interrupt) {
            Ok(Some(said)) => Self::new(inner, options, said, usage),
            Ok(None) if asks_nothing(&request) => Ok(Self::default()),
            Ok(None) => Err(mute(inner)),
            Err(error) if error.kind() == ErrorKind::Unsupported && asks_nothing(&request) => {
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }

    fn new(inner: &Inner, options: &ChatOptions, said: Constrained, usage: &Usage) -> Result<Self> {
        let left = match options.thinking {
            Thinking::Budget(tokens) => Some(tokens.saturating_sub(usage.thought_tokens)),
            Thinking::Off | Thinking::On => None,
        };
        let marks = said.thought;
        let thought = marks.map(|marks| gate(&inner.tokenizer, &marks, left));
        let thought = thought.transpose()?;
        let enforcer = said.grammar.map(|(lark, after)| {
            let grammar = Grammar {
                lark,
                after: control_ids(inner, after)?,
                thought: thought.clone(),
            };
            let tokenizer = &inner.tokenizer;
            inner.grammars.enforce(grammar, tokenizer, &inner.limits)
        });
        Ok(Self {
            enforcer: enforcer.transpose()?,
            thought,
            banned_ids: control_ids(inner, said.banned)?,
        })
    }
}

/// Refuses schemas that would have the model write until its tokens end.
fn check_schemas(request: &ConstrainRequest<'_>) -> Result<()> {
    if let ResponseFormat::JsonSchema(schema) = request.response_format {
        check_ends("response_format", schema)?;
    }
    let mut tools = request.tools.iter().filter(|_| request.strict);
    tools.try_for_each(|tool| check_ends(&format!("tool {:?}", tool.name), &tool.parameters))
}

fn gate(
    tokenizer: &Tokenizer,
    marks: &ThoughtMarks,
    tokens_max: Option<usize>,
) -> Result<ThoughtGate> {
    let open_id = control_id(tokenizer, &marks.open)?;
    let close_id = control_id(tokenizer, &marks.close)?;
    Ok(ThoughtGate::new(
        open_id,
        close_id,
        marks.is_open,
        tokens_max,
    ))
}

/// A call that must be made is made in the first turn; then the model may answer.
fn tool_choice(options: &ChatOptions, turn_count: usize) -> &ToolChoice {
    match &options.tool_choice {
        ToolChoice::Required | ToolChoice::Named(_) if turn_count > 0 => &ToolChoice::Auto,
        choice => choice,
    }
}

fn asks_nothing(request: &ConstrainRequest<'_>) -> bool {
    *request.tool_choice == ToolChoice::Auto
        && *request.response_format == ResponseFormat::Text
        && !request.strict
        && !matches!(request.thinking, Thinking::Budget(_))
}

fn mute(inner: &Inner) -> Error {
    let subject = format!("plugin {:?}", inner.format.describe().name);
    let detail = "expected it to say what the model may write, found no export `constraint`; leave out \
                  tool_choice, strict, response_format and the thinking budget, or use another format";
    Error::unsupported(subject, detail)
}

fn control_ids(inner: &Inner, spellings: Vec<String>) -> Result<Vec<u32>> {
    let ids = spellings.iter();
    ids.map(|spelling| control_id(&inner.tokenizer, spelling))
        .collect()
}

fn control_id(tokenizer: &Tokenizer, spelling: &str) -> Result<u32> {
    tokenizer.control_id(spelling).ok_or_else(|| {
        let detail = format!("expected control tokens of the model, found {spelling:?}");
        Error::plugin("chat format", detail)
    })
}
