//! A server that we started: its life, and what it said when it died.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapidary::{Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::failed;

/// The process. It does not outlive this.
pub struct Child {
    process: tokio::process::Child,
    said: Said,
    listener: JoinHandle<()>,
}

/// The end of its standard error.
type Said = Arc<Mutex<VecDeque<u8>>>;

/// Bytes that are kept of it.
const SAID_BYTES_MAX: usize = 4 << 10;
/// Lines of it that an error shows.
const SAID_LINES_MAX: usize = 5;
/// How long a server may take to end by itself.
pub const ENDING: Duration = Duration::from_secs(3);

impl Child {
    /// Starts a command line; its output and its input carry the protocol.
    pub fn start(command: &str) -> Result<(Self, ChildStdout, ChildStdin), Error> {
        let words = shlex::split(command).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            let detail = "expected a command line, found an empty or unquoted one";
            return Err(Error::new(ErrorKind::Invalid, "--mcp", detail));
        };
        let mut process = Command::new(program);
        process
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C at the terminal stops an answer; servers go on.
        #[cfg(unix)]
        process.process_group(0);
        let mut process = process
            .spawn()
            .map_err(|error| failed(&format!("--mcp {command:?}"), error))?;
        let streams = (
            process.stdout.take(),
            process.stdin.take(),
            process.stderr.take(),
        );
        let (Some(output), Some(input), Some(errors)) = streams else {
            return Err(failed(command, "its streams cannot be had"));
        };
        let said = Said::default();
        let listener = tokio::spawn(listen(errors, Arc::clone(&said)));
        let child = Self {
            process,
            said,
            listener,
        };
        Ok((child, output, input))
    }

    /// `error`, and how the server ended if it did; the cause is what it said last, which is for the operator.
    pub async fn explain(&mut self, error: &Error) -> Error {
        let mut detail = error.to_string();
        let subject = format!("{}: ", error.subject());
        if let Some(rest) = detail.strip_prefix(&subject) {
            detail = rest.to_owned();
        }
        if let Ok(Ok(status)) = timeout(ENDING, self.process.wait()).await {
            // What it said is in the pipe by now; a process of its own may hold that open.
            drop(timeout(ENDING, &mut self.listener).await);
            detail = format!("it ended ({status}): {detail}");
        }
        let explained = Error::new(error.kind(), error.subject(), detail);
        match last_lines(&self.said) {
            Some(lines) => explained.with_source(format!("it said last:\n{lines}")),
            None => explained,
        }
    }

    /// Lets it end, whose input is closed; then asks it to, then makes it.
    pub async fn end(mut self) {
        if timeout(ENDING, self.process.wait()).await.is_ok() {
            return;
        }
        #[cfg(unix)]
        if self.asked_to_end() && timeout(ENDING, self.process.wait()).await.is_ok() {
            return;
        }
        if let Err(error) = self.process.kill().await {
            tracing::warn!("a server of --mcp cannot be ended: {error}");
        }
    }

    /// Asks it and what it started, such as the program behind a shell.
    #[cfg(unix)]
    fn asked_to_end(&self) -> bool {
        use rustix::process::{Pid, Signal, kill_process_group};
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        id.is_some_and(|id| kill_process_group(id, Signal::TERM).is_ok())
    }
}

async fn listen(mut errors: impl AsyncRead + Unpin, said: Said) {
    let mut buffer = [0; 1 << 10];
    while let Ok(count @ 1..) = errors.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend(&buffer[..count]);
        let over = said.len().saturating_sub(SAID_BYTES_MAX);
        said.drain(..over);
    }
}

fn last_lines(said: &Said) -> Option<String> {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes: Vec<u8> = said.iter().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(SAID_LINES_MAX)..];
    (!last.is_empty()).then(|| last.join("\n"))
}
