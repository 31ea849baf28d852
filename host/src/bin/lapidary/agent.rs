//! `lapidary agent`: a plugin that drives the model, and a task for it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args as ClapArgs;
use lapidary::{AgentPlugin, Content, Interrupt, RuntimeBuilder};

use crate::chat::standard_input;
use crate::message::MessageArgs;
use crate::model::{ModelArgs, PluginArgs, file_name};
use crate::screen;

/// Let an agent, a plugin that drives the model, do a task.
///
/// It asks for the model with --grant inference, or --grant inference:TOKENS for so many tokens a minute.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary agent --grant inference build/line-by-line.wasm \"Hello!\""
)]
pub struct Args {
    /// The agent, a component's file.
    pub agent: PathBuf,
    /// What to do. Without it, standard input is read.
    pub task: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub plugins: PluginArgs,
    #[command(flatten)]
    pub message: MessageArgs,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let builder = args.model.clone().builder()?;
    run_on(builder, args)
}

/// Runs it on the model of `builder`.
pub fn run_on(builder: RuntimeBuilder, mut args: Args) -> anyhow::Result<ExitCode> {
    args.plugins.tools.agent = Some(file_name(&args.agent));
    let runtime = args.plugins.add_to(builder)?.build()?;
    let file = args.plugins.tools.file(&args.agent)?;
    let engines = runtime.engines();
    let agent = AgentPlugin::load(&file.name, &file.component, &file.grants, engines)?;
    let task = args.task.map_or_else(standard_input, Ok)?;
    let conversation = args.message.conversation(task)?;
    let interrupt = Interrupt::new();
    let stop = interrupt.clone();
    screen::on_interrupt(move || stop.raise());
    let started = Instant::now();
    let answer = agent.run(&conversation, &interrupt)?;
    screen::result(&format!("{}\n", text(&answer)))?;
    let tokens = agent.metrics().inference_tokens;
    let seconds = started.elapsed().as_secs_f64();
    screen::progress(&format!("[{tokens} tokens of the model in {seconds:.1} s]"));
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &Content) -> String {
    let json = answer.to_json();
    json.as_str()
        .map_or_else(|| json.to_string(), str::to_owned)
}
