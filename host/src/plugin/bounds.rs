//! What one plugin may use, and the end of a guest that wants more.

use std::fmt;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::world::World;
use crate::limits::{Limits, PluginLimits};

/// The limits of one plugin: the general ones, with its own over them.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    pub memory_bytes_max: usize,
    pub table_elements_max: usize,
    pub parts_max: usize,
    pub stack_bytes_max: usize,
    pub call_time: Duration,
    /// The field that bounds the time, for messages.
    pub call_time_field: &'static str,
    pub fuel_max: Option<u64>,
    pub copy_bytes_max: usize,
    pub log_bytes_max: usize,
    pub calls_max: usize,
    pub host_calls_max: u64,
}

impl Allowance {
    pub(super) fn new(world: World, limits: &Limits, own: &PluginLimits) -> Self {
        let (call_ms, call_time_field) = match world {
            World::ChatFormat | World::LogitsProcessor => {
                (limits.format_call_ms_max, "format_call_ms_max")
            }
            World::ToolProvider => (limits.tool_call_ms_max, "tool_call_ms_max"),
            World::Agent => (limits.agent_call_ms_max, "agent_call_ms_max"),
        };
        Self {
            memory_bytes_max: own
                .memory_bytes_max
                .unwrap_or(limits.plugin_memory_bytes_max),
            table_elements_max: limits.plugin_table_elements_max,
            parts_max: limits.plugin_parts_max,
            stack_bytes_max: limits.plugin_stack_bytes_max,
            call_time: Duration::from_millis(own.call_ms_max.unwrap_or(call_ms)),
            call_time_field,
            fuel_max: limits
                .plugin_fuel_max
                .map(|fuel| own.fuel_max.unwrap_or(fuel)),
            copy_bytes_max: own.copy_bytes_max.unwrap_or(limits.plugin_copy_bytes_max),
            log_bytes_max: own.log_bytes_max.unwrap_or(limits.plugin_log_bytes_max),
            calls_max: own.calls_max.unwrap_or(limits.plugin_calls_max),
            host_calls_max: own.host_calls_max.unwrap_or(limits.plugin_host_calls_max),
        }
    }

    /// What a stop means to the operator.
    pub(super) fn overrun(&self, stop: Stop) -> String {
        match stop {
            Stop::Cancelled => "cancelled".to_owned(),
            Stop::Late => {
                let (ms, field) = (self.call_time.as_millis(), self.call_time_field);
                format!(
                    "expected an answer within {ms} ms, found none; it loops, or {field} must be raised"
                )
            }
            Stop::Memory { wanted_bytes } => format!(
                "expected at most {} bytes of memory, found {wanted_bytes}; raise plugin_memory_bytes_max",
                self.memory_bytes_max
            ),
            Stop::Table { wanted_elements } => format!(
                "expected at most {} elements in a table, found {wanted_elements}; raise \
                 plugin_table_elements_max",
                self.table_elements_max
            ),
            Stop::Copied => format!(
                "expected at most {} bytes to be handed over, found more; raise plugin_copy_bytes_max",
                self.copy_bytes_max
            ),
            Stop::HostCalls => format!(
                "expected at most {} calls of the host, found one more; raise plugin_host_calls_max",
                self.host_calls_max
            ),
        }
    }
}

/// Why the host ended a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Cancelled,
    Late,
    Memory { wanted_bytes: usize },
    Table { wanted_elements: usize },
    Copied,
    HostCalls,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "stopped by an interrupt",
            Self::Late => "stopped at its deadline",
            Self::Memory { .. } => "stopped when it grew its memory",
            Self::Table { .. } => "stopped when it grew a table",
            Self::Copied => "stopped when it handed over too much",
            Self::HostCalls => "stopped at its last call of the host",
        })
    }
}

impl std::error::Error for Stop {}

/// Ends a guest that grows too far. Refusing alone would look like a panic of the guest's.
pub(super) struct Bounds {
    pub memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements_max: usize,
    parts_max: usize,
}

impl Bounds {
    pub(super) fn new(allowance: &Allowance) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: allowance.memory_bytes_max,
            table_elements_max: allowance.table_elements_max,
            parts_max: allowance.parts_max,
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
