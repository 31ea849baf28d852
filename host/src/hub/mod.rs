//! Bundles from a hub into the cache folder: only the files that a choice of dtypes needs, resumed and checked.
//!
//! What is spoken is the interface of huggingface.co: a list of files with sizes and checksums, and files by name.
//! Plugins come and go as OCI artefacts, see `registry`. The only module that names `ureq`. Nothing here runs unless it is called.

mod cache;
mod client;
mod download;
mod fetch;
mod id;
mod listing;
mod registry;

pub use cache::cached;
pub use fetch::{FetchProgress, FetchRequest, fetch};
pub use id::HubId;
pub use registry::{Artefact, Login, Reference, pull, push, read_layout, write_layout};
