//! What callers and the engine say to each other.

use std::sync::mpsc::Sender;

use crate::chat::Sampling;
use crate::constrain::{Enforcer, ThoughtGate};
use crate::error::Result;
use crate::graph::RunControl;
use crate::model::Prompt;
use crate::sample::{Choices, Logprobs};
use crate::tensor::Tensor;

/// Changes the scores of the next token; told the token before it, none at the start.
pub(crate) type Processor = Box<dyn FnMut(Option<u32>, &mut Vec<f32>) -> Result<()> + Send>;

/// One sequence to generate.
pub(crate) struct Job {
    pub prompt: Prompt,
    pub sampling: Sampling,
    pub choices: Choices,
    /// Ends thoughts where their budget ends.
    pub thought: Option<ThoughtGate>,
    /// End the sequence; the ending id is reported too.
    pub stop_ids: Vec<u32>,
    /// Before anything else is done to logits. On the engine's thread: others wait for it.
    pub processor: Option<Processor>,
    /// Says which ids may come.
    pub constraint: Option<Enforcer>,
    pub tokens_max: usize,
    /// Report the logits of every prompt token and of every step.
    pub wants_logits: bool,
    /// Report each token's log-probability and those of so many of the likeliest.
    pub logprobs: Option<usize>,
    pub control: RunControl,
    pub steps: Sender<Result<Step>>,
}

/// One thing the engine did for a job.
#[derive(Debug)]
pub(crate) enum Step {
    /// The prompt is in the cache.
    Prefilled {
        milliseconds: f64,
        /// `[prompt tokens, vocab]`, when they were asked for.
        logits: Option<Tensor<f32>>,
    },
    /// The next token.
    Token {
        id: u32,
        /// When they were asked for.
        logprobs: Option<Logprobs>,
    },
    /// The logits after the last token, when they were asked for: `[1, vocab]`.
    Logits(Tensor<f32>),
    /// Always the last step of a job that did not fail.
    Ended { reason: EndReason, times: Times },
}

/// How long a job's steps took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// All steps after the prompt.
    pub decode: f64,
    /// The part of it inside ONNX Runtime.
    pub graphs: f64,
    /// The time that tokens waited for what may come, the first one's included.
    pub constraint: f64,
}

/// Why a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// A stop id.
    Stop,
    /// No more tokens were allowed.
    Length,
    /// The caller cancelled.
    Cancelled,
}
