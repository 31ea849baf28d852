//! One running sequence.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::job::{EndReason, Job, Step, Times};
use crate::constrain::ThoughtGate;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Gemma, KvCache, LogitRows};
use crate::sample::{Sampler, logprobs};
use crate::tensor::Tensor;

/// A sequence between two steps: its last token is reported but not yet in the cache.
pub(super) struct Sequence {
    job: Job,
    cache: KvCache,
    sampler: Sampler,
    last_id: u32,
    token_count: usize,
    decode: Duration,
    graphs: Duration,
}

impl Sequence {
    /// Runs the prompt and reports the first token. `None` when that was already all.
    pub fn start(model: &mut Gemma, mut job: Job) -> Option<Self> {
        let started = Instant::now();
        let (cache, logits) = match prefill(model, &job) {
            Ok(prefilled) => prefilled,
            Err(error) => {
                fail(&mut job, error, Times::default());
                return None;
            }
        };
        let sampler = Sampler::new(job.sampling, &job.choices, &job.prompt.ids);
        let (decode, graphs) = (Duration::ZERO, Duration::ZERO);
        let mut sequence = Self {
            job,
            cache,
            sampler,
            last_id: 0,
            token_count: 0,
            decode,
            graphs,
        };
        let wanted = sequence.job.wants_logits.then(|| logits.clone());
        sequence.report(Step::Prefilled {
            milliseconds: milliseconds(started.elapsed()),
            logits: wanted,
        });
        let ended = sequence.choose(last_row(&logits));
        sequence.goes_on(ended).then_some(sequence)
    }

    /// Runs one step. `false` when the sequence has ended.
    pub fn advance(&mut self, model: &mut Gemma) -> bool {
        let (started, busy) = (Instant::now(), model.busy());
        let stepped = model.step(self.last_id, &mut self.cache, &self.job.control);
        let ended = match stepped {
            Ok(logits) => {
                if self.job.wants_logits {
                    self.report(Step::Logits(logits.clone()));
                }
                self.choose(last_row(&logits))
            }
            Err(error) => {
                let times = self.times();
                fail(&mut self.job, error, times);
                return false;
            }
        };
        self.decode += started.elapsed();
        self.graphs += model.busy() - busy;
        self.goes_on(ended)
    }

    /// Chooses and reports the next token, or says why there is none.
    fn choose(&mut self, logits: &[f32]) -> Result<Option<EndReason>> {
        if self.job.control.is_cancelled() {
            return Ok(Some(EndReason::Cancelled));
        }
        if self.token_count >= self.job.tokens_max {
            return Ok(Some(EndReason::Length));
        }
        let id = self.pick(logits)?;
        self.take(id);
        let logprobs = self.job.logprobs.map(|count| logprobs(logits, id, count));
        if !self.report(Step::Token { id, logprobs }) {
            return Ok(Some(EndReason::Cancelled));
        }
        if self.job.stop_ids.contains(&id) {
            return Ok(Some(EndReason::Stop));
        }
        // Without logits to report, the step after the last token would be for nothing.
        let is_last = self.token_count >= self.job.tokens_max && !self.job.wants_logits;
        Ok(is_last.then_some(EndReason::Length))
    }

    fn pick(&mut self, logits: &[f32]) -> Result<u32> {
        let logits = self.processed(logits)?;
        let mask = match &mut self.job.constraint {
            Some(constraint) => constraint.mask()?,
            None => None,
        };
        let forced = self.job.thought.as_ref().and_then(ThoughtGate::forced_id);
        if let Some(id) = forced {
            return Ok(self.sampler.forced(id));
        }
        let barred = self.job.thought.as_ref().and_then(ThoughtGate::barred_id);
        if let Some(id) = barred {
            self.sampler.suppress(id);
        }
        let next = self.sampler.next(&logits, mask.as_ref());
        next.ok_or_else(|| no_choice(mask.is_some()))
    }

    /// The logits as the job's processor leaves them.
    fn processed<'a>(&mut self, logits: &'a [f32]) -> Result<Cow<'a, [f32]>> {
        let last_id = (self.token_count > 0).then_some(self.last_id);
        let Some(process) = &mut self.job.processor else {
            return Ok(Cow::Borrowed(logits));
        };
        let mut scores = logits.to_vec();
        process(last_id, &mut scores)?;
        Ok(Cow::Owned(scores))
    }

    fn take(&mut self, id: u32) {
        self.last_id = id;
        self.token_count += 1;
        self.sampler.took(id);
        if let Some(thought) = &mut self.job.thought {
            thought.took(id);
        }
        if let Some(constraint) = &self.job.constraint {
            constraint.take(id);
        }
    }

    /// Tells the caller of an end. `false` when there is one.
    fn goes_on(&mut self, ended: Result<Option<EndReason>>) -> bool {
        let times = self.times();
        match ended {
            Ok(None) => return true,
            Ok(Some(reason)) => {
                // What it has to say when it ends, it has said when the caller hears of the end.
                self.job.processor = None;
                self.report(Step::Ended { reason, times });
            }
            Err(error) => fail(&mut self.job, error, times),
        }
        false
    }

    fn times(&self) -> Times {
        Times {
            decode: milliseconds(self.decode),
            graphs: milliseconds(self.graphs),
            constraint: self
                .job
                .constraint
                .as_ref()
                .map_or(0.0, |one| milliseconds(one.waited())),
        }
    }

    /// `false` when nobody listens any more.
    fn report(&self, step: Step) -> bool {
        self.job.steps.send(Ok(step)).is_ok()
    }
}

fn prefill(model: &mut Gemma, job: &Job) -> Result<(KvCache, Tensor<f32>)> {
    let rows = if job.wants_logits {
        LogitRows::All
    } else {
        LogitRows::Last
    };
    let mut cache = model.empty_cache()?;
    let logits = model.prefill(&job.prompt, &mut cache, rows, &job.control)?;
    Ok((cache, logits))
}

fn fail(job: &mut Job, error: Error, times: Times) {
    job.processor = None;
    let step = match error.kind() {
        ErrorKind::Cancelled => Ok(Step::Ended {
            reason: EndReason::Cancelled,
            times,
        }),
        _ => Err(error),
    };
    // The caller may have gone; then nobody needs to know.
    drop(job.steps.send(step));
}

fn no_choice(is_constrained: bool) -> Error {
    if is_constrained {
        let detail = "expected a token that the grammar and the request both allow, found none; it cannot be met";
        return Error::invalid("constraint", detail);
    }
    let detail = "expected a token that may come next, found none; the logits are no numbers, or \
                  logit_bias bans every token";
    Error::graph("sampling", detail)
}

fn last_row(logits: &Tensor<f32>) -> &[f32] {
    logits.row(logits.row_count() - 1)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
