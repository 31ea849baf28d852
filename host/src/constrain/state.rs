//! Where a generation stands in its grammar.

use std::fmt::Display;

use llguidance::Matcher;
use llguidance::api::StopReason;

use crate::error::{Error, Result};
use crate::sample::Mask;

/// A grammar and how far it was followed.
pub(super) struct State {
    /// Nothing was followed yet.
    fresh: Matcher,
    /// Ids behind which the grammar holds; none: from the start.
    after: Vec<u32>,
    running: Option<Matcher>,
    token_count: usize,
}

impl State {
    pub fn new(fresh: Matcher, after: Vec<u32>) -> Self {
        let running = after.is_empty().then(|| fresh.clone());
        Self {
            fresh,
            after,
            running,
            token_count: 0,
        }
    }

    /// Which ids may come next; `None` for any.
    pub fn mask(&mut self) -> Result<Option<Mask>> {
        let token_count = self.token_count;
        let Some(matcher) = &mut self.running else {
            return match self.after.is_empty() {
                true => Err(complete()),
                false => Ok(None),
            };
        };
        let mask = matcher.compute_mask();
        let mask = mask.map_err(|error| refusal(token_count, &error))?;
        Ok(Some(Mask::from_words(mask.as_slice().to_vec())))
    }

    /// The next id of the generation.
    pub fn take(&mut self, id: u32) -> Result<()> {
        let token_count = self.token_count;
        self.token_count += 1;
        let Some(matcher) = &mut self.running else {
            self.running = self.after.contains(&id).then(|| self.fresh.clone());
            return Ok(());
        };
        let taken = matcher.consume_token(id);
        taken.map_err(|error| refusal(token_count, &error))?;
        if matcher.is_stopped() {
            self.running = None;
        }
        Ok(())
    }
}

/// The grammar's own stop tokens end a generation; there is nothing behind them.
fn complete() -> Error {
    let detail = "expected the generation to end where its grammar ends, found that it goes on; end the \
                  grammar with a stop token";
    Error::plugin("constraint", detail)
}

/// Why there is no mask, or a token is not taken.
fn refusal(token_count: usize, error: &impl Display) -> Error {
    let subject = format!("constraint, at new token {token_count}");
    let reason = first_line(error);
    if reason == StopReason::NoExtensionBias.to_string() {
        let detail = "expected a token that goes on, found none in the vocabulary; the grammar cannot be met";
        return Error::invalid(subject, detail);
    }
    if reason.contains("lexer error") || reason.contains("parser error") {
        let detail = format!("expected a simpler grammar: {reason}");
        return Error::unsupported(subject, detail);
    }
    Error::invalid(subject, format!("does not take a token: {reason}"))
}

/// What `llguidance` says, without the dump of its state behind it.
pub(super) fn first_line(error: &impl Display) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(CHARACTERS_MAX).collect()
}
