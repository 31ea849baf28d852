//! The flags that say what the model may write.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use lapidary::{Approval, Error, ErrorKind, ResponseFormat, Thinking, ToolCall, ToolChoice};

use crate::model::read;
use crate::screen;

/// What the model may write.
#[derive(ClapArgs, Clone, Debug)]
pub struct ConstraintArgs {
    /// Think before answering, with at most so many tokens.
    #[arg(long, value_name = "BUDGET", num_args = 0..=1, require_equals = true)]
    pub think: Option<Option<usize>>,
    /// Whether tools are called: auto, none, required, or the name of the one to call.
    #[arg(long, value_name = "CHOICE")]
    tool_choice: Option<String>,
    /// Calls fit their tool's schema.
    #[arg(long)]
    strict: bool,
    /// Run tools that need approval without asking. Otherwise the terminal asks; without one they do not run.
    #[arg(long)]
    approve: bool,
    #[command(flatten)]
    answer: AnswerArgs,
}

/// At most one of them.
#[derive(ClapArgs, Clone, Debug)]
#[group(multiple = false)]
struct AnswerArgs {
    /// A file with a JSON Schema that the answer fits.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A regular expression that the answer matches as a whole.
    #[arg(long, value_name = "PATTERN")]
    regex: Option<String>,
    /// A text that the answer may be. May be given several times.
    #[arg(long, value_name = "TEXT")]
    choice: Vec<String>,
}

impl ConstraintArgs {
    /// Who decides about calls that need approval.
    pub fn approval(&self) -> Approval {
        let always = self.approve;
        Approval::new(move |call| always || asked(call))
    }

    pub fn thinking(&self) -> Thinking {
        match self.think {
            None => Thinking::Off,
            Some(None) => Thinking::On,
            Some(Some(tokens)) => Thinking::Budget(tokens),
        }
    }

    /// Tool choice, strictness, and what the answer is.
    pub fn constraint(&self) -> anyhow::Result<(ToolChoice, bool, ResponseFormat)> {
        let tool_choice = match self.tool_choice.as_deref() {
            None | Some("auto") => ToolChoice::Auto,
            Some("none") => ToolChoice::None,
            Some("required") => ToolChoice::Required,
            Some(name) => ToolChoice::Named(name.to_owned()),
        };
        Ok((tool_choice, self.strict, self.answer.format()?))
    }
}

impl AnswerArgs {
    fn format(&self) -> anyhow::Result<ResponseFormat> {
        if let Some(path) = &self.schema {
            let schema = serde_json::from_slice(&read(path)?).map_err(|error| {
                let detail = format!("expected a JSON Schema: {error}");
                Error::new(ErrorKind::Invalid, "--schema", detail)
            })?;
            return Ok(ResponseFormat::JsonSchema(schema));
        }
        if let Some(pattern) = &self.regex {
            return Ok(ResponseFormat::Regex(pattern.clone()));
        }
        Ok(match self.choice.as_slice() {
            [] => ResponseFormat::Text,
            texts => ResponseFormat::Choice(texts.to_vec()),
        })
    }
}

/// Asks the person at the terminal; nobody there means no.
fn asked(call: &ToolCall) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    screen::question(&format!("\nrun {}({})? [y/N] ", call.name, call.arguments));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
