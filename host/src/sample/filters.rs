//! What narrows the choice: each filter takes candidates, likeliest first, and keeps some.

use std::cmp::Ordering;

/// A token and its logit, after temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub id: u32,
    pub logit: f32,
}

impl Candidate {
    /// Likeliest first; the lower id where two are equal.
    pub fn order(&self, other: &Self) -> Ordering {
        other
            .logit
            .total_cmp(&self.logit)
            .then(self.id.cmp(&other.id))
    }
}

/// The `k` likeliest, in order; all of them when `k` is 0.
pub(crate) fn top_k(mut candidates: Vec<Candidate>, k: usize) -> Vec<Candidate> {
    if k > 0 && k < candidates.len() {
        candidates.select_nth_unstable_by(k - 1, Candidate::order);
        candidates.truncate(k);
    }
    candidates.sort_unstable_by(Candidate::order);
    candidates
}

/// The shortest beginning whose probability reaches `p`; never empty.
pub(crate) fn top_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 {
        return;
    }
    let mut sum = 0.0;
    let keep = probabilities(candidates).iter().position(|probability| {
        sum += probability;
        sum >= p
    });
    candidates.truncate(keep.map_or(candidates.len(), |index| index + 1).max(1));
}

/// Those at least `share` as likely as the first.
pub(crate) fn min_p(candidates: &mut Vec<Candidate>, share: f32) {
    if share <= 0.0 {
        return;
    }
    let floor = candidates[0].logit + share.ln();
    let keep = candidates
        .iter()
        .take_while(|candidate| candidate.logit >= floor)
        .count();
    candidates.truncate(keep.max(1));
}

/// The softmax over the candidates, of which the first is the likeliest. Infinite logits share all there is.
pub(crate) fn probabilities(candidates: &[Candidate]) -> Vec<f32> {
    let max = candidates[0].logit;
    let weights: Vec<f32> = candidates
        .iter()
        .map(|candidate| match candidate.logit {
            // Infinity less itself is no number.
            logit if logit >= max => 1.0,
            logit => (logit - max).exp(),
        })
        .collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
