//! The installed programs `ffmpeg` and `ffprobe`. The only file that runs them.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};

/// What the programs read.
pub(super) struct Input<'a> {
    pub(super) path: PathBuf,
    /// The one demuxer that may read it. Without it a playlist could name other files.
    pub(super) demuxer: &'static str,
    /// Names the movie in errors.
    pub(super) subject: &'a str,
}

impl Input<'_> {
    /// What `ffprobe` tells, one `key=value` a line.
    ///
    /// # Errors
    /// `Io` without the program; `Invalid` when it refuses the file.
    pub(super) fn probe(&self, options: &[&str], entries: &str) -> Result<String> {
        let mut command = self.command("ffprobe");
        command.args(options).args([
            "-show_entries",
            entries,
            "-of",
            "default=noprint_wrappers=1",
        ]);
        let output = command.arg("-i").arg(self.url()).output();
        let output = output.map_err(|error| missing(self.subject, "ffprobe", error))?;
        if !output.status.success() {
            return Err(stopped(
                self.subject,
                String::from_utf8_lossy(&output.stderr).into(),
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into())
    }

    /// Starts `ffmpeg` on it; `options` say what to write to its output.
    ///
    /// # Errors
    /// `Io` without the program.
    pub(super) fn start(&self, options: &[&str]) -> Result<Running> {
        let mut command = self.command("ffmpeg");
        command
            .arg("-nostdin")
            .arg("-i")
            .arg(self.url())
            .args(options);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| missing(self.subject, "ffmpeg", error))?;
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let errors = child.stderr.take().expect("its errors are piped");
        Ok(Running {
            child,
            output,
            errors: Some(thread::spawn(move || read_errors(errors))),
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args([
            "-v",
            "error",
            "-protocol_whitelist",
            "file,pipe",
            "-f",
            self.demuxer,
        ]);
        command.stdin(Stdio::null());
        command
    }

    /// Named as a file, so that no name is taken for an option or another protocol.
    fn url(&self) -> OsString {
        let mut url = OsString::from("file:");
        url.push(&self.path);
        url
    }
}

/// `ffmpeg` at work; stopped when dropped.
pub(super) struct Running {
    child: Child,
    pub(super) output: BufReader<ChildStdout>,
    errors: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// `Invalid` when it ended in an error.
    pub(super) fn finish(mut self, subject: &str) -> Result<()> {
        let status = self
            .child
            .wait()
            .map_err(|error| stopped(subject, error.to_string()))?;
        let errors = self.errors.take().and_then(|errors| errors.join().ok());
        if status.success() {
            return Ok(());
        }
        Err(stopped(subject, errors.unwrap_or_default()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first words of what `ffmpeg` complains of; the rest is read too, so that it does not block.
fn read_errors(mut errors: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // An unreadable complaint only makes the error shorter.
    let _ = errors.by_ref().take(4096).read_to_end(&mut bytes);
    let _ = io::copy(&mut errors, &mut io::sink());
    String::from_utf8_lossy(&bytes).into()
}

fn missing(subject: &str, program: &str, error: io::Error) -> Error {
    let detail = format!(
        "needs {program}, which cannot be started; install ffmpeg, or pass a folder of frames or an animation"
    );
    Error::io(subject, detail).with_source(error)
}

pub(super) fn stopped(subject: &str, complaint: String) -> Error {
    let detail = "expected a whole movie, found one that ffmpeg cannot read";
    Error::invalid(subject, detail).with_source(complaint.trim())
}
