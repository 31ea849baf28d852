//! What is refused, as data with stable codes.

use std::fmt;

use lapidary_guest::{Error, ErrorKind};
use minijinja::ErrorKind as Cause;

/// What a template says with `raise_exception`.
#[derive(Debug)]
pub struct Raised(pub String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// A request that has no rendering; `code` without its `template.` in front.
pub fn invalid(code: &str, message: impl Into<String>) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        &format!("template.{code}"),
        message,
    )
}

/// Why the template did not end well.
pub fn of_template(error: &minijinja::Error) -> Error {
    if let Some(Raised(message)) = raised(error) {
        return invalid("refused", format!("the template refuses: {message}"));
    }
    let code = match error.kind() {
        Cause::SyntaxError => "syntax",
        Cause::WriteFailure => "too-long",
        _ => "failed",
    };
    let line = error
        .line()
        .map(|line| format!(" in line {line}"))
        .unwrap_or_default();
    invalid(code, format!("the template fails{line}: {error}"))
}

fn raised(error: &minijinja::Error) -> Option<&Raised> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(raised) = error.downcast_ref() {
            return Some(raised);
        }
        cause = error.source();
    }
    None
}
