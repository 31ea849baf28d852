//! The library's one error: who failed, in what way, and what to do about it.

use std::error::Error as StdError;
use std::fmt;

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure: a subject, what was expected and found, and often the way out.
///
/// One word wide. `{}` prints what may be told to anybody, the model and other programs too; `{:#}` adds the causes,
/// which are for the operator: what a plugin logged last, and where it was. Both are [`printable`].
///
/// ```
/// use lapidary::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Invalid, "image 2", "expected a PNG or JPEG, found text");
/// assert_eq!(error.to_string(), "image 2: expected a PNG or JPEG, found text");
/// assert_eq!(error.kind().exit_code(), 2);
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    subject: String,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What went wrong, told by who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller: mend the request.
    Invalid,
    /// The caller: another format, provider or build is needed.
    Unsupported,
    /// The operator: raise the named limit of [`Limits`](crate::Limits), or of a grant, or refuse the input.
    Limit(&'static str),
    /// The plugin's author: a trap, a timeout, or an error of its own.
    Plugin,
    /// Whoever exported the model: a missing graph, a wrong shape, a broken file.
    Bundle,
    /// ONNX Runtime or us.
    Graph,
    /// The environment: a file, the network, a missing library.
    Io,
    /// Nobody: it was cancelled.
    Cancelled,
}

impl ErrorKind {
    /// The command's exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Io => 1,
            Self::Invalid | Self::Unsupported => 2,
            Self::Limit(_) => 3,
            Self::Plugin => 4,
            Self::Bundle | Self::Graph => 5,
            Self::Cancelled => 130,
        }
    }

    /// A stable name, as `--json` output shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Limit(_) => "limit",
            Self::Plugin => "plugin",
            Self::Bundle => "bundle",
            Self::Graph => "graph",
            Self::Io => "io",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Error {
    /// An error about `subject`. `detail` says what was expected, what was found, and the way out.
    pub fn new(kind: ErrorKind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                subject: subject.into(),
                detail: detail.into(),
                source: None,
            }),
        }
    }

    /// Keeps the cause, which `{:#}` and [`StdError::source`] show.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Who failed: `plugin "weather.wasm"`, `graph "decoder"`, `image 2`.
    pub fn subject(&self) -> &str {
        &self.inner.subject
    }

    /// The same, for somebody else to act.
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    pub(crate) fn invalid(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, subject, detail)
    }

    pub(crate) fn unsupported(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, subject, detail)
    }

    /// `found` is more than `limit` allows; the field of `Limits` is `name`.
    pub(crate) fn limit(
        name: &'static str,
        subject: impl Into<String>,
        limit: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let detail =
            format!("expected at most {limit}, found {found}; make it smaller or raise {name}");
        Self::new(ErrorKind::Limit(name), subject, detail)
    }

    pub(crate) fn plugin(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Plugin, subject, detail)
    }

    pub(crate) fn bundle(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bundle, subject, detail)
    }

    pub(crate) fn graph(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Graph, subject, detail)
    }

    pub(crate) fn io(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Io, subject, detail)
    }

    pub(crate) fn cancelled(subject: impl Into<String>) -> Self {
        Self::new(ErrorKind::Cancelled, subject, "cancelled")
    }

    /// A file that could not be read.
    pub(crate) fn reading(path: &std::path::Path, source: std::io::Error) -> Self {
        let detail = format!("cannot be read: {source}");
        Self::io(path.display().to_string(), detail).with_source(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}: {}", self.inner.subject, self.inner.detail);
        let mut cause = self.source().filter(|_| f.alternate());
        while let Some(error) = cause {
            text.push_str(&format!("\n  because {error}"));
            cause = error.source();
        }
        f.write_str(&printable(&text))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {self:#}", self.kind())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as _)
    }
}

/// `text` as it may go to a terminal, whoever wrote it: but for tabs and ends of lines, control characters become
/// spaces, and so do those that reorder what a person reads.
///
/// ```
/// assert_eq!(lapidary::printable("a\u{1b}]0;b\u{7}\n\u{202e}c"), "a ]0;b \n c");
/// ```
pub fn printable(text: &str) -> String {
    let plain = |character: char| match character {
        '\n' | '\t' => character,
        _ if is_disruptive(character) => ' ',
        _ => character,
    };
    text.chars().map(plain).collect()
}

/// Whether a terminal would act on it in place of showing it, or show what follows in another order.
pub(crate) fn is_disruptive(character: char) -> bool {
    let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || reorders
}
