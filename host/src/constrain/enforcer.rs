//! Masks on a thread of their own.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::sample::Mask;

/// Says which ids may come next. Each call of [`Enforcer::mask`] belongs to one of [`Enforcer::take`], but for
/// the first, which belongs to the start. Its thread ends with it.
#[derive(Debug)]
pub(crate) struct Enforcer {
    ids: Sender<u32>,
    masks: Receiver<Result<Option<Mask>>>,
    mask_ms_max: u64,
    waited: Duration,
}

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
                drop(made.send(Ok(())));
                work(state, &inbox, &outbox);
            }
            Err(error) => drop(made.send(Err(error))),
        };
        thread::Builder::new()
            .name("lapidary-constraint".into())
            .spawn(run)
            .map_err(|error| {
                Error::io("constraint", "no thread can be started").with_source(error)
            })?;
        let max = limits.constraint_compile_ms_max;
        answer
            .recv_timeout(Duration::from_millis(max))
            .map_err(|error| no_answer(error, "constraint_compile_ms_max", max))??;
        Ok(Self {
            ids,
            masks,
            mask_ms_max: limits.constraint_mask_ms_max,
            waited: Duration::ZERO,
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
        mask.map_err(|error| no_answer(error, "constraint_mask_ms_max", max))?
    }

    /// The id that was chosen. The next mask is made while the caller does something else.
    pub fn take(&mut self, id: u32) {
        // A thread that ended has said why: the next mask is the error.
        let _ = self.ids.send(id);
    }

    /// The time that callers waited for masks so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

fn work(mut state: State, ids: &Receiver<u32>, masks: &Sender<Result<Option<Mask>>>) {
    let mut next = state.mask();
    loop {
        let failed = next.is_err();
        if masks.send(next).is_err() || failed {
            return;
        }
        let Ok(id) = ids.recv() else { return };
        next = state.take(id).and_then(|()| state.mask());
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
