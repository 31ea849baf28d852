//! The grant `inference`: so many tokens a minute, so deep.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Refusal, RefusalKind};
use crate::plugin::grants::InferenceGrant;

const WINDOW: Duration = Duration::from_secs(60);

/// What one plugin spends.
pub(in crate::plugin) struct Meter {
    grant: InferenceGrant,
    uses: Mutex<Uses>,
}

#[derive(Default)]
struct Uses {
    last: u64,
    all: Vec<Use>,
}

/// One use of the model: what it may spend while it runs, what it spent when it is over.
struct Use {
    number: u64,
    /// When it ended; none while it runs.
    ended: Option<Instant>,
    /// Those that the model has read and written for sure.
    spent_tokens: u32,
    held_tokens: u32,
}

/// A use that runs. Until it is settled, what was set aside for it is nobody else's.
pub(in crate::plugin) struct Open {
    meter: Arc<Meter>,
    number: u64,
    wanted: Option<u32>,
}

impl Meter {
    pub(super) fn new(grant: InferenceGrant) -> Self {
        let uses = Mutex::default();
        Self { grant, uses }
    }

    /// Tokens that are left in this minute.
    pub(in crate::plugin) fn left(&self) -> u32 {
        self.left_beside(&mut self.uses(), None)
    }

    fn left_beside(&self, uses: &mut Uses, own: Option<u64>) -> u32 {
        let counts = |ended: Instant| ended.elapsed() < WINDOW;
        uses.all.retain(|one| one.ended.is_none_or(counts));
        let others = uses.all.iter().filter(|one| Some(one.number) != own);
        let used = others.fold(0_u32, |sum, one| sum.saturating_add(one.held_tokens));
        self.grant.tokens_per_minute.saturating_sub(used)
    }

    /// Lets a use begin, whose answer is to have at most `wanted` tokens.
    pub(in crate::plugin) fn open(
        self: &Arc<Self>,
        model: Option<&str>,
        depth: u32,
        wanted: Option<u32>,
    ) -> Result<Open, Refusal> {
        let models = &self.grant.models;
        if let Some(model) =
            model.filter(|model| !models.is_empty() && !models.iter().any(|m| m == model))
        {
            let message = format!("model {model}: expected one of: {}", models.join(", "));
            return Err(Refusal::denied("inference.model", message));
        }
        if depth >= self.grant.depth_max {
            let max = self.grant.depth_max;
            let message = format!(
                "expected calls of the model at most {max} deep, found {}",
                depth + 1
            );
            return Err(Refusal::denied("inference.depth", message));
        }
        let mut uses = self.uses();
        if self.left_beside(&mut uses, None) == 0 {
            return Err(self.spent(0, 0));
        }
        uses.last += 1;
        Ok(Open {
            meter: Arc::clone(self),
            number: uses.last,
            wanted,
        })
    }

    fn spent(&self, left: u32, prompt_tokens: u32) -> Refusal {
        let max = self.grant.tokens_per_minute;
        let message = format!(
            "expected at most {max} tokens a minute, of which {left} are left, found a prompt of \
             {prompt_tokens}; wait, or grant more"
        );
        Refusal::new(RefusalKind::Limit, "inference.tokens-per-minute", message)
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The most tokens that its answer may have, before its prompt is known.
    pub(in crate::plugin) fn tokens_max(&self) -> u32 {
        let left = self.meter.left();
        self.wanted.map_or(left, |wanted| wanted.min(left))
    }

    /// Sets aside what a prompt and the rest of the answer may take, after `written` tokens of it in earlier rounds.
    /// Gives how many the rest may have.
    pub(in crate::plugin) fn admit(&self, prompt: u32, written: u32) -> Result<u32, Refusal> {
        let mut uses = self.meter.uses();
        let left = self.meter.left_beside(&mut uses, Some(self.number));
        let read = prompt.saturating_add(written);
        let room = left.saturating_sub(read);
        if room == 0 {
            return Err(self.meter.spent(left, prompt));
        }
        let wanted = self.wanted.map(|wanted| wanted.saturating_sub(written));
        let rest = wanted.map_or(room, |wanted| wanted.min(room));
        uses.put(Use {
            number: self.number,
            ended: None,
            spent_tokens: read,
            held_tokens: read.saturating_add(rest),
        });
        Ok(rest)
    }

    /// Notes that the model has read `prompt` tokens and written `written`, all rounds together.
    pub(in crate::plugin) fn spent(&self, prompt: u32, written: u32) {
        let mut uses = self.meter.uses();
        let own = uses.all.iter_mut().find(|one| one.number == self.number);
        if let Some(own) = own {
            own.spent_tokens = prompt.saturating_add(written);
        }
    }

    /// Ends the use, which took so many; without a number those that the model has read and written for sure. Gives
    /// the number.
    pub(in crate::plugin) fn settle(&self, tokens: Option<u32>) -> u32 {
        let mut uses = self.meter.uses();
        let mut own = uses.all.iter().filter(|one| one.number == self.number);
        let spent = own.next().map_or(0, |one| one.spent_tokens);
        let tokens = tokens.unwrap_or(spent);
        uses.put(Use {
            number: self.number,
            ended: Some(Instant::now()),
            spent_tokens: tokens,
            held_tokens: tokens,
        });
        tokens
    }
}

impl Uses {
    fn put(&mut self, new: Use) {
        self.all.retain(|one| one.number != new.number);
        self.all.push(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(tokens_per_minute: u32) -> Arc<Meter> {
        Arc::new(Meter::new(InferenceGrant {
            tokens_per_minute,
            ..InferenceGrant::default()
        }))
    }

    fn open(meter: &Arc<Meter>, wanted: Option<u32>) -> Open {
        meter.open(None, 0, wanted).expect("something is left")
    }

    #[test]
    fn a_prompt_that_leaves_no_room_is_refused_and_costs_nothing() {
        let meter = meter(100);
        let use_ = open(&meter, None);
        let refusal = use_.admit(100, 0).expect_err("no room for an answer");
        assert_eq!(refusal.kind, RefusalKind::Limit);
        assert_eq!(use_.settle(None), 0);
        assert_eq!(meter.left(), 100);
    }

    #[test]
    fn an_answer_gets_what_its_prompt_leaves() {
        let meter = meter(100);
        assert_eq!(open(&meter, None).admit(70, 0).expect("room"), 30);
        let meter = self::meter(100);
        let use_ = open(&meter, Some(20));
        assert_eq!(use_.admit(70, 0).expect("room"), 20);
        // A second round, whose prompt holds the first one's answer.
        assert_eq!(use_.admit(90, 5).expect("room"), 5);
        assert_eq!(meter.left(), 0);
        assert_eq!(use_.settle(Some(97)), 97);
        assert_eq!(meter.left(), 3);
    }

    #[test]
    fn uses_at_once_do_not_spend_the_same_tokens() {
        let meter = meter(100);
        let (first, second) = (open(&meter, Some(30)), open(&meter, Some(30)));
        assert_eq!(first.admit(30, 0).expect("room"), 30);
        assert_eq!(second.admit(30, 0).expect("room"), 10);
        assert!(meter.open(None, 0, None).is_err());
        // Of what failed, the prompt was read.
        assert_eq!(first.settle(None), 30);
        assert_eq!(second.settle(Some(35)), 35);
        assert_eq!(meter.left(), 35);
    }

    #[test]
    fn what_failed_after_it_was_written_is_paid() {
        let meter = meter(100);
        let use_ = open(&meter, None);
        assert_eq!(use_.admit(10, 0).expect("room"), 90);
        use_.spent(10, 60);
        assert_eq!(use_.settle(None), 70);
        assert_eq!(meter.left(), 30);
    }
}
