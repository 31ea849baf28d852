//! The clock of running and of waiting guests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

use crate::error::{Error, Result};

/// How often a guest looks at its deadline and its interrupt.
const TICK: Duration = Duration::from_millis(1);

/// Advances the engines' epochs, and wakes who waits for that, until it is dropped.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    // Nothing is ever sent: the thread ends when this end is gone.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    count: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Ticker {
    pub(super) fn start(engines: Vec<Engine>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = mpsc::channel::<()>();
        let ticking = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("lapidary-ticker".into())
            .spawn(move || ticking.run(&engines, &stopped))
            .map_err(|source| {
                Error::io("plugin ticker", "cannot start its thread").with_source(source)
            })?;
        Ok(Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ticks since the start.
    pub(super) fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Wakes `waker` at the next tick, once.
    pub(super) fn wake(&self, waker: &Waker) {
        let waiting = self.shared.waiting.lock();
        waiting
            .unwrap_or_else(PoisonError::into_inner)
            .push(waker.clone());
    }
}

impl Shared {
    fn run(&self, engines: &[Engine], stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            engines.iter().for_each(Engine::increment_epoch);
            self.count.fetch_add(1, Ordering::Relaxed);
            let waiting = self.waiting.lock();
            let waiting = std::mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner));
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It cannot panic, and a destructor could do nothing about it.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_until_it_is_dropped() {
        let ticker = Ticker::start(Vec::new()).expect("a thread");
        std::thread::sleep(Duration::from_millis(200));
        assert!(ticker.count() > 10, "{} ticks in 200 ms", ticker.count());
        let shared = Arc::clone(&ticker.shared);
        drop(ticker);
        // The thread's own clone is gone with the thread.
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    #[test]
    fn it_wakes_who_waits() {
        let ticker = Ticker::start(Vec::new()).expect("a thread");
        let before = ticker.count();
        let mut waited = false;
        pollster::block_on(std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            ticker.wake(context.waker());
            std::task::Poll::Pending
        }));
        assert!(ticker.count() > before);
    }
}
