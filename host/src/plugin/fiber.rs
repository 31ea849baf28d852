//! Guests that wait: suspended on a fiber while the host answers, and dropped when their time is over.

use std::future::{self, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::bounds::Stop;
#[cfg(feature = "http")]
use super::capability::Io;
use super::engine::Engines;
use super::interrupt::Interrupt;

/// When a call has to end. Clones are of one call.
#[derive(Clone)]
pub(super) struct Watch {
    pub interrupt: Interrupt,
    deadline: Arc<Mutex<Instant>>,
}

impl Watch {
    /// One that is over, until it is set.
    pub(super) fn new(interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
            deadline: Arc::new(Mutex::new(Instant::now())),
        }
    }

    pub(super) fn set(&self, deadline: Instant) {
        *self.lock() = deadline;
    }

    pub(super) fn deadline(&self) -> Instant {
        *self.lock()
    }

    /// Time that the model took is not the plugin's.
    pub(super) fn excuse(&self, waited: Duration) {
        *self.lock() += waited;
    }

    /// Whether the call may go on.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if self.interrupt.is_raised() {
            return Err(Stop::Cancelled);
        }
        match Instant::now() >= self.deadline() {
            true => Err(Stop::Late),
            false => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a guest's call on this thread. While the guest waits for the host the thread sleeps, and looks at
/// `watch` at each tick; while it runs, the epochs do that.
pub(super) fn run<T>(
    engines: &Engines,
    watch: &Watch,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    #[cfg(feature = "http")]
    let _network = engines.started_io().map(Io::enter);
    let mut call = pin!(call);
    // Not the executor of tokio: that one refuses to run inside itself, and a host may call us from there.
    pollster::block_on(future::poll_fn(|context| {
        if let Poll::Ready(done) = call.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if let Err(stop) = watch.check() {
            return Poll::Ready(Err(stop.into()));
        }
        engines.wake_at_tick(context.waker());
        Poll::Pending
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn wait(watch: &Watch) -> Option<Stop> {
        let engines = Engines::new(&Limits::default(), None).expect("engines");
        let forever = future::pending::<wasmtime::Result<()>>();
        let stopped = run(&engines, watch, forever).expect_err("an end");
        stopped.downcast_ref::<Stop>().copied()
    }

    #[test]
    fn who_waits_is_ended_at_the_deadline() {
        let watch = Watch::new(&Interrupt::new());
        watch.set(Instant::now() + Duration::from_millis(20));
        assert!(matches!(wait(&watch), Some(Stop::Late)));
        assert!(Instant::now() >= watch.deadline());
    }

    #[test]
    fn who_waits_is_ended_by_an_interrupt() {
        let watch = Watch::new(&Interrupt::new());
        watch.set(Instant::now() + Duration::from_secs(600));
        let interrupt = watch.interrupt.clone();
        let raise = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            interrupt.raise();
        });
        assert!(matches!(wait(&watch), Some(Stop::Cancelled)));
        raise.join().expect("no panic");
    }
}
