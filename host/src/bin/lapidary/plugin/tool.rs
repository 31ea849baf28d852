//! The ecosystems' own tools: finding and running them.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use lapidary::{Error, ErrorKind};

use crate::screen;

/// The first of `names` on the path; `install` is the command that would bring one.
pub fn find(names: &[&str], install: &str) -> anyhow::Result<PathBuf> {
    let found = names.iter().find_map(|name| on_path(name));
    found.ok_or_else(|| {
        let detail = format!("expected it on the path, found none; type: {install}");
        Error::new(ErrorKind::Io, names.join(" or "), detail).into()
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(&file))
        .find(|file| file.is_file())
}

/// Runs a tool in `folder`. What it prints is shown when it fails.
pub fn run<A: AsRef<OsStr>>(
    command: &mut Command,
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<()> {
    command.current_dir(folder).args(arguments);
    let output = command
        .output()
        .with_context(|| format!("{}: cannot be started", name(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let detail = format!("ended with {}:\n{}", output.status, said.trim_end());
    Err(Error::new(ErrorKind::Invalid, name(command), detail).into())
}

/// As [`run`] a tool that tells on standard error how far it is: it goes on doing so, unless all is to be quiet.
pub fn run_seen<A: AsRef<OsStr>>(
    command: &mut Command,
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<()> {
    if screen::is_quiet() {
        return run(command, folder, arguments);
    }
    command.current_dir(folder).args(arguments);
    let status = command
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{}: cannot be started", name(command)))?;
    if status.success() {
        return Ok(());
    }
    let detail = format!("ended with {status}");
    Err(Error::new(ErrorKind::Invalid, name(command), detail).into())
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    name.to_string_lossy().into_owned()
}
