//! `wasi:clocks/monotonic-clock`, by the grant `clock`.

use std::future;
use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::plugin::store::State;

const NANOSECOND: u64 = 1;

pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

impl State {
    /// Nanoseconds since the store was made.
    fn passed(&self) -> u64 {
        u64::try_from(self.wasi.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        self.taped("monotonic-clock.now", [(); 0], |state| state.passed())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.called()?;
        Ok(NANOSECOND)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let left = when.saturating_sub(self.passed());
        self.subscribe_duration(left)
    }

    fn subscribe_duration(&mut self, nanoseconds: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.called()?;
        let until = Instant::now().checked_add(Duration::from_nanos(nanoseconds));
        let until = self.wasi.table.push(Until(until))?;
        subscribe(&mut self.wasi.table, until)
    }
}

/// A moment to wait for; none where the machine's clock does not reach it.
struct Until(Option<Instant>);

#[async_trait]
impl Pollable for Until {
    async fn ready(&mut self) {
        match self.0 {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => future::pending().await,
        }
    }
}
