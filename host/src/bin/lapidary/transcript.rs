//! A chat on the terminal: the answer on standard output, all else beside it on standard error.

use lapidary::{Event, FinishReason, ToolResult, Usage};

use crate::screen;

/// What the last line holds that has not ended yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Thought,
    Text,
}

/// Shows events as they come, each kind on lines of its own.
pub struct Transcript {
    open: Open,
}

impl Transcript {
    pub fn new() -> Self {
        Self {
            open: Open::Nothing,
        }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Text { text } => {
                self.turn_to(Open::Text)?;
                screen::result(text)?;
            }
            Event::Thought { text } => {
                self.turn_to(Open::Thought)?;
                screen::aside(text);
            }
            Event::ToolCall(call) => self.line(&format!("→ {}({})", call.name, call.arguments))?,
            Event::ToolResult(result) => self.line(&tool_line(result)?)?,
            Event::Malformed { raw, message, .. } => {
                self.line(&format!("[malformed: {message}: {raw}]"))?
            }
            Event::ToolCallDelta { .. } | Event::ToolResultDelta { .. } | Event::Logprob(_) => {}
            Event::Finished { reason, usage } => self.line(&usage_line(*reason, usage))?,
        }
        Ok(())
    }

    fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.turn_to(Open::Nothing)?;
        screen::aside(&format!("{text}\n"));
        Ok(())
    }

    fn turn_to(&mut self, next: Open) -> anyhow::Result<()> {
        match self.open {
            open if open == next => {}
            Open::Text => screen::result("\n")?,
            Open::Thought => screen::aside("\n"),
            Open::Nothing => {}
        }
        self.open = next;
        Ok(())
    }
}

fn tool_line(result: &ToolResult) -> anyhow::Result<String> {
    let value = serde_json::to_value(result)?;
    let text = value["content"]
        .as_str()
        .map_or_else(|| value["content"].to_string(), str::to_owned);
    Ok(format!(
        "{} {text}",
        if result.is_error { "✗" } else { "←" }
    ))
}

fn usage_line(reason: FinishReason, usage: &Usage) -> String {
    let steps = usage.output_tokens.saturating_sub(1) as f64;
    let rate = if usage.decode_ms > 0.0 {
        steps * 1e3 / usage.decode_ms
    } else {
        0.0
    };
    let without = match usage.bypassed.as_slice() {
        [] => String::new(),
        names => format!(", without {}", names.join(" and ")),
    };
    format!(
        "[{reason:?}: {} prompt tokens in {:.0} ms, {} new ({} thought) at {rate:.0} tokens/s, on {}{without}]",
        usage.prompt_tokens,
        usage.prefill_ms,
        usage.output_tokens,
        usage.thought_tokens,
        usage.provider
    )
}
