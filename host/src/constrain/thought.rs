//! Counting thought, and ending it where its budget ends.

/// Follows one generation: which of its tokens are thought. Told every token in order.
///
/// Thought is what stands between the token that opens a channel and the one that closes it, both left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThoughtGate {
    open_id: u32,
    close_id: u32,
    /// The most thought tokens; `None` for any number.
    tokens_max: Option<usize>,
    is_open: bool,
    token_count: usize,
}

impl ThoughtGate {
    /// A gate behind a prompt that leaves a channel open or not.
    pub fn new(open_id: u32, close_id: u32, is_open: bool, tokens_max: Option<usize>) -> Self {
        Self {
            open_id,
            close_id,
            tokens_max,
            is_open,
            token_count: 0,
        }
    }

    /// The token that must come now, because the budget is spent.
    pub fn forced_id(&self) -> Option<u32> {
        (self.is_open && self.is_spent()).then_some(self.close_id)
    }

    fn is_spent(&self) -> bool {
        self.tokens_max.is_some_and(|max| self.token_count >= max)
    }

    /// The token that must not come any more: a spent budget opens no channel.
    pub fn barred_id(&self) -> Option<u32> {
        (!self.is_open && self.is_spent()).then_some(self.open_id)
    }

    /// Whether the next token is thought, or ends one.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// What closes a channel.
    pub fn close_id(&self) -> u32 {
        self.close_id
    }

    /// The next token of the generation.
    pub fn took(&mut self, id: u32) {
        match self.is_open {
            true if id == self.close_id => self.is_open = false,
            true => self.token_count += 1,
            false => self.is_open = id == self.open_id,
        }
    }

    /// Thought tokens so far.
    pub fn token_count(&self) -> usize {
        self.token_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: u32 = 100;
    const CLOSE: u32 = 101;

    #[test]
    fn the_markers_are_no_thought_and_the_budget_holds_over_two_channels() {
        let mut gate = ThoughtGate::new(OPEN, CLOSE, false, Some(3));
        for id in [7, OPEN, 7, 7, CLOSE, 7, OPEN] {
            assert_eq!(gate.forced_id(), None);
            gate.took(id);
        }
        gate.took(7);
        assert_eq!((gate.token_count(), gate.forced_id()), (3, Some(CLOSE)));
        gate.took(CLOSE);
        assert_eq!((gate.forced_id(), gate.barred_id()), (None, Some(OPEN)));
    }

    #[test]
    fn a_budget_of_nothing_closes_an_open_channel_at_once() {
        let gate = ThoughtGate::new(OPEN, CLOSE, true, Some(0));
        assert_eq!((gate.forced_id(), gate.barred_id()), (Some(CLOSE), None));
    }
}
