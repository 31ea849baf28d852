//! The sandbox: what one instance holds, what it may use, and how its end is told.

use std::fmt;
use std::time::{Duration, Instant};

use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, Trap, UpdateDeadline};

use super::engine::Engines;
use super::interrupt::Interrupt;
use super::log::{LogBuffer, printable};
use super::subject;
use super::world::World;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// The bounds and the name that all stores of one plugin share.
#[derive(Clone, Debug)]
pub(super) struct Sandbox {
    name: String,
    world: World,
    engines: Engines,
}

/// What a store holds beside the guest.
pub(super) struct State {
    bounds: Bounds,
    interrupt: Interrupt,
    deadline: Instant,
    pub log: LogBuffer,
}

impl Sandbox {
    pub(super) fn new(name: &str, world: World, engines: &Engines) -> Self {
        Self {
            name: name.to_owned(),
            world,
            engines: engines.clone(),
        }
    }

    /// A fresh store, with nothing in it yet.
    pub(super) fn store(&self, interrupt: &Interrupt) -> Store<State> {
        let limits = self.limits();
        let state = State {
            bounds: Bounds::new(limits),
            interrupt: interrupt.clone(),
            deadline: Instant::now(),
            log: LogBuffer::new(limits.plugin_log_bytes_max),
        };
        let mut store = Store::new(self.engines.of(self.world), state);
        store.limiter(|state| &mut state.bounds);
        store.epoch_deadline_callback(|store| store.data().go_on());
        store
    }

    /// Runs `call` on the store's guest: bounded in time, in what it copies and in what it logs.
    ///
    /// `handed_bytes` is what the caller gave it; what comes back may be longer by a multiple of that.
    /// An error means that the store must not be used again.
    pub(super) fn enter<T>(
        &self,
        store: &mut Store<State>,
        handed_bytes: usize,
        call: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T> {
        let state = store.data_mut();
        if state.interrupt.is_raised() {
            return Err(Error::cancelled(self.subject()));
        }
        state.deadline = Instant::now() + self.call_time();
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(self.copy_bytes_max(handed_bytes));
        let outcome = call(store);
        let log = store.data_mut().log.take();
        let outcome = outcome.map_err(|error| self.explain(error, &log));
        log.publish(&self.name);
        outcome
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
        subject(&self.name)
    }

    /// Tells why the machine ended a call.
    fn explain(&self, error: wasmtime::Error, log: &LogBuffer) -> Error {
        if error.is::<PoolConcurrencyLimitError>() {
            return Error::limit(
                "plugin_instances_max",
                self.subject(),
                self.limits().plugin_instances_max,
                "one more",
            );
        }
        let mut detail = match error.downcast_ref::<Stop>() {
            Some(Stop::Cancelled) => return Error::cancelled(self.subject()),
            Some(stop) => self.overrun(*stop),
            None => trap(&error, self.limits()).unwrap_or_else(|| self.refusal(&error)),
        };
        if let Some(tail) = log.tail() {
            detail.push_str("; its log ends: ");
            detail.push_str(&tail);
        }
        Error::new(ErrorKind::Plugin, self.subject(), detail).with_source(error)
    }

    fn overrun(&self, stop: Stop) -> String {
        match stop {
            Stop::Cancelled => "cancelled".to_owned(),
            Stop::Late => {
                let (ms, field) = (self.call_time().as_millis(), self.call_time_field());
                format!(
                    "expected an answer within {ms} ms, found none; it loops, or {field} must be raised"
                )
            }
            Stop::Memory { wanted_bytes } => format!(
                "expected at most {} bytes of memory, found {wanted_bytes}; raise plugin_memory_bytes_max",
                self.limits().plugin_memory_bytes_max
            ),
            Stop::Table { wanted_elements } => format!(
                "expected at most {} elements in a table, found {wanted_elements}; raise \
                 plugin_table_elements_max",
                self.limits().plugin_table_elements_max
            ),
        }
    }

    /// What wasmtime refused without a type of its own.
    fn refusal(&self, error: &wasmtime::Error) -> String {
        let cause = error.root_cause().to_string();
        // Tested by the hostile suite, in case wasmtime changes its words.
        if cause.starts_with("too much data is being copied") {
            let max = self.limits().plugin_copy_bytes_max;
            return format!(
                "expected at most {max} bytes to be handed over, found more; raise plugin_copy_bytes_max"
            );
        }
        format!("broke the contract: {}", printable(&cause))
    }

    fn limits(&self) -> &Limits {
        self.engines.limits()
    }

    fn call_time(&self) -> Duration {
        Duration::from_millis(match self.world {
            World::ChatFormat => self.limits().format_call_ms_max,
            World::ToolProvider => self.limits().tool_call_ms_max,
        })
    }

    fn call_time_field(&self) -> &'static str {
        match self.world {
            World::ChatFormat => "format_call_ms_max",
            World::ToolProvider => "tool_call_ms_max",
        }
    }

    /// A prompt repeats its conversation, with quotes that are longer than JSON's.
    fn copy_bytes_max(&self, handed_bytes: usize) -> usize {
        self.limits()
            .plugin_copy_bytes_max
            .saturating_add(handed_bytes.saturating_mul(2))
    }
}

impl State {
    /// Whether a running guest may go on until the next tick.
    fn go_on(&self) -> wasmtime::Result<UpdateDeadline> {
        if self.interrupt.is_raised() {
            Err(Stop::Cancelled.into())
        } else if Instant::now() >= self.deadline {
            Err(Stop::Late.into())
        } else {
            Ok(UpdateDeadline::Continue(1))
        }
    }
}

/// What a guest's trap means to its author.
fn trap(error: &wasmtime::Error, limits: &Limits) -> Option<String> {
    let trap = error.downcast_ref::<Trap>()?;
    let kib = limits.plugin_stack_bytes_max >> 10;
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
        other => format!("trapped: {other}"),
    })
}

/// Why the host ended a call.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Cancelled,
    Late,
    Memory { wanted_bytes: usize },
    Table { wanted_elements: usize },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "stopped by an interrupt",
            Self::Late => "stopped at its deadline",
            Self::Memory { .. } => "stopped when it grew its memory",
            Self::Table { .. } => "stopped when it grew a table",
        })
    }
}

impl std::error::Error for Stop {}

/// Ends a guest that grows too far. Refusing alone would look like a panic of the guest's.
struct Bounds {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements_max: usize,
    parts_max: usize,
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.plugin_memory_bytes_max,
            table_elements_max: limits.plugin_table_elements_max,
            parts_max: limits.plugin_parts_max,
        }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted_bytes = self
            .memory_bytes
            .saturating_add(desired.saturating_sub(current));
        if wanted_bytes > self.memory_bytes_max {
            return Err(Stop::Memory { wanted_bytes }.into());
        }
        self.memory_bytes = wanted_bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_elements_max {
            return Err(Stop::Table {
                wanted_elements: desired,
            }
            .into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.parts_max
    }

    fn tables(&self) -> usize {
        self.parts_max
    }

    fn memories(&self) -> usize {
        self.parts_max
    }
}
