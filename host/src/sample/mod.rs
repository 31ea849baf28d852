//! Logits to a token id.

mod filters;
mod logprobs;
mod penalty;
mod sampler;

pub(crate) use logprobs::{Logprobs, logprobs};
pub(crate) use sampler::{Choices, Mask, Sampler};
