//! Logits to a token id.

mod filters;
mod sampler;

pub(crate) use sampler::Sampler;
