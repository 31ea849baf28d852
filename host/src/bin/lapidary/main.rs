//! The `lapidary` command. One file for each subcommand.

mod agent;
mod answer;
mod bench;
mod chat;
mod conformance;
mod constraint;
mod demo;
mod doctor;
mod features;
mod fetch;
mod format;
mod generate;
mod inspect;
mod listing;
mod mcp;
mod message;
mod model;
mod parse;
mod plugin;
mod processors;
mod render;
mod repl;
mod sampling;
mod screen;
mod settings;
mod transcript;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Gemma 4 with its chat format and tools as sandboxed WebAssembly plugins.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  lapidary chat \"What is 17 times 23?\""
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print nothing but results and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Show what the embedded model can do, each with the command that does it.
    Demo(demo::Args),
    /// Answer a prompt, or talk.
    Chat(Box<chat::Args>),
    /// Let an agent, a plugin that drives the model, do a task.
    Agent(Box<agent::Args>),
    /// Render conversations to prompts, one JSON request a line.
    Render(render::Args),
    /// Parse what a model wrote, one JSON request a line.
    Parse(parse::Args),
    /// Generate from ids or raw text, with no chat format around it.
    Generate(Box<generate::Args>),
    /// Write the tensors that the encoders get.
    Features(features::Args),
    /// Fetch a bundle from a hub into the cache.
    Fetch(fetch::Args),
    /// Say what a bundle or a plugin is.
    Inspect(inspect::Args),
    /// Write plugins: start, build, test, sign and share them.
    Plugin(plugin::Args),
    /// Measure prefill, decode, first token, plugin overhead and cold start.
    Bench(bench::Args),
    /// Check this machine, each problem with its cure.
    Doctor(doctor::Args),
    /// Offer tool plugins to clients of the Model Context Protocol.
    Mcp(mcp::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    screen::start(cli.quiet);
    let done = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Chat(args) => chat::run(*args),
        Command::Agent(args) => agent::run(*args),
        Command::Render(args) => render::run(&args),
        Command::Parse(args) => parse::run(&args),
        Command::Generate(args) => generate::run(*args),
        Command::Features(args) => features::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Plugin(args) => plugin::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Mcp(args) => mcp::run(&args),
    };
    done.unwrap_or_else(|error| screen::report(&error))
}
