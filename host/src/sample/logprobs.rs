//! Log-probabilities of the model's own distribution, before temperature and every filter.

use super::filters::{self, Candidate};

/// How likely a chosen token was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logprobs {
    /// Of the chosen token.
    pub chosen: f32,
    /// The likeliest ids, likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// Reads them off one row of logits.
pub(crate) fn logprobs(logits: &[f32], chosen: u32, top_count: usize) -> Logprobs {
    let candidates: Vec<Candidate> = (0u32..)
        .zip(logits)
        .filter(|(_, logit)| !logit.is_nan())
        .map(|(id, &logit)| Candidate { id, logit })
        .collect();
    let norm = log_sum_exp(&candidates);
    let own = logits.get(chosen as usize).copied();
    let mut top = Vec::new();
    if top_count > 0 {
        top = filters::top_k(candidates, top_count);
    }
    Logprobs {
        chosen: own.unwrap_or(f32::NEG_INFINITY) - norm,
        top: top
            .into_iter()
            .map(|one| (one.id, one.logit - norm))
            .collect(),
    }
}

fn log_sum_exp(candidates: &[Candidate]) -> f32 {
    let max = candidates
        .iter()
        .map(|one| one.logit)
        .fold(f32::NEG_INFINITY, f32::max);
    // Thousands of small numbers: single precision would lose the tail.
    let sum: f64 = candidates
        .iter()
        .map(|one| f64::from(one.logit - max).exp())
        .sum();
    #[allow(clippy::cast_possible_truncation, reason = "log-probabilities are f32")]
    let log = sum.ln() as f32;
    max + log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_the_top_is_in_order() {
        let logits = [1.0, 3.0, f32::NAN, 2.0];
        let all = logprobs(&logits, 3, 9);
        let ids: Vec<u32> = all.top.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 3, 0]);
        let sum: f32 = all.top.iter().map(|(_, logprob)| logprob.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert_eq!(all.chosen, all.top[1].1);
        assert!(logprobs(&logits, 3, 0).top.is_empty());
    }
}
