//! Who may be called now: so many at once, and nobody who keeps failing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first rest; each further one is twice as long.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Health {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: usize,
    failures_in_a_row: u32,
    rests: u32,
    rests_until: Option<Instant>,
}

/// Why a call is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Full,
    Resting { failures: u32, left: Duration },
}

/// A call that was let in.
pub(super) struct Admitted<'a> {
    health: &'a Health,
}

impl Health {
    pub(super) fn admit(&self, calls_max: usize) -> Result<Admitted<'_>, Closed> {
        let mut inner = self.inner();
        inner.awake()?;
        if inner.running >= calls_max {
            return Err(Closed::Full);
        }
        inner.running += 1;
        Ok(Admitted { health: self })
    }

    /// Nothing, unless it rests.
    pub(super) fn awake(&self) -> Result<(), Closed> {
        self.inner().awake()
    }

    /// One success and all is forgotten; `failures_max` failures in a row and the plugin rests.
    pub(super) fn record(&self, failed: bool, failures_max: u32) {
        let mut inner = self.inner();
        if !failed {
            (inner.failures_in_a_row, inner.rests, inner.rests_until) = (0, 0, None);
            return;
        }
        inner.failures_in_a_row += 1;
        if inner.failures_in_a_row >= failures_max {
            let rest = REST_MIN
                .saturating_mul(1 << inner.rests.min(6))
                .min(REST_MAX);
            inner.rests += 1;
            inner.rests_until = Some(Instant::now() + rest);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn awake(&self) -> Result<(), Closed> {
        let until = self.rests_until;
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(Closed::Resting {
                failures: self.failures_in_a_row,
                left,
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.health.inner().running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(health: &Health) -> Option<Duration> {
        match health.admit(1) {
            Err(Closed::Resting { left, .. }) => Some(left),
            Err(Closed::Full) | Ok(_) => None,
        }
    }

    #[test]
    fn rests_grow_and_end_with_a_success() {
        let health = Health::default();
        health.record(true, 2);
        assert_eq!(rest(&health), None);
        health.record(true, 2);
        let first = rest(&health).expect("two failures");
        health.record(true, 2);
        let second = rest(&health).expect("three failures");
        assert!(first <= REST_MIN && second > REST_MIN && second <= REST_MIN * 2);
        for _ in 0..100 {
            health.record(true, 2);
        }
        assert!(rest(&health).expect("many failures") <= REST_MAX);
        health.record(false, 2);
        assert_eq!(rest(&health), None);
    }

    #[test]
    fn only_so_many_run_at_once() {
        let health = Health::default();
        let first = health.admit(1).expect("room");
        assert!(matches!(health.admit(1), Err(Closed::Full)));
        drop(first);
        assert!(health.admit(1).is_ok());
    }
}
