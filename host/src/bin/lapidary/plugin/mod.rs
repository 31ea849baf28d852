//! `lapidary plugin`: what a plugin's author does. One file for each subcommand.

mod check;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

/// Write plugins: look at them before they run.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin check count_words.wasm")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say whether a host would take a component, and why not.
    Check(check::Args),
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Check(args) => check::run(args),
    }
}
