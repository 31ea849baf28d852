//! What goes to the terminal: results to standard output, everything else to standard error. Plugins, servers and
//! models cannot send it escape sequences.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use lapidary::{Error, printable};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

static QUIET: AtomicBool = AtomicBool::new(false);

/// Remembers how much to print and shows warnings of the library on standard error.
pub fn start(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
    let level = if quiet {
        LevelFilter::ERROR
    } else {
        LevelFilter::WARN
    };
    // What it reports is our error, in words that mean nothing here.
    let shown = Targets::new().with_default(level);
    let shown = shown.with_target("rmcp::transport::worker", LevelFilter::OFF);
    tracing_subscriber::fmt()
        .with_writer(|| Warnings)
        // It would panic where nobody reads standard error.
        .log_internal_errors(false)
        .without_time()
        .finish()
        .with(shown)
        .init();
}

/// Standard error, for the lines of `tracing`.
struct Warnings;

impl Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(printable(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A progress line.
pub fn progress(line: &str) {
    if !is_quiet() {
        error_line(line);
    }
}

/// Whether nothing but results and errors is printed.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether somebody sees a line that is drawn again and again.
pub fn is_watched() -> bool {
    io::stderr().is_terminal() && !is_quiet()
}

/// Part of a line on standard error, dim on a terminal.
pub fn aside(text: &str) {
    if is_quiet() {
        return;
    }
    let (dim, plain) = if is_coloured() {
        ("\x1b[2m", "\x1b[0m")
    } else {
        ("", "")
    };
    let text = printable(text);
    // Nobody may be reading it; the answer goes on.
    drop(write!(io::stderr(), "{dim}{text}{plain}"));
}

fn error_line(line: &str) {
    // Nobody may be reading it; the exit code still tells.
    drop(writeln!(io::stderr(), "{}", printable(line)));
}

/// A question, which is no remark: it is shown with --quiet too.
pub fn question(text: &str) {
    // Who cannot read it does not agree.
    drop(write!(io::stderr(), "{}", printable(text)));
}

/// Part of the result, shown at once; as it is where no terminal would act on it.
pub fn result(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.is_terminal() {
        true => out.write_all(printable(text).as_bytes())?,
        false => out.write_all(text.as_bytes())?,
    }
    out.flush()
}

/// Says that a plugin's new version was refused.
pub fn kept(path: &Path, error: &anyhow::Error) {
    let path = path.display();
    error_line(&format!(
        "lapidary: {path} changed, and the version before it stays: {}",
        with_causes(error)
    ));
}

/// Prints an error and says how the process ends.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    error_line(&format!("lapidary: {}", with_causes(error)));
    let code = error
        .downcast_ref::<Error>()
        .map_or(1, |error| error.kind().exit_code());
    ExitCode::from(code)
}

/// The error and its causes, but for those that it tells itself.
fn with_causes(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn is_coloured() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

type Action = Box<dyn FnMut() + Send>;

static ON_INTERRUPT: Mutex<Option<Action>> = Mutex::new(None);
static INSTALL: Once = Once::new();

/// Runs `action` at the next Ctrl-C in place of the one before; without one, Ctrl-C ends the process.
pub fn on_interrupt(action: impl FnMut() + Send + 'static) {
    *ON_INTERRUPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(action));
    INSTALL.call_once(|| {
        let installed = ctrlc::set_handler(|| {
            match ON_INTERRUPT
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
            {
                Some(mut action) => action(),
                None => std::process::exit(130),
            }
        });
        if let Err(error) = installed {
            tracing::warn!("ctrl-c ends the process at once: {error}");
        }
    });
}
