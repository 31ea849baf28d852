//! The installed programs `ffmpeg` and `ffprobe`. The only file that runs them.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, Result};

/// What the programs read.
pub(super) struct Input<'a> {
    pub(super) path: PathBuf,
    /// The one demuxer that may read it. Without it a playlist could name other files.
    pub(super) demuxer: &'static str,
    /// Names the movie in errors.
    pub(super) subject: &'a str,
    /// Milliseconds of one run of a program.
    pub(super) ms_max: u64,
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
        command.arg("-i").arg(self.url());
        let mut running = self.run(command, "ffprobe")?;
        let mut told = Vec::new();
        let read = running.output.read_to_end(&mut told);
        read.map_err(|error| running.blame(stopped(self.subject, error.to_string())))?;
        running.finish()?;
        Ok(String::from_utf8_lossy(&told).into())
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
        self.run(command, "ffmpeg")
    }

    fn run(&self, command: Command, program: &str) -> Result<Running> {
        let started = Running::start(command, self.subject, self.ms_max);
        started.map_err(|error| missing(self.subject, program, error))
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

/// A program at work; stopped when it takes too long or is dropped.
pub(super) struct Running {
    child: Arc<Mutex<Child>>,
    pub(super) output: BufReader<ChildStdout>,
    errors: Option<JoinHandle<String>>,
    subject: String,
    ms_max: u64,
    is_late: Arc<AtomicBool>,
    // Nothing is ever sent: the watchman leaves when this end is gone.
    _watched: mpsc::Sender<()>,
}

impl Running {
    fn start(mut command: Command, subject: &str, ms_max: u64) -> io::Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let errors = child.stderr.take().expect("its errors are piped");
        let child = Arc::new(Mutex::new(child));
        let is_late = Arc::new(AtomicBool::new(false));
        let (watched, ended) = mpsc::channel();
        let (ward, late) = (Arc::clone(&child), Arc::clone(&is_late));
        thread::spawn(move || {
            if ended.recv_timeout(Duration::from_millis(ms_max)) == Err(RecvTimeoutError::Timeout) {
                late.store(true, Ordering::SeqCst);
                stop(&ward);
            }
        });
        Ok(Self {
            child,
            output,
            errors: Some(thread::spawn(move || read_errors(errors))),
            subject: subject.to_owned(),
            ms_max,
            is_late,
            _watched: watched,
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// `Invalid` when it ended in an error; `Limit("movie_ms_max")`.
    pub(super) fn finish(mut self) -> Result<()> {
        let status = self
            .status()
            .map_err(|error| stopped(&self.subject, error.to_string()));
        let status = status.map_err(|error| self.blame(error))?;
        let errors = self.errors.take().and_then(|errors| errors.join().ok());
        if status.success() {
            return Ok(());
        }
        Err(self.blame(stopped(&self.subject, errors.unwrap_or_default())))
    }

    /// `error`, unless it comes of a program that was stopped.
    ///
    /// What it was writing ends in the middle then.
    pub(super) fn blame(&self, error: Error) -> Error {
        if !self.is_late.load(Ordering::SeqCst) {
            return error;
        }
        let max = format!("{} ms of ffmpeg", self.ms_max);
        Error::limit("movie_ms_max", &self.subject, max, "a longer run")
    }

    /// Its output has ended, so that it ends soon; whoever watches must not wait for it.
    fn status(&self) -> io::Result<ExitStatus> {
        const LOOK: Duration = Duration::from_millis(2);
        loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            drop(child);
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        stop(&self.child);
    }
}

fn stop(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // Both fail only when it has already ended.
    let _ = child.kill();
    let _ = child.wait();
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

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_program_that_takes_too_long_is_stopped() {
        let start = Instant::now();
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut running = Running::start(command, "video 1", 50).expect("it is everywhere");
        let mut told = String::new();
        let read = running.output.read_to_string(&mut told);
        assert_eq!(read.expect("the end of nothing"), 0);
        let error = running.finish().expect_err("it was stopped");
        assert_eq!(error.kind(), ErrorKind::Limit("movie_ms_max"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_that_ends_in_time_is_left_alone() {
        let mut command = Command::new("echo");
        command.arg("width=64");
        let mut running = Running::start(command, "video 1", 60_000).expect("it is everywhere");
        let mut told = String::new();
        running.output.read_to_string(&mut told).expect("text");
        assert_eq!(told, "width=64\n");
        running.finish().expect("it went well");
    }
}
