//! Where a generation stands in its grammar.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llguidance::api::StopReason;
use llguidance::{CancellationHandle, Matcher};

use super::thought::ThoughtGate;
use crate::error::{Error, Result};
use crate::sample::Mask;

/// A grammar and how far it was followed.
pub(super) struct State {
    /// Nothing was followed yet.
    fresh: Matcher,
    /// Ids behind which the grammar holds; none: from the start.
    after: Vec<u32>,
    thought: Option<Thought>,
    running: Option<Matcher>,
    stop: Arc<Stop>,
    token_count: usize,
}

/// A thought is not the grammar's: it is text up to its closing mark. Its last token may be part of a
/// character, where a budget ends it, and no grammar over text could go on from there.
pub(super) struct Thought {
    gate: ThoughtGate,
    mask: Mask,
}

impl Thought {
    /// A thought of these tokens.
    pub fn new(gate: ThoughtGate, text: &Mask) -> Self {
        let mut mask = text.clone();
        mask.allow(gate.close_id());
        Self { gate, mask }
    }

    /// What may come next, inside one.
    fn mask(&self) -> Option<&Mask> {
        self.gate.is_open().then_some(&self.mask)
    }

    /// Whether the next id is inside one; its marks are not.
    fn takes(&mut self, id: u32) -> bool {
        let was_open = self.gate.is_open();
        self.gate.took(id);
        was_open && self.gate.is_open()
    }
}

/// Ends the work on a mask from another thread.
#[derive(Debug, Default)]
pub(super) struct Stop {
    raised: AtomicBool,
    running: Mutex<CancellationHandle>,
}

impl Stop {
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        self.handle().cancel();
    }

    /// What is running now.
    fn watch(&self, handle: CancellationHandle) {
        *self.handle() = handle;
        if self.raised.load(Ordering::SeqCst) {
            self.handle().cancel();
        }
    }

    fn handle(&self) -> MutexGuard<'_, CancellationHandle> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub fn new(fresh: Matcher, after: Vec<u32>, thought: Option<Thought>) -> Self {
        let mut state = Self {
            fresh,
            after,
            thought,
            running: None,
            stop: Arc::default(),
            token_count: 0,
        };
        if state.after.is_empty() {
            state.begin();
        }
        state
    }

    /// What ends the work from another thread.
    pub fn stop(&self) -> Arc<Stop> {
        self.stop.clone()
    }

    fn begin(&mut self) {
        let matcher = self.fresh.clone().into_cancellable();
        self.stop
            .watch(matcher.cancellation_handle().unwrap_or_default());
        self.running = Some(matcher);
    }

    /// Which ids may come next; `None` for any.
    pub fn mask(&mut self) -> Result<Option<Mask>> {
        if let Some(mask) = self.thought.as_ref().and_then(Thought::mask) {
            return Ok(Some(mask.clone()));
        }
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
        if self
            .thought
            .as_mut()
            .is_some_and(|thought| thought.takes(id))
        {
            return Ok(());
        }
        let Some(matcher) = &mut self.running else {
            if self.after.contains(&id) {
                self.begin();
            }
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
    let reason = reason(error);
    if reason == StopReason::NoExtensionBias.to_string() {
        let detail = "expected a token that goes on, found none in the vocabulary; the grammar cannot be met";
        return Error::invalid(subject, detail);
    }
    let told = reason.to_lowercase();
    let is_misfit = told.contains("satisfy the grammar");
    if !is_misfit && (told.contains("lexer error") || told.contains("parser error")) {
        let detail = format!("expected a simpler grammar: {reason}");
        return Error::unsupported(subject, detail);
    }
    Error::invalid(subject, format!("does not take a token: {reason}"))
}

/// What `llguidance` says, without the dump of its state behind it.
pub(super) fn reason(error: &impl Display) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    // Of a regular expression the first line announces a picture of it, and behind that stands what is wrong.
    let pattern = lines.next().unwrap_or_default();
    let reason = match lines.find_map(|line| line.strip_prefix("error: ")) {
        Some(fault) if first.contains(pattern) => format!("{first} {fault}"),
        Some(fault) => format!("{first} {pattern:?}: {fault}"),
        None => first.to_owned(),
    };
    reason.chars().take(CHARACTERS_MAX).collect()
}
