//! What the tools of one chat have used up together.

use std::time::Duration;

use serde_json::Value;

use crate::chat::{ToolCall, ToolResult};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Counts over the rounds of one chat.
#[derive(Debug, Default)]
pub(super) struct LoopBounds {
    last: Vec<(String, Value)>,
    repeats: usize,
    time: Duration,
    bytes: usize,
}

impl LoopBounds {
    /// The next round's calls, before they run.
    ///
    /// # Errors
    /// `Limit("tool_calls_max")`, `Limit("tool_repeats_max")`.
    pub fn asked(&mut self, calls: &[ToolCall], limits: &Limits) -> Result<()> {
        at_most(
            "tool_calls_max",
            limits.tool_calls_max as u64,
            calls.len() as u64,
        )?;
        let asked: Vec<_> = calls
            .iter()
            .map(|call| (call.name.clone(), call.arguments.clone()))
            .collect();
        self.repeats = if asked == self.last {
            self.repeats + 1
        } else {
            1
        };
        self.last = asked;
        at_most(
            "tool_repeats_max",
            limits.tool_repeats_max as u64,
            self.repeats as u64,
        )
    }

    /// What the round took.
    ///
    /// # Errors
    /// `Limit("tool_total_ms_max")`, `Limit("tool_total_bytes_max")`.
    pub fn took(&mut self, time: Duration, results: &[ToolResult], limits: &Limits) -> Result<()> {
        self.time += time;
        let bytes = results.iter().map(|result| result.content.text_bytes());
        self.bytes += bytes.sum::<usize>();
        let milliseconds = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        at_most("tool_total_ms_max", limits.tool_total_ms_max, milliseconds)?;
        at_most(
            "tool_total_bytes_max",
            limits.tool_total_bytes_max as u64,
            self.bytes as u64,
        )
    }
}

fn at_most(name: &'static str, max: u64, found: u64) -> Result<()> {
    match found > max {
        true => Err(Error::limit(name, "tool calls", max, found)),
        false => Ok(()),
    }
}
