//! Masks on a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::state::{State, Stop};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::sample::Mask;

/// Says which ids may come next. Each call of [`Enforcer::mask`] belongs to one of [`Enforcer::take`], but for
/// the first, which belongs to the start. Its thread ends with it.
#[derive(Debug)]
pub(crate) struct Enforcer {
    ids: Sender<u32>,
    masks: Receiver<Made>,
    stop: Arc<Stop>,
    mask_ms_max: u64,
    waited: Duration,
    mask_time: Duration,
}

/// A mask, and how long it took.
type Made = (Result<Option<Mask>>, Duration);

impl Enforcer {
    /// Makes a state on a new thread, and waits until it is made.
    pub(super) fn start(
        limits: &Limits,
        make: impl FnOnce() -> Result<State> + Send + 'static,
    ) -> Result<Self> {
        let (ids, inbox) = mpsc::channel();
        let (outbox, masks) = mpsc::channel();
        let (made, answer) = mpsc::channel();
        let run = move || match make() {
            Ok(state) => {
                drop(made.send(Ok(state.stop())));
                work(state, &inbox, &outbox);
            }
            Err(error) => drop(made.send(Err(error))),
        };
        thread::Builder::new()
            .name("lapidary-constraint".into())
            .stack_size(limits.constraint_bytes_max.saturating_mul(STACK_PER_BYTE))
            .spawn(run)
            .map_err(|error| {
                Error::io("constraint", "no thread can be started").with_source(error)
            })?;
        let max = limits.constraint_compile_ms_max;
        let stop = answer
            .recv_timeout(Duration::from_millis(max))
            .map_err(|error| no_answer(error, "constraint_compile_ms_max", max))??;
        Ok(Self {
            ids,
            masks,
            stop,
            mask_ms_max: limits.constraint_mask_ms_max,
            waited: Duration::ZERO,
            mask_time: Duration::ZERO,
        })
    }

    /// The mask of the next id, or `None` where any may come. Waits for it, if the graph was faster.
    ///
    /// # Errors
    /// `Invalid` when the grammar cannot be met, `Unsupported` when it is too complex,
    /// `Limit("constraint_mask_ms_max")`.
    pub fn mask(&mut self) -> Result<Option<Mask>> {
        let (started, max) = (Instant::now(), self.mask_ms_max);
        let mask = self.masks.recv_timeout(Duration::from_millis(max));
        self.waited += started.elapsed();
        let (mask, took) = mask.map_err(|error| no_answer(error, "constraint_mask_ms_max", max))?;
        self.mask_time = took;
        mask
    }

    /// The id that was chosen. The next mask is made while the caller does something else.
    pub fn take(&self, id: u32) {
        // A thread that ended has said why: the next mask is the error.
        let _ = self.ids.send(id);
    }

    /// How long the last mask took to be made, whoever waited.
    pub fn mask_time(&self) -> Duration {
        self.mask_time
    }

    /// The time that callers waited for masks so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        self.stop.raise();
    }
}

/// Stack for each byte of grammar. The compiler recurses once for each rule that stands in another, and its
/// overflow would end the process. Measured with chains of the shortest rules; what is not used is not mapped.
const STACK_PER_BYTE: usize = 4096;

fn work(mut state: State, ids: &Receiver<u32>, masks: &Sender<Made>) {
    let mut id = None;
    loop {
        let started = Instant::now();
        let taken = id.map_or(Ok(()), |id| state.take(id));
        let next = taken.and_then(|()| state.mask());
        let failed = next.is_err();
        if masks.send((next, started.elapsed())).is_err() || failed {
            return;
        }
        match ids.recv() {
            Ok(next) => id = Some(next),
            Err(_) => return,
        }
    }
}

fn no_answer(error: RecvTimeoutError, name: &'static str, max: u64) -> Error {
    match error {
        RecvTimeoutError::Timeout => {
            let detail =
                format!("expected at most {max} ms, found more; make it simpler or raise {name}");
            Error::new(ErrorKind::Limit(name), "constraint", detail)
        }
        RecvTimeoutError::Disconnected => {
            Error::graph("constraint", "stopped unexpectedly; ask again")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use llguidance::toktrie::{ApproximateTokEnv, TokEnv};
    use llguidance::{Matcher, ParserFactory, api::TopLevelGrammar};

    use super::*;

    fn state() -> State {
        let environment: TokEnv = Arc::new(ApproximateTokEnv::single_byte());
        let factory = ParserFactory::new_simple(&environment).unwrap();
        let grammar = TopLevelGrammar::from_lark("start: \"ab\" <|end|>".into());
        let matcher = Matcher::new(factory.create_parser(grammar));
        State::new(matcher, Vec::new(), None)
    }

    fn limits(ms: u64) -> Limits {
        Limits {
            constraint_compile_ms_max: ms,
            constraint_mask_ms_max: ms,
            ..Limits::default()
        }
    }

    #[test]
    fn a_grammar_that_takes_too_long_to_compile_is_given_up() {
        let slow = || {
            thread::sleep(Duration::from_secs(2));
            Ok(state())
        };
        let error = Enforcer::start(&limits(20), slow).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit("constraint_compile_ms_max"));
    }

    #[test]
    fn a_mask_that_takes_too_long_is_given_up() {
        let mut enforcer = Enforcer::start(&limits(5_000), || Ok(state())).unwrap();
        enforcer.mask_ms_max = 20;
        assert!(enforcer.mask().unwrap().unwrap().allows(u32::from(b'a')));
        // Nothing was taken, so that no mask comes.
        let error = enforcer.mask().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit("constraint_mask_ms_max"));
    }

    #[test]
    fn a_token_that_does_not_fit_is_an_error_at_the_next_mask() {
        let mut enforcer = Enforcer::start(&limits(5_000), || Ok(state())).unwrap();
        enforcer.mask().unwrap();
        enforcer.take(u32::from(b'x'));
        assert_eq!(enforcer.mask().unwrap_err().kind(), ErrorKind::Invalid);
    }
}
