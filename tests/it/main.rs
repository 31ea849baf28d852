//! The product as its users see it: the real graphs, the real components, the embedded model.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad_input;
mod chat;
mod forgery;
mod hostile;
mod limits;
mod media;
mod parity;
mod parser;
mod sampling;
mod support;
mod tools;
