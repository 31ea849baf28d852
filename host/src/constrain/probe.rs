//! Following a grammar by hand.

use std::time::Duration;

use super::enforcer::Enforcer;
use super::grammar::{Grammar, Grammars};
use crate::error::Result;
use crate::limits::Limits;
use crate::text::Tokenizer;

/// A grammar that is followed token by token, without a model: for whoever writes one.
///
/// ```
/// # let bundle = lapidary::Bundle::embedded()?;
/// use lapidary::{GrammarProbe, Limits};
/// let tokenizer = bundle.tokenizer()?;
/// let mut probe = GrammarProbe::new("start: \"yes\" <turn|>", &tokenizer, &Limits::default())?;
/// assert!(probe.allowed()?.iter().all(|id| "yes".starts_with(&tokenizer.text(*id))));
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Debug)]
pub struct GrammarProbe {
    enforcer: Enforcer,
    vocab_size: u32,
}

impl GrammarProbe {
    /// Compiles a grammar in the Lark dialect of llguidance 1.9, control tokens as spelled.
    ///
    /// # Errors
    /// As a chat with this grammar: `Unsupported` for one that is none, `Limit` for what it may cost.
    pub fn new(lark: &str, tokenizer: &Tokenizer, limits: &Limits) -> Result<Self> {
        let grammar = Grammar {
            lark: lark.to_owned(),
            ..Grammar::default()
        };
        Ok(Self {
            enforcer: Grammars::default().enforce(grammar, tokenizer, limits)?,
            vocab_size: u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX),
        })
    }

    /// The ids that may come next, lowest first. Once for each token: [`GrammarProbe::take`] one then.
    ///
    /// # Errors
    /// `Invalid` when none may, or when the last one did not fit; `Unsupported` when the grammar is too
    /// complex.
    pub fn allowed(&mut self) -> Result<Vec<u32>> {
        let mask = self.enforcer.mask()?;
        let ids = 0..self.vocab_size;
        Ok(ids
            .filter(|id| mask.as_ref().is_none_or(|mask| mask.allows(*id)))
            .collect())
    }

    /// Goes on with a token.
    pub fn take(&mut self, id: u32) {
        self.enforcer.take(id);
    }

    /// How long the last answer of [`GrammarProbe::allowed`] took to be found, on its own thread.
    pub fn mask_time(&self) -> Duration {
        self.enforcer.mask_time()
    }
}
