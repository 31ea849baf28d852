//! The chain: bias, penalties, mask, temperature, top-k, top-p, min-p, draw. The filters' order is the
//! reference's (transformers 5.23, `generation/utils.py`).

use std::borrow::Cow;
use std::collections::VecDeque;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::filters::{self, Candidate};
use super::penalty::Penalties;
use crate::chat::Sampling;

/// A temperature at which only the likeliest token has any probability left; below it numbers overflow.
const GREEDY_BELOW: f32 = 1e-5;

/// What one sequence asks of its sampler, beside [`Sampling`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// Never sampled.
    pub suppressed_ids: Vec<u32>,
    /// Added to the logits of these ids.
    pub logit_bias: Vec<(u32, f32)>,
    /// Chosen in place of sampling, as far as they reach.
    pub replay_ids: Vec<u32>,
}

/// Which ids may come next: one bit for each, the lowest first. Ids past its end may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask(Vec<u32>);

impl Mask {
    /// A mask without any of so many ids.
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(32)])
    }

    /// A mask of these words, 32 ids in each.
    pub fn from_words(words: Vec<u32>) -> Self {
        Self(words)
    }

    /// Lets the id come next too, if the mask has a place for it.
    pub fn allow(&mut self, id: u32) {
        if let Some(word) = self.0.get_mut(id as usize / 32) {
            *word |= 1 << (id % 32);
        }
    }

    /// Whether the id may come next.
    pub fn allows(&self, id: u32) -> bool {
        let word = self.0.get(id as usize / 32).copied().unwrap_or(0);
        word >> (id % 32) & 1 == 1
    }
}

/// Chooses one token after the other.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    /// By id; ids past its end are allowed.
    suppressed: Vec<bool>,
    logit_bias: Vec<(u32, f32)>,
    penalties: Penalties,
    random: ChaCha8Rng,
    replay: VecDeque<u32>,
}

impl Sampler {
    /// A sampler for what follows `prompt_ids`.
    pub fn new(sampling: Sampling, choices: &Choices, prompt_ids: &[u32]) -> Self {
        let random = match sampling.seed {
            Some(seed) => ChaCha8Rng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let mut sampler = Self {
            sampling,
            suppressed: Vec::new(),
            logit_bias: choices.logit_bias.clone(),
            penalties: Penalties::new(&sampling, prompt_ids),
            random,
            replay: choices.replay_ids.iter().copied().collect(),
        };
        for id in &choices.suppressed_ids {
            sampler.suppress(*id);
        }
        sampler
    }

    /// The next token; `None` when nothing may come. `logits` holds one value per token, soft-capped by the
    /// graph; NaN is never chosen. What was chosen must be told with [`Sampler::took`].
    pub fn next(&mut self, logits: &[f32], mask: Option<&Mask>) -> Option<u32> {
        if let Some(id) = self.replay.pop_front() {
            return Some(id);
        }
        let logits = self.weighed(logits);
        if self.sampling.temperature <= GREEDY_BELOW {
            return self.likeliest(&logits, mask);
        }
        let candidates = self.candidates(&logits, mask);
        let mut kept = filters::top_k(candidates, self.sampling.top_k);
        if kept.is_empty() {
            return None;
        }
        filters::top_p(&mut kept, self.sampling.top_p);
        filters::min_p(&mut kept, self.sampling.min_p);
        Some(self.draw(&kept))
    }

    /// The id is not sampled any more.
    pub fn suppress(&mut self, id: u32) {
        let id = id as usize;
        self.suppressed
            .resize(self.suppressed.len().max(id + 1), false);
        self.suppressed[id] = true;
    }

    /// A token that comes whatever the logits say. A replay that has it too goes on behind it.
    pub fn forced(&mut self, id: u32) -> u32 {
        self.replay.pop_front_if(|next| *next == id);
        id
    }

    /// Counts a token that is part of the answer now, whoever chose it.
    pub fn took(&mut self, id: u32) {
        self.penalties.took(id);
    }

    /// The logits with bias and penalties; the same ones where there are none.
    fn weighed<'a>(&self, logits: &'a [f32]) -> Cow<'a, [f32]> {
        if self.logit_bias.is_empty() && self.penalties.are_none() {
            return Cow::Borrowed(logits);
        }
        let mut weighed = logits.to_vec();
        for (id, bias) in &self.logit_bias {
            if let Some(logit) = weighed.get_mut(*id as usize) {
                *logit += bias;
            }
        }
        self.penalties.apply(&mut weighed);
        Cow::Owned(weighed)
    }

    fn likeliest(&self, logits: &[f32], mask: Option<&Mask>) -> Option<u32> {
        let better =
            |best: Candidate, next: Candidate| if next.logit > best.logit { next } else { best };
        self.allowed(logits, mask)
            .reduce(better)
            .map(|best| best.id)
    }

    fn candidates(&self, logits: &[f32], mask: Option<&Mask>) -> Vec<Candidate> {
        let scale = self.sampling.temperature;
        self.allowed(logits, mask)
            .map(|one| Candidate {
                logit: one.logit / scale,
                ..one
            })
            .collect()
    }

    fn allowed<'a>(
        &'a self,
        logits: &'a [f32],
        mask: Option<&'a Mask>,
    ) -> impl Iterator<Item = Candidate> + 'a {
        (0u32..).zip(logits).filter_map(move |(id, &logit)| {
            let usable = !logit.is_nan()
                && logit > f32::NEG_INFINITY
                && self.suppressed.get(id as usize) != Some(&true)
                && mask.is_none_or(|mask| mask.allows(id));
            usable.then_some(Candidate { id, logit })
        })
    }

    fn draw(&mut self, kept: &[Candidate]) -> u32 {
        let mut left: f32 = self.random.random();
        for (candidate, probability) in kept.iter().zip(filters::probabilities(kept)) {
            left -= probability;
            if left < 0.0 {
                return candidate.id;
            }
        }
        // Rounding can leave a sliver: it belongs to the last.
        kept[kept.len() - 1].id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f32, top_k: usize, top_p: f32) -> Sampling {
        Sampling {
            temperature,
            top_k,
            top_p,
            seed: Some(7),
            ..Sampling::default()
        }
    }

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(sampling, &Choices::default(), &[])
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_skips_nan_and_suppressed() {
        let choices = Choices {
            suppressed_ids: vec![3],
            ..Choices::default()
        };
        let mut sampler = Sampler::new(Sampling::greedy(), &choices, &[]);
        assert_eq!(sampler.next(&[f32::NAN, 2.0, 2.0, 9.0], None), Some(1));
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        let logits: Vec<f32> = (0..100u8).map(|value| f32::from(value % 13)).collect();
        let run = || {
            let mut sampler = sampler(sampling(1.0, 64, 0.95));
            let tokens = (0..50).map(|_| sampler.next(&logits, None));
            tokens.collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn top_k_of_one_is_greedy() {
        let mut sampler = sampler(sampling(5.0, 1, 1.0));
        assert!((0..20).all(|_| sampler.next(&[0.0, 1.0, 0.5], None) == Some(1)));
    }

    #[test]
    fn frequencies_follow_the_probabilities() {
        let mut sampler = sampler(sampling(1.0, 0, 1.0));
        let logits = [3.0f32.ln(), 1.0f32.ln()];
        let first = (0..4000)
            .filter(|_| sampler.next(&logits, None) == Some(0))
            .count();
        assert!((2850..3150).contains(&first), "{first}");
    }

    #[test]
    fn top_p_keeps_the_shortest_sufficient_beginning() {
        let mut sampler = sampler(sampling(1.0, 0, 0.5));
        assert!((0..50).all(|_| sampler.next(&[2.0, 1.0, 0.0], None) == Some(0)));
    }

    #[test]
    fn min_p_drops_what_is_far_less_likely_than_the_first() {
        let drawn = |min_p| {
            let sampling = Sampling {
                min_p,
                ..sampling(1.0, 0, 1.0)
            };
            let mut sampler = sampler(sampling);
            (0..500).any(|_| sampler.next(&[3.0, 0.0], None) == Some(1))
        };
        // The second is e^-3, a twentieth, as likely as the first.
        assert!(drawn(0.04) && !drawn(0.06));
    }

    #[test]
    fn only_what_the_mask_allows_is_chosen() {
        let mask = Mask::from_words(vec![0, 0b100]);
        let logits: Vec<f32> = (0..64u8).map(f32::from).collect();
        for temperature in [0.0, 1.0] {
            let mut sampler = sampler(sampling(temperature, 64, 0.95));
            assert_eq!(sampler.next(&logits, Some(&mask)), Some(34));
        }
        let nothing = Mask::default();
        assert_eq!(
            sampler(Sampling::greedy()).next(&logits, Some(&nothing)),
            None
        );
    }

    #[test]
    fn a_bias_moves_and_bans_tokens() {
        let choices = Choices {
            logit_bias: vec![(0, 5.0), (1, f32::NEG_INFINITY), (9, 1.0)],
            ..Choices::default()
        };
        let mut sampler = Sampler::new(Sampling::greedy(), &choices, &[]);
        assert_eq!(sampler.next(&[0.0, 9.0, 4.0], None), Some(0));
        assert_eq!(sampler.next(&[f32::NAN, 9.0], None), None);
    }

    #[test]
    fn an_infinite_logit_is_chosen() {
        let logits = [1.0, f32::INFINITY, 2.0];
        for (temperature, top_p, min_p) in [(1.0, 1.0, 0.0), (0.5, 0.95, 0.1), (0.0, 1.0, 0.0)] {
            let sampling = Sampling {
                min_p,
                ..sampling(temperature, 64, top_p)
            };
            let mut sampler = sampler(sampling);
            assert!((0..50).all(|_| sampler.next(&logits, None) == Some(1)));
        }
        let two = [f32::INFINITY, 0.0, f32::INFINITY];
        let mut sampler = sampler(sampling(1.0, 0, 1.0));
        let drawn: Vec<_> = (0..50).map(|_| sampler.next(&two, None)).collect();
        assert!(drawn.contains(&Some(0)) && drawn.contains(&Some(2)));
        assert!(!drawn.contains(&Some(1)));
    }
}
