//! The model of a plugin's cases: it says what the case has it say.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use lapidary::{
    Error, ErrorKind, Inference, InferenceReply, InferenceRequest, Interrupt, StopReason,
};
use serde::Deserialize as _;
use serde_json::Value;

/// Answers in the order of a case's `model`.
#[derive(Default)]
pub struct Script(Mutex<VecDeque<String>>);

impl Script {
    /// A case begins; `answers` are its model's.
    pub fn begin(&self, answers: Option<&Value>) -> Result<(), String> {
        let answers = answers.map(VecDeque::deserialize).transpose();
        let answers = answers.map_err(|_| "expected model, a list of answers")?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = answers.unwrap_or_default();
        Ok(())
    }
}

impl Inference for Script {
    fn generate(&self, _: InferenceRequest, _: &Interrupt) -> lapidary::Result<InferenceReply> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = answers.pop_front().ok_or_else(|| {
            let detail = "expected an answer for each request, found no more in the case";
            Error::new(ErrorKind::Invalid, "model", detail)
        })?;
        Ok(InferenceReply {
            text,
            thought: String::new(),
            reason: StopReason::EndOfTurn,
            prompt_tokens: 0,
            output_tokens: 0,
        })
    }
}
