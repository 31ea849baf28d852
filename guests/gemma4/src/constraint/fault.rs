//! Refusals, each with a code of the README.

use lapidary_guest::{Error, ErrorKind};

/// A request that cannot be met.
pub fn refuse(code: &str, message: &str) -> Error {
    Error {
        kind: ErrorKind::InvalidInput,
        code: format!("constraint.{code}"),
        message: message.to_owned(),
        at: None,
    }
}

/// A schema that no grammar expresses; `at` is a JSON pointer into it.
pub fn unsupported(message: &str, at: &str) -> Error {
    Error {
        kind: ErrorKind::Unsupported,
        at: Some(at.to_owned()),
        ..refuse("unsupported-schema", message)
    }
}

/// A schema that nothing fits, or that is none.
pub fn bad(message: &str, at: &str) -> Error {
    Error {
        at: Some(at.to_owned()),
        ..refuse("bad-schema", message)
    }
}
