//! The Model Context Protocol, both ways: our tools for its clients, and tools of its servers for our model.

mod child;
mod client;
mod http;
mod server;

pub use client::Servers;
pub use server::{Args, run};

use std::error::Error as _;

use lapidary::{Error, ErrorKind};

/// A name that two of a kind have.
fn twice<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let (subject, detail) = (
                format!("{kind} {name:?}"),
                "is offered twice; leave one out",
            );
            return Err(Error::new(ErrorKind::Invalid, subject, detail));
        }
    }
    Ok(())
}

/// What a model is told of `error`; its cause, such as what a plugin or a server logged, is the operator's.
fn told(error: &Error) -> String {
    if let Some(cause) = error.source() {
        tracing::warn!("{}: {cause}", error.subject());
    }
    error.to_string()
}

/// What the other side, or the way to it, does wrong.
fn failed(subject: &str, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, subject, detail.to_string())
}
