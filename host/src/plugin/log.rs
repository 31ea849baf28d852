//! What guests say to the operator: bounded, printable.

use std::collections::VecDeque;

use crate::error::is_disruptive;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// The last lines of one call, at most so many bytes of them.
#[derive(Debug)]
pub(super) struct LogBuffer {
    lines: VecDeque<(Level, String)>,
    bytes_max: usize,
    held_bytes: usize,
    cut_bytes: usize,
}

/// What a line costs beside its text, so that empty lines are bounded too.
const LINE_BYTES: usize = 32;

/// Characters of an error's log tail, and of any text of a guest that becomes part of an error.
const QUOTE_CHARS_MAX: usize = 1_000;

impl LogBuffer {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes_max,
            held_bytes: 0,
            cut_bytes: 0,
        }
    }

    /// What was logged so far; the next call starts with an empty buffer.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.bytes_max))
    }

    /// Keeps a line, and forgets the oldest ones where there is no room: the last lines tell the most.
    pub(super) fn push(&mut self, level: Level, message: &str) {
        if cost(message) > self.bytes_max {
            self.cut_bytes += message.len();
            return;
        }
        while self.held_bytes + cost(message) > self.bytes_max {
            self.forget_oldest();
        }
        self.held_bytes += cost(message);
        self.lines.push_back((level, message.to_owned()));
    }

    fn forget_oldest(&mut self) {
        if let Some((_, line)) = self.lines.pop_front() {
            self.held_bytes -= cost(&line);
            self.cut_bytes += line.len();
        }
    }

    /// The last lines, for an error.
    pub(super) fn tail(&self) -> Option<String> {
        let last = self.lines.len().saturating_sub(3);
        let lines: Vec<&str> = self
            .lines
            .range(last..)
            .map(|(_, line)| line.as_str())
            .collect();
        (!lines.is_empty()).then(|| printable(&lines.join(" | ")))
    }

    /// Hands the lines to the operator's `tracing` subscriber.
    pub(super) fn publish(self, plugin: &str) {
        for (level, line) in &self.lines {
            publish(plugin, *level, &printable(line));
        }
        if self.cut_bytes > 0 {
            tracing::warn!(
                plugin,
                bytes = self.cut_bytes,
                "log cut; raise plugin_log_bytes_max to see it"
            );
        }
    }
}

fn cost(line: &str) -> usize {
    line.len() + LINE_BYTES
}

fn publish(plugin: &str, level: Level, line: &str) {
    match level {
        Level::Debug => tracing::debug!(plugin, "{line}"),
        Level::Info => tracing::info!(plugin, "{line}"),
        Level::Warn => tracing::warn!(plugin, "{line}"),
        Level::Error => tracing::error!(plugin, "{line}"),
    }
}

/// A guest's text as it may reach a terminal: one line, no control characters, not too long.
pub(super) fn printable(text: &str) -> String {
    let mut line: String = text.chars().take(QUOTE_CHARS_MAX).map(plain).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

fn plain(character: char) -> char {
    match is_disruptive(character) {
        true => ' ',
        false => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_the_last_bytes_and_counts_the_rest() {
        let mut log = LogBuffer::new(100);
        for line in ["first", "second", "third"] {
            log.push(Level::Info, line);
        }
        log.push(Level::Info, &"x".repeat(100));
        assert_eq!(log.tail().as_deref(), Some("second | third"));
        assert_eq!(log.cut_bytes, "first".len() + 100);
        assert_eq!(log.take().lines.len(), 2);
        assert_eq!(log.tail(), None);
    }

    #[test]
    fn a_guest_cannot_send_escape_sequences_to_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a [2Jb c");
        assert_eq!(
            printable(&"x".repeat(5_000)).chars().count(),
            QUOTE_CHARS_MAX + 1
        );
    }
}
