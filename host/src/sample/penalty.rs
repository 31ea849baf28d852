//! Penalties on repetition. `repetition` counts the prompt too, as transformers 5.23 does
//! (`RepetitionPenaltyLogitsProcessor`); `presence` and `frequency` count the answer alone, as OpenAI defines
//! them.

use std::collections::{HashMap, HashSet};

use crate::chat::Sampling;

/// What was said, and what saying it again costs.
#[derive(Debug)]
pub(super) struct Penalties {
    repetition: f32,
    presence: f32,
    frequency: f32,
    seen: HashSet<u32>,
    counts: HashMap<u32, u16>,
}

impl Penalties {
    pub fn new(sampling: &Sampling, prompt_ids: &[u32]) -> Self {
        let mut penalties = Self {
            repetition: sampling.repetition_penalty,
            presence: sampling.presence_penalty,
            frequency: sampling.frequency_penalty,
            seen: HashSet::new(),
            counts: HashMap::new(),
        };
        if penalties.repeats() {
            penalties.seen.extend(prompt_ids);
        }
        penalties
    }

    /// Whether logits stay as they are.
    pub fn are_none(&self) -> bool {
        !self.repeats() && !self.counts_answer()
    }

    pub fn took(&mut self, id: u32) {
        if self.repeats() {
            self.seen.insert(id);
        }
        if self.counts_answer() {
            let count = self.counts.entry(id).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub fn apply(&self, logits: &mut [f32]) {
        for id in &self.seen {
            if let Some(logit) = logits.get_mut(*id as usize) {
                let divides = *logit > 0.0;
                *logit *= if divides {
                    1.0 / self.repetition
                } else {
                    self.repetition
                };
            }
        }
        for (id, count) in &self.counts {
            if let Some(logit) = logits.get_mut(*id as usize) {
                *logit -= self.presence + self.frequency * f32::from(*count);
            }
        }
    }

    fn repeats(&self) -> bool {
        self.repetition != 1.0
    }

    fn counts_answer(&self) -> bool {
        self.presence != 0.0 || self.frequency != 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(sampling: Sampling, prompt: &[u32], answer: &[u32]) -> Vec<f32> {
        let mut penalties = Penalties::new(&sampling, prompt);
        answer.iter().for_each(|id| penalties.took(*id));
        let mut logits = vec![4.0, -4.0, 4.0, 4.0];
        penalties.apply(&mut logits);
        logits
    }

    #[test]
    fn repetition_counts_prompt_and_answer_once() {
        let sampling = Sampling {
            repetition_penalty: 2.0,
            ..Sampling::default()
        };
        assert_eq!(
            applied(sampling, &[0, 0, 1], &[2, 2]),
            [2.0, -8.0, 2.0, 4.0]
        );
    }

    #[test]
    fn presence_and_frequency_count_the_answer_alone() {
        let sampling = Sampling {
            presence_penalty: 1.0,
            frequency_penalty: 0.5,
            ..Sampling::default()
        };
        assert_eq!(applied(sampling, &[0], &[2, 2, 3]), [4.0, -4.0, 2.0, 2.5]);
    }

    #[test]
    fn ids_that_the_model_does_not_have_are_passed_over() {
        let sampling = Sampling {
            repetition_penalty: 2.0,
            presence_penalty: 1.0,
            ..Sampling::default()
        };
        assert_eq!(applied(sampling, &[99], &[98]), [4.0, -4.0, 4.0, 4.0]);
    }
}
