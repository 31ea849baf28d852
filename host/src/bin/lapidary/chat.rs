//! `lapidary chat`: one answer, or a conversation.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args as ClapArgs;
use lapidary::{ChatOptions, Error, ErrorKind, FinishReason, Runtime, RuntimeBuilder};

use crate::answer::{View, answer};
use crate::constraint::ConstraintArgs;
use crate::mcp::Servers;
use crate::message::MessageArgs;
use crate::model::{ModelArgs, PluginArgs};
use crate::repl;
use crate::sampling::{LogitArgs, SamplingArgs};
use crate::transcript::Transcript;

/// Answer a prompt, or talk.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary chat --plugin calculator --think \"What is 17 times 23?\""
)]
pub struct Args {
    /// What to ask. Without it, on a terminal a conversation begins; else standard input is read.
    pub prompt: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub plugins: PluginArgs,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print one event a line, as JSON.
    #[arg(long)]
    json: bool,
    /// A server of the Model Context Protocol, by its command line, with which it is started, or by its address,
    /// http://… or https://…; the model may call its tools. One that the server does not call read-only is asked about
    /// first; its word for that is believed. May be given several times.
    #[arg(long, value_name = "COMMAND|ADDRESS")]
    mcp: Vec<String>,
}

/// What goes with the prompt, and how the answer is chosen.
#[derive(ClapArgs, Clone, Debug)]
pub struct AskArgs {
    #[command(flatten)]
    pub message: MessageArgs,
    #[command(flatten)]
    pub constraint: ConstraintArgs,
    /// The most tokens to generate, tool rounds included.
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// A text that ends the answer. May be given several times.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub logits: LogitArgs,
}

impl AskArgs {
    /// The options of each chat.
    ///
    /// # Errors
    /// A schema that cannot be read.
    pub fn options(&self, runtime: &Runtime) -> anyhow::Result<ChatOptions> {
        let (tool_choice, strict, response_format) = self.constraint.constraint()?;
        Ok(ChatOptions {
            sampling: Some(self.sampling.over(runtime.config().sampling)),
            thinking: self.constraint.thinking(),
            tool_choice,
            strict,
            response_format,
            approval: Some(self.constraint.approval()),
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            logit_bias: self.logits.logit_bias.clone(),
            logprobs: self.logits.logprobs,
            ..ChatOptions::default()
        })
    }
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let builder = args.model.clone().builder()?;
    run_on(builder, args)
}

/// Runs it on the model of `builder`.
pub fn run_on(builder: RuntimeBuilder, args: Args) -> anyhow::Result<ExitCode> {
    let runtime = args.plugins.add_to(builder)?.build()?;
    let mut servers = Servers::start(&args.mcp, &runtime)?;
    let prompt = match args.prompt {
        Some(prompt) => prompt,
        None if std::io::stdin().is_terminal() => {
            return repl::run(&runtime, args.ask, &args.plugins, &mut servers);
        }
        None => standard_input()?,
    };
    let conversation = args.ask.message.conversation(prompt)?;
    let options = args.ask.options(&runtime)?;
    let view = match args.json {
        true => View::Json,
        false => View::Terminal(Transcript::new()),
    };
    let (reason, _) = answer(&runtime, conversation, options, &mut servers, view)?;
    Ok(exit_code(reason))
}

/// How the process ends after an answer.
pub fn exit_code(reason: FinishReason) -> ExitCode {
    match reason {
        FinishReason::Cancelled => ExitCode::from(130),
        FinishReason::EndOfTurn
        | FinishReason::Length
        | FinishReason::ToolCall
        | FinishReason::Stop => ExitCode::SUCCESS,
    }
}

/// All of standard input, as a prompt.
pub fn standard_input() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.context("standard input: cannot be read")?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let detail = format!("expected text in UTF-8, found another byte at {place}");
        Error::new(ErrorKind::Invalid, "standard input", detail)
    })?;
    Ok(text)
}
