//! The sandbox: what one instance holds, what it may use, and how its end is told.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use super::bounds::{Allowance, Bounds, Stop};
use super::capability::Capabilities;
use super::engine::Engines;
use super::fiber::{self, Watch};
use super::grants::Grants;
use super::health::{Closed, Health};
use super::interrupt::Interrupt;
use super::log::{LogBuffer, printable};
use super::metrics::{Counters, PluginMetrics, Used};
use super::policy::OnFailure;
use super::subject;
use super::tape::{OffTape, Tape};
#[cfg(feature = "http")]
use super::wasi::{self, Outgoing, Wasi};
use super::world::World;
use crate::chat::{Fallback, Media};
use crate::error::{Error, ErrorKind, Result};

/// What all stores of one plugin share: its name, its bounds, what it was granted and what it did.
#[derive(Clone)]
pub(super) struct Sandbox {
    shared: Arc<Shared>,
    /// On which calls of the host go; none while nobody records.
    tape: Option<Tape>,
}

pub(super) struct Shared {
    name: String,
    world: World,
    engines: Engines,
    allowance: Allowance,
    on_failure: OnFailure,
    fallback: Option<Fallback>,
    failures_max: u32,
    pub capabilities: Capabilities,
    pub counters: Counters,
    health: Health,
}

/// What a store holds beside the guest.
pub(super) struct State {
    bounds: Bounds,
    pub watch: Watch,
    host_calls: u64,
    pub log: LogBuffer,
    pub shared: Arc<Shared>,
    /// What the guest's media handles stand for.
    pub media: Vec<Media>,
    /// The scores of the step that runs, for logits processors.
    pub scores: Vec<f32>,
    pub tape: Option<Tape>,
    /// The code of the last limit of which the host told the guest.
    pub limit_told: Option<Cow<'static, str>>,
    #[cfg(feature = "http")]
    pub wasi: Wasi,
}

impl Sandbox {
    pub(super) fn new(
        name: &str,
        world: World,
        grants: &Grants,
        capabilities: Capabilities,
        engines: &Engines,
    ) -> Self {
        let limits = engines.limits();
        let shared = Shared {
            name: name.to_owned(),
            world,
            engines: engines.clone(),
            allowance: Allowance::new(world, limits, &grants.limits),
            on_failure: grants.on_failure,
            fallback: grants.fallback.clone(),
            failures_max: limits.plugin_failures_max,
            capabilities,
            counters: Counters::default(),
            health: Health::default(),
        };
        Self {
            shared: Arc::new(shared),
            tape: None,
        }
    }

    /// The same, its calls of the host on `tape`.
    pub(super) fn on_tape(&self, tape: &Tape) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            tape: Some(tape.clone()),
        }
    }

    /// What its calls of the host go on.
    pub(super) fn tape(&self) -> Option<Tape> {
        self.tape.clone()
    }

    /// A fresh store, with nothing in it yet.
    pub(super) fn store(&self, interrupt: &Interrupt) -> Store<State> {
        let allowance = self.allowance();
        let watch = Watch::new(interrupt);
        let state = State {
            bounds: Bounds::new(allowance),
            #[cfg(feature = "http")]
            wasi: self.wasi(&watch),
            watch,
            host_calls: 0,
            log: LogBuffer::new(allowance.log_bytes_max),
            shared: Arc::clone(&self.shared),
            media: Vec::new(),
            scores: Vec::new(),
            tape: self.tape.clone(),
            limit_told: None,
        };
        let mut store = Store::new(self.shared.engines.of(self.shared.world), state);
        store.limiter(|state| &mut state.bounds);
        store.epoch_deadline_callback(|store| store.data().go_on());
        store
    }

    #[cfg(feature = "http")]
    fn wasi(&self, watch: &Watch) -> Wasi {
        let outgoing = Outgoing::new(&self.shared, self.tape.as_ref(), watch);
        Wasi::new(self.engines().limits(), outgoing)
    }

    /// Runs `call` on the store's guest: bounded in time, fuel, in what it copies, asks of the host and logs.
    ///
    /// `handed_bytes` is what the caller gave it; what comes back may be longer by a multiple of that.
    /// An error means that the store must not be used again.
    pub(super) fn enter<T>(
        &self,
        store: &mut Store<State>,
        handed_bytes: usize,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T> {
        if store.data().watch.interrupt.is_raised() {
            return Err(Error::cancelled(self.subject()));
        }
        let _span = tracing::debug_span!("plugin", name = self.shared.name).entered();
        let started = Instant::now();
        self.refill(store, started, handed_bytes);
        let outcome = call(store);
        let stopped = outcome.as_ref().is_err_and(is_stop);
        let log = store.data_mut().log.take();
        let outcome = outcome.map_err(|error| self.explain(error, &log));
        let used = self.used(store, started);
        let counters = &self.shared.counters;
        counters.call(&used, stopped, outcome.as_ref().err());
        log.publish(&self.shared.name);
        outcome
    }

    /// Runs `call` as [`Self::enter`] does, on a fiber: the guest may wait for the host.
    pub(super) fn enter_waiting<T>(
        &self,
        store: &mut Store<State>,
        handed_bytes: usize,
        call: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T> {
        self.enter(store, handed_bytes, |store| {
            let watch = store.data().watch.clone();
            let done = fiber::run(self.engines(), &watch, call(store))?;
            self.tape.as_ref().map_or(Ok(()), Tape::check)?;
            Ok(done)
        })
    }

    fn refill(&self, store: &mut Store<State>, now: Instant, handed_bytes: usize) {
        let allowance = self.allowance();
        let state = store.data_mut();
        state.watch.set(now + allowance.call_time);
        state.host_calls = 0;
        store.set_epoch_deadline(1);
        // A prompt repeats its conversation, with quotes that are longer than JSON's.
        let handed = handed_bytes.saturating_mul(2);
        store.set_hostcall_fuel(allowance.copy_bytes_max.saturating_add(handed));
        if let Some(fuel) = allowance.fuel_max {
            store.set_fuel(fuel).expect("the engine meters fuel");
        }
    }

    fn used(&self, store: &Store<State>, started: Instant) -> Used {
        let fuel = self.allowance().fuel_max;
        let left = |fuel: u64| fuel.saturating_sub(store.get_fuel().unwrap_or(fuel));
        let state = store.data();
        Used {
            time: started.elapsed(),
            memory_bytes: state.bounds.memory_bytes,
            host_calls: state.host_calls,
            fuel: fuel.map_or(0, left),
        }
    }

    /// Lets a call in, if there is room and the plugin does not rest, and remembers how it went.
    pub(super) fn guarded<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let (health, max) = (&self.shared.health, self.allowance().calls_max);
        let admitted = health.admit(max).map_err(|closed| {
            self.shared.counters.turned_away();
            self.closed(&closed)
        })?;
        let outcome = call();
        drop(admitted);
        self.remember(health, &outcome);
        outcome
    }

    /// Refuses while `health` says that the plugin rests.
    pub(super) fn awake(&self, health: &Health) -> Result<()> {
        health.awake().map_err(|closed| {
            self.shared.counters.turned_away();
            self.closed(&closed)
        })
    }

    /// Remembers in `health` how a call went.
    pub(super) fn remember<T>(&self, health: &Health, outcome: &Result<T>) {
        let kind = outcome.as_ref().err().map(Error::kind);
        let failed = kind == Some(ErrorKind::Plugin);
        if failed {
            self.shared.counters.failed();
        }
        if kind != Some(ErrorKind::Cancelled) {
            health.record(failed, self.shared.failures_max);
        }
    }

    /// Tells the operator that the host goes on without the plugin, which failed with `error`.
    pub(super) fn bypassed(&self, error: &Error) {
        self.shared.counters.bypassed();
        let (plugin, kind) = (self.name(), error.kind().name());
        tracing::warn!(target: "lapidary::calls", plugin, kind, %error, "bypassed");
    }

    fn closed(&self, closed: &Closed) -> Error {
        match closed {
            Closed::Full => Error::limit(
                "plugin_calls_max",
                self.subject(),
                format!("{} calls at once", self.allowance().calls_max),
                "one more",
            ),
            Closed::Resting { failures, left } => self.fault(format!(
                "rests after {failures} failures in a row; try again in {} ms",
                left.as_millis()
            )),
        }
    }

    /// Makes what this version keeps what is under the plugin's name.
    pub(super) fn keep(&self) -> Result<()> {
        let capabilities = &self.shared.capabilities;
        if !capabilities.keeps {
            return Ok(());
        }
        let kept = self.engines().keep(self.name(), &capabilities.key_value);
        kept.map_err(|refusal| {
            let detail = format!("what it keeps {}", refusal.message);
            Error::io(self.subject(), detail)
        })
    }

    /// An error of the plugin's own making.
    pub(super) fn fault(&self, detail: impl fmt::Display) -> Error {
        Error::plugin(self.subject(), detail.to_string())
    }

    /// A component that says it is of our world and is not.
    pub(super) fn mismatch(&self, error: wasmtime::Error) -> Error {
        let detail = format!(
            "does not fit the contract: {}",
            printable(&format!("{error:#}"))
        );
        self.fault(detail).with_source(error)
    }

    pub(super) fn subject(&self) -> String {
        subject(&self.shared.name)
    }

    pub(super) fn name(&self) -> &str {
        &self.shared.name
    }

    pub(super) fn engines(&self) -> &Engines {
        &self.shared.engines
    }

    pub(super) fn without_secrets(&self, value: Value) -> Value {
        self.shared.capabilities.without_secrets(value)
    }

    pub(super) fn health(&self) -> &Health {
        &self.shared.health
    }

    pub(super) fn on_failure(&self) -> OnFailure {
        self.shared.on_failure
    }

    pub(super) fn fallback(&self) -> Option<&Fallback> {
        self.shared.fallback.as_ref()
    }

    pub(super) fn metrics(&self) -> PluginMetrics {
        self.shared.counters.snapshot()
    }

    pub(super) fn allowance(&self) -> &Allowance {
        &self.shared.allowance
    }

    /// Tells why the machine ended a call.
    fn explain(&self, error: wasmtime::Error, log: &LogBuffer) -> Error {
        if error.is::<PoolConcurrencyLimitError>() {
            return Error::limit(
                "plugin_instances_max",
                self.subject(),
                self.shared.engines.limits().plugin_instances_max,
                "one more",
            );
        }
        let mut detail = match error.downcast_ref::<Stop>() {
            Some(Stop::Cancelled) => return Error::cancelled(self.subject()),
            Some(stop) => self.allowance().overrun(*stop),
            None => trap(&error, self.allowance()).unwrap_or_else(|| self.refusal(&error)),
        };
        if let Some(place) = place(&error) {
            detail.push_str(&format!("; at {place}"));
        }
        // The contract promises that the log is for the operator: the cause is, the detail is the model's too.
        let source = match log.tail() {
            Some(tail) => error.context(format!("its log ends: {tail}")),
            None => error,
        };
        Error::new(ErrorKind::Plugin, self.subject(), detail).with_source(source)
    }

    /// What wasmtime refused without a type of its own.
    fn refusal(&self, error: &wasmtime::Error) -> String {
        if let Some(off) = error.downcast_ref::<OffTape>() {
            return off.to_string();
        }
        #[cfg(feature = "http")]
        if let Some(overrun) = wasi::overrun(error, self.engines().limits()) {
            return overrun;
        }
        let cause = error.root_cause().to_string();
        // Tested by the hostile suite, in case wasmtime changes its words.
        if cause.starts_with("too much data is being copied") {
            return self.allowance().overrun(Stop::Copied);
        }
        if cause.starts_with("resource limit exceeded") {
            let max = self.allowance().parts_max;
            return format!(
                "expected at most {max} core instances, memories and tables of each, found more; raise \
                 plugin_parts_max"
            );
        }
        format!("broke the contract: {}", printable(&cause))
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Whether a running guest may go on until the next tick.
    fn go_on(&self) -> wasmtime::Result<UpdateDeadline> {
        if self.host_calls > self.shared.allowance.host_calls_max {
            return Err(Stop::HostCalls.into());
        }
        self.watch.check()?;
        Ok(UpdateDeadline::Continue(1))
    }

    /// Counts a call of the host, and ends the guest when it was one too many, too late, or cancelled.
    pub(super) fn called(&mut self) -> wasmtime::Result<()> {
        self.count_call();
        self.go_on().map(|_| ())
    }

    /// Counts a call of the host that cannot end the guest: the next tick does.
    pub(super) fn count_call(&mut self) {
        self.host_calls += 1;
    }
}

impl Shared {
    pub(super) fn engines(&self) -> &Engines {
        &self.engines
    }

    #[cfg(feature = "http")]
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

fn is_stop(error: &wasmtime::Error) -> bool {
    let cancelled = matches!(error.downcast_ref::<Stop>(), Some(Stop::Cancelled));
    let out_of_fuel = matches!(error.downcast_ref::<Trap>(), Some(Trap::OutOfFuel));
    out_of_fuel || (error.is::<Stop>() && !cancelled)
}

/// What a guest's trap means to its author.
fn trap(error: &wasmtime::Error, allowance: &Allowance) -> Option<String> {
    let trap = error.downcast_ref::<Trap>()?;
    let kib = allowance.stack_bytes_max >> 10;
    Some(match trap {
        Trap::UnreachableCodeReached => {
            "panicked (it reached an unreachable instruction)".to_owned()
        }
        Trap::StackOverflow => {
            format!(
                "expected at most {kib} KiB of stack (plugin_stack_bytes_max), found more; it recurses too deep"
            )
        }
        Trap::MemoryOutOfBounds => {
            "reached outside its memory (a stack overflow may look so)".to_owned()
        }
        Trap::OutOfFuel => {
            let max = allowance.fuel_max.unwrap_or_default();
            format!("expected at most {max} units of fuel, found more; raise plugin_fuel_max")
        }
        other => format!("trapped: {other}"),
    })
}

/// Where the guest was: files and lines where it has them, else the names of its functions.
fn place(error: &wasmtime::Error) -> Option<String> {
    const FRAMES_MAX: usize = 3;
    let frames = error.downcast_ref::<WasmBacktrace>()?.frames().iter();
    let places = frames.filter_map(|frame| {
        let symbol = frame.symbols().first();
        let file = symbol.and_then(|symbol| Some((symbol.file()?, symbol.line()?)));
        match file {
            Some((file, line)) => Some(format!("{file}:{line}")),
            None => frame.func_name().map(ToOwned::to_owned),
        }
    });
    let places: Vec<String> = places.take(FRAMES_MAX).collect();
    (!places.is_empty()).then(|| printable(&places.join(", from ")))
}
