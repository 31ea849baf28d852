//! `lapidary plugin`: what a plugin's author does. One file for each subcommand.

mod build;
mod c;
mod cases;
mod check;
mod conform;
mod contract;
mod lock;
mod manifest;
mod new;
mod pack;
mod record;
mod replay;
mod script;
mod sign;
mod test;
mod tool;

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};

/// Write plugins: start, build, test, sign and share them.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin new --lang js count-words")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a plugin: a folder that builds, with something in it that works.
    New(new::Args),
    /// Build a component from a plugin's folder, by the language's own tool.
    Build(build::Args),
    /// Run the plugin's own cases, or a chat format's conformance corpus.
    Test(test::Args),
    /// Say whether a host would take a component, and why not.
    Check(check::Args),
    /// Chat, and write every use of a plugin to a file.
    Record(Box<record::Args>),
    /// Do it again with another version, and print what changed.
    Replay(replay::Args),
    /// Make a key to sign plugins with.
    Key(sign::KeyArgs),
    /// Sign a component.
    Sign(sign::SignArgs),
    /// Say who signed a component, if it is unchanged since.
    Verify(sign::VerifyArgs),
    /// Pack a plugin as an OCI artefact into a folder.
    Pack(pack::PackArgs),
    /// Push a packed plugin to a registry.
    Push(pack::PushArgs),
    /// Pull a plugin from a registry or a folder, and pin it.
    Pull(pack::PullArgs),
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::New(args) => new::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Record(args) => record::run(*args),
        Command::Replay(args) => replay::run(&args),
        Command::Key(args) => sign::key(&args),
        Command::Sign(args) => sign::sign(&args),
        Command::Verify(args) => sign::verify(&args),
        Command::Pack(args) => pack::pack(&args),
        Command::Push(args) => pack::push(&args),
        Command::Pull(args) => pack::pull(&args),
    }
}
