//! What a plugin does and costs, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// What one plugin did since it was loaded. Calls of every kind count: descriptions, prompts, pieces of output,
/// tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PluginMetrics {
    /// Calls into the plugin.
    pub calls: u64,
    /// Of them, those that failed by the plugin's own doing: traps, timeouts, broken contracts, errors of its own.
    pub failures: u64,
    /// Of them, those that the host ended at a bound of time, memory, fuel or host calls.
    pub stopped: u64,
    /// Calls that the caller cancelled.
    pub cancelled: u64,
    /// Calls that were not let in: too many at once, or a plugin that rests after failures.
    pub turned_away: u64,
    /// Times that the host went on without it: a fallback answered or stood in, or nothing did.
    pub bypassed: u64,
    /// Times that a capability refused what the plugin asked of it.
    pub denied: u64,
    /// Calls from the plugin to the host.
    pub host_calls: u64,
    /// Microseconds in calls, waiting included.
    pub time_us: u64,
    /// The most bytes of memory that one instance held.
    pub memory_bytes_max: u64,
    /// Fuel burnt, where it is metered.
    pub fuel: u64,
    /// Tokens of the host's model, prompts and answers.
    pub inference_tokens: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicU64,
    failures: AtomicU64,
    stopped: AtomicU64,
    cancelled: AtomicU64,
    turned_away: AtomicU64,
    bypassed: AtomicU64,
    denied: AtomicU64,
    host_calls: AtomicU64,
    time_us: AtomicU64,
    memory_bytes_max: AtomicU64,
    fuel: AtomicU64,
    inference_tokens: AtomicU64,
}

/// What one call used.
pub(super) struct Used {
    pub time: Duration,
    pub memory_bytes: usize,
    pub host_calls: u64,
    pub fuel: u64,
}

const ORDER: Ordering = Ordering::Relaxed;

impl Counters {
    pub(super) fn call(&self, used: &Used, stopped: bool, error: Option<&Error>) {
        self.calls.fetch_add(1, ORDER);
        self.stopped.fetch_add(u64::from(stopped), ORDER);
        let us = u64::try_from(used.time.as_micros()).unwrap_or(u64::MAX);
        self.time_us.fetch_add(us, ORDER);
        self.memory_bytes_max
            .fetch_max(used.memory_bytes as u64, ORDER);
        self.host_calls.fetch_add(used.host_calls, ORDER);
        self.fuel.fetch_add(used.fuel, ORDER);
        let cancelled = error.is_some_and(|error| error.kind() == ErrorKind::Cancelled);
        self.cancelled.fetch_add(u64::from(cancelled), ORDER);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, ORDER);
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, ORDER);
    }

    pub(super) fn bypassed(&self) {
        self.bypassed.fetch_add(1, ORDER);
    }

    pub(super) fn denied(&self) {
        self.denied.fetch_add(1, ORDER);
    }

    pub(super) fn inference(&self, tokens: u32) {
        self.inference_tokens.fetch_add(u64::from(tokens), ORDER);
    }

    pub(super) fn snapshot(&self) -> PluginMetrics {
        let read = |counter: &AtomicU64| counter.load(ORDER);
        PluginMetrics {
            calls: read(&self.calls),
            failures: read(&self.failures),
            stopped: read(&self.stopped),
            cancelled: read(&self.cancelled),
            turned_away: read(&self.turned_away),
            bypassed: read(&self.bypassed),
            denied: read(&self.denied),
            host_calls: read(&self.host_calls),
            time_us: read(&self.time_us),
            memory_bytes_max: read(&self.memory_bytes_max),
            fuel: read(&self.fuel),
            inference_tokens: read(&self.inference_tokens),
        }
    }
}
