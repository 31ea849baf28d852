//! Gemma 4 as ONNX graphs: bundles, encoders, embeddings, cached decoding.

mod bundle;
mod cache;
mod config;
mod decoder;
mod dtype;
mod embed;
mod encoder;
mod extras;
mod files;
mod gemma;
mod genai;
mod json;
mod kv;
mod layout;
mod memory;
#[cfg(feature = "hub")]
mod needed;
mod prompt;
mod report;
mod role;
mod template;

pub use bundle::Bundle;
pub(crate) use cache::KvCache;
pub use config::{BundleConfig, MediaIds};
pub(crate) use decoder::LogitRows;
pub use dtype::DtypeChoice;
pub(crate) use gemma::{Gemma, GemmaOptions};
pub use kv::KvLayer;
pub use memory::MemoryEstimate;
#[cfg(feature = "hub")]
pub(crate) use needed::needed_files;
pub use prompt::Prompt;
pub(crate) use prompt::{Features, MediaSpan};
pub use report::{BundleReport, GraphReport};
pub use role::GraphRole;
pub use template::ChatTemplate;
