//! Gemma 4 as ONNX graphs: bundles, encoders, embeddings, cached decoding.

mod bundle;
mod config;
mod decoder;
mod embed;
mod encoder;
mod files;
mod gemma;
mod prompt;
mod report;

pub use bundle::{Bundle, DtypeChoice, GraphRole};
pub use config::{BundleConfig, MediaIds};
pub(crate) use decoder::{KvCache, LogitRows};
pub use gemma::KvLayer;
pub(crate) use gemma::{Gemma, GemmaOptions};
pub use prompt::Prompt;
pub(crate) use prompt::{Features, MediaSpan};
pub use report::{BundleReport, GraphReport};
