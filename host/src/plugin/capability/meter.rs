//! The grant `inference`: so many tokens a minute, so deep.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Refusal, RefusalKind};
use crate::plugin::grants::InferenceGrant;

const WINDOW: Duration = Duration::from_secs(60);

/// What one plugin spends.
pub(in crate::plugin) struct Meter {
    grant: InferenceGrant,
    spent: Mutex<VecDeque<(Instant, u32)>>,
}

impl Meter {
    pub(super) fn new(grant: InferenceGrant) -> Self {
        let spent = Mutex::default();
        Self { grant, spent }
    }

    /// Tokens that are left in this minute.
    pub(in crate::plugin) fn left(&self) -> u32 {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|(when, _)| when.elapsed() < WINDOW);
        let used = spent
            .iter()
            .fold(0_u32, |sum, (_, tokens)| sum.saturating_add(*tokens));
        self.grant.tokens_per_minute.saturating_sub(used)
    }

    /// How many tokens an answer may have, if any.
    pub(in crate::plugin) fn admit(
        &self,
        model: Option<&str>,
        depth: u32,
        wanted: Option<u32>,
    ) -> Result<u32, Refusal> {
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
        match self.left() {
            0 => {
                let max = self.grant.tokens_per_minute;
                let message = format!("expected at most {max} tokens a minute, found more; wait");
                Err(Refusal::new(
                    RefusalKind::Limit,
                    "inference.tokens-per-minute",
                    message,
                ))
            }
            left => Ok(wanted.map_or(left, |wanted| wanted.min(left))),
        }
    }

    pub(in crate::plugin) fn spend(&self, tokens: u32) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.push_back((Instant::now(), tokens));
    }
}
