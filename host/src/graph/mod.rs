//! ONNX graphs through ONNX Runtime. The only module that names `ort`.
//!
//! [`Graph::load`] opens a graph from files or from memory and [`Graph::run`] runs it by name; a [`Value`] that
//! comes out of one run goes into the next without a copy on the host. The library itself is found by
//! [`library`], never at build time, and nothing of ONNX Runtime is touched before it was found and checked.

mod control;
mod fetch;
#[expect(
    clippy::module_inception,
    reason = "the module is named after its main type"
)]
mod graph;
mod header;
pub mod library;
mod load;
mod proto;
mod provider;
mod signature;
mod value;

pub use control::RunControl;
pub use graph::Graph;
pub(crate) use header::Header;
pub use load::{GraphOptions, GraphSource};
pub use provider::{Provider, Providers, available};
pub use signature::Dtype;
pub(crate) use signature::Port;
pub use value::Value;
