//! `lapidary plugin record`: a chat, and a file of every use of a plugin in it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use clap::Args as ClapArgs;
use lapidary::{Error, ErrorKind, RuntimeBuilder};
use serde_json::Value;

use crate::{agent, chat, screen};

/// Chat as `lapidary chat` does, and write every use of a plugin to a file, for `lapidary plugin replay`.
///
/// One JSON object a line: plugin, its name; what it was asked; host, what it asked the host and was told; outcome,
/// what it answered. Asked are definitions and call of a tool, describe, render, constrain and parse of a chat format,
/// run of an agent, and session of a logits processor. Secrets are blanked; pictures and recordings are left out.
#[derive(ClapArgs)]
#[group(skip)]
#[command(
    after_help = "Example:\n  lapidary plugin record --out run.jsonl --plugin build/count-words.wasm \"How many words has: a b c?\""
)]
pub struct Args {
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Let this agent do the prompt, as `lapidary agent` does, in place of a chat.
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    #[command(flatten)]
    chat: chat::Args,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    check(&args.out)?;
    let lines = Lines::default();
    let builder = lines.take_from(args.chat.model.clone().builder()?);
    let done = match args.agent {
        Some(agent) => agent::run_on(builder, task(agent, args.chat)),
        None => chat::run_on(builder, args.chat),
    };
    if done.is_err() && lines.is_empty() {
        return done;
    }
    // A chat that fails is worth a recording most of all.
    let count = lines.write(&args.out)?;
    screen::progress(&format!("{count} lines in {}", args.out.display()));
    done
}

/// Finds out before the chat what would be lost after it, or by it.
fn check(out: &Path) -> Result<(), Error> {
    let refused = |detail| {
        Err(Error::new(
            ErrorKind::Invalid,
            out.display().to_string(),
            detail,
        ))
    };
    let mut begins = [0; 4];
    let begun = File::open(out).and_then(|mut file| file.read_exact(&mut begins));
    if begun.is_ok() && begins == *b"\0asm" {
        return refused("expected a file for the recording, found a component; name another file");
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    match out.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        true => refused(
            "expected a file in a folder that is there; make the folder, or name another file",
        ),
        false => Ok(()),
    }
}

fn task(agent: PathBuf, chat: chat::Args) -> agent::Args {
    agent::Args {
        agent,
        task: chat.prompt,
        model: chat.model,
        plugins: chat.plugins,
        message: chat.ask.message,
    }
}

/// The lines so far.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Value>>>);

impl Lines {
    fn take_from(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        let lines = self.clone();
        builder.record(move |line| {
            let mut lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        })
    }

    fn is_empty(&self) -> bool {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.is_empty()
    }

    fn write(&self, path: &PathBuf) -> anyhow::Result<usize> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(lines.len())
    }
}
