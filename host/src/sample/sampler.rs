//! The chain: suppress, temperature, top-k, top-p, min-p, draw. The order is the reference's
//! (transformers 5.23, `generation/utils.py`).

use std::collections::VecDeque;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::filters::{self, Candidate};
use crate::chat::Sampling;

/// A temperature at which only the likeliest token has any probability left; below it numbers overflow.
const GREEDY_BELOW: f32 = 1e-5;

/// Chooses one token after the other.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    /// By id; ids past its end are allowed.
    suppressed: Vec<bool>,
    random: ChaCha8Rng,
    replay: VecDeque<u32>,
}

impl Sampler {
    /// A sampler that never chooses a suppressed id.
    pub fn new(sampling: Sampling, suppressed_ids: &[u32]) -> Self {
        let mut suppressed = Vec::new();
        for id in suppressed_ids.iter().map(|&id| id as usize) {
            suppressed.resize(suppressed.len().max(id + 1), false);
            suppressed[id] = true;
        }
        let random = match sampling.seed {
            Some(seed) => ChaCha8Rng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        Self {
            sampling,
            suppressed,
            random,
            replay: VecDeque::new(),
        }
    }

    /// The same sampler, which first chooses these.
    pub fn replaying(mut self, ids: &[u32]) -> Self {
        self.replay.extend(ids);
        self
    }

    /// The next token. `logits` holds one value per token, soft-capped by the graph; NaN is never chosen.
    pub fn next(&mut self, logits: &[f32]) -> u32 {
        if let Some(id) = self.replay.pop_front() {
            return id;
        }
        if self.sampling.temperature <= GREEDY_BELOW {
            return self.likeliest(logits);
        }
        let mut kept = filters::top_k(self.candidates(logits), self.sampling.top_k);
        if kept.is_empty() {
            return 0;
        }
        filters::top_p(&mut kept, self.sampling.top_p);
        filters::min_p(&mut kept, self.sampling.min_p);
        self.draw(&kept)
    }

    fn likeliest(&self, logits: &[f32]) -> u32 {
        let better =
            |best: Candidate, next: Candidate| if next.logit > best.logit { next } else { best };
        self.allowed(logits)
            .reduce(better)
            .map_or(0, |best| best.id)
    }

    fn candidates(&self, logits: &[f32]) -> Vec<Candidate> {
        let scale = self.sampling.temperature;
        self.allowed(logits)
            .map(|one| Candidate {
                logit: one.logit / scale,
                ..one
            })
            .collect()
    }

    fn allowed<'a>(&'a self, logits: &'a [f32]) -> impl Iterator<Item = Candidate> + 'a {
        (0u32..).zip(logits).filter_map(|(id, &logit)| {
            let usable = !logit.is_nan() && self.suppressed.get(id as usize) != Some(&true);
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
            min_p: 0.0,
            seed: Some(7),
        }
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_skips_nan_and_suppressed() {
        let mut sampler = Sampler::new(Sampling::greedy(), &[3]);
        assert_eq!(sampler.next(&[f32::NAN, 2.0, 2.0, 9.0]), 1);
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        let logits: Vec<f32> = (0..100u8).map(|value| f32::from(value % 13)).collect();
        let run = || {
            let mut sampler = Sampler::new(sampling(1.0, 64, 0.95), &[]);
            (0..50).map(|_| sampler.next(&logits)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn top_k_of_one_is_greedy() {
        let mut sampler = Sampler::new(sampling(5.0, 1, 1.0), &[]);
        assert!((0..20).all(|_| sampler.next(&[0.0, 1.0, 0.5]) == 1));
    }

    #[test]
    fn frequencies_follow_the_probabilities() {
        let mut sampler = Sampler::new(sampling(1.0, 0, 1.0), &[]);
        let logits = [3.0f32.ln(), 1.0f32.ln()];
        let first = (0..4000).filter(|_| sampler.next(&logits) == 0).count();
        assert!((2850..3150).contains(&first), "{first}");
    }

    #[test]
    fn top_p_keeps_the_shortest_sufficient_beginning() {
        let mut sampler = Sampler::new(sampling(1.0, 0, 0.5), &[]);
        assert!((0..50).all(|_| sampler.next(&[2.0, 1.0, 0.0]) == 0));
    }
}
