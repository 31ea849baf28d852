//! One running sequence.

use std::time::Instant;

use super::job::{EndReason, Job, Step};
use crate::error::{ErrorKind, Result};
use crate::model::{Gemma, KvCache, LogitRows};
use crate::sample::Sampler;
use crate::tensor::Tensor;

/// A sequence between two steps: its last token is reported but not yet in the cache.
pub(super) struct Sequence {
    job: Job,
    cache: KvCache,
    sampler: Sampler,
    last_id: u32,
    token_count: usize,
    decode_milliseconds: f64,
}

impl Sequence {
    /// Runs the prompt and reports the first token. `None` when that was already all.
    pub fn start(model: &mut Gemma, job: Job) -> Option<Self> {
        let started = Instant::now();
        let rows = if job.wants_logits {
            LogitRows::All
        } else {
            LogitRows::Last
        };
        let prefilled = model.empty_cache().and_then(|mut cache| {
            let logits = model.prefill(&job.prompt, &mut cache, rows, &job.control)?;
            Ok((cache, logits))
        });
        let (cache, logits) = match prefilled {
            Ok(prefilled) => prefilled,
            Err(error) => {
                fail(&job, error, 0.0);
                return None;
            }
        };
        let sampler = Sampler::new(job.sampling, &job.suppressed_ids);
        let mut sequence = Self {
            job,
            cache,
            sampler,
            last_id: 0,
            token_count: 0,
            decode_milliseconds: 0.0,
        };
        let next = last_row(&logits).to_vec();
        let logits = sequence.job.wants_logits.then_some(logits);
        let milliseconds = milliseconds_since(started);
        let goes_on = sequence.report(Step::Prefilled {
            milliseconds,
            logits,
        }) && sequence.choose(&next);
        goes_on.then_some(sequence)
    }

    /// Runs one step. `false` when the sequence has ended.
    pub fn advance(&mut self, model: &mut Gemma) -> bool {
        let started = Instant::now();
        let stepped = model.step(self.last_id, &mut self.cache, &self.job.control);
        match stepped {
            Ok(logits) => {
                let goes_on = self.report_logits(&logits) && self.choose(last_row(&logits));
                self.decode_milliseconds += milliseconds_since(started);
                goes_on
            }
            Err(error) => {
                fail(&self.job, error, self.decode_milliseconds);
                false
            }
        }
    }

    fn choose(&mut self, logits: &[f32]) -> bool {
        if self.job.control.is_cancelled() {
            return self.end(EndReason::Cancelled);
        }
        if self.token_count >= self.job.tokens_max {
            return self.end(EndReason::Length);
        }
        self.last_id = self.sampler.next(logits);
        self.token_count += 1;
        if !self.report(Step::Token(self.last_id)) {
            return false;
        }
        if self.job.stop_ids.contains(&self.last_id) {
            return self.end(EndReason::Stop);
        }
        // Without logits to report, the step after the last token would be for nothing.
        let is_last = self.token_count >= self.job.tokens_max && !self.job.wants_logits;
        if is_last {
            self.end(EndReason::Length)
        } else {
            true
        }
    }

    fn end(&self, reason: EndReason) -> bool {
        self.report(Step::Ended {
            reason,
            decode_milliseconds: self.decode_milliseconds,
        });
        false
    }

    fn report_logits(&self, logits: &Tensor<f32>) -> bool {
        !self.job.wants_logits || self.report(Step::Logits(logits.clone()))
    }

    /// `false` when nobody listens any more.
    fn report(&self, step: Step) -> bool {
        self.job.steps.send(Ok(step)).is_ok()
    }
}

fn fail(job: &Job, error: crate::error::Error, decode_milliseconds: f64) {
    let step: Result<Step> = match error.kind() {
        ErrorKind::Cancelled => Ok(Step::Ended {
            reason: EndReason::Cancelled,
            decode_milliseconds,
        }),
        _ => Err(error),
    };
    // The caller may have gone; then nobody needs to know.
    drop(job.steps.send(step));
}

fn last_row(logits: &Tensor<f32>) -> &[f32] {
    logits.row(logits.row_count() - 1)
}

fn milliseconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}
