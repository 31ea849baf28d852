//! Plugins as OCI artefacts: in a folder, or in a registry.
//!
//! An artefact is the component as its only layer, of the shape that other tools for WebAssembly components use
//! (`application/wasm`, config `application/vnd.wasm.config.v0+json`). It is named by the digest of its manifest,
//! which names the digests of the rest; whatever is read is checked against them.

mod artefact;
mod client;
mod layout;
mod reference;

pub use artefact::Artefact;
pub use client::{Login, pull, push};
pub use layout::{read_layout, write_layout};
pub use reference::Reference;
