//! The product as its users see it: the real graphs, the real components, the embedded model.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad_input;
mod bundles;
mod capabilities;
mod chat;
mod constraint;
mod counts;
mod failure;
mod fetch;
mod forgery;
mod genai;
mod hostile;
mod hub;
mod injection;
mod limits;
mod media;
mod onnx;
mod parity;
mod parser;
mod prefill;
mod probe;
mod published;
mod record;
mod reload;
mod sampling;
#[cfg(feature = "preview")]
mod streaming;
mod support;
mod tools;
mod wasi;
mod worlds;
