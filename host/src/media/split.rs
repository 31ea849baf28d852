//! Recordings longer than the encoder takes, cut where they are quiet.

use std::ops::Range;

use super::audio::{
    AudioFeatures, PIECE_SAMPLES_MAX, features_of_samples, samples_of, soft_tokens_of_samples,
};
use super::resample::SAMPLE_RATE_HZ;
use crate::error::Result;
use crate::limits::Limits;

/// Samples of one block of energy: 10 ms.
const BLOCK_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 100;
/// Blocks that must be quiet together: 0.1 s, longer than the gap inside a plosive.
const QUIET_BLOCKS: usize = 10;
/// How far before the longest possible piece a cut is looked for: 10 s.
const SEARCH_SAMPLES: usize = 10 * SAMPLE_RATE_HZ as usize;
/// What a cut leaves at least to the last piece: 1 s.
const LAST_SAMPLES_MIN: usize = SAMPLE_RATE_HZ as usize;

/// A stretch of a recording that the audio encoder takes at once.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioPiece {
    /// Where it starts in the recording.
    pub start_seconds: f32,
    /// Its features.
    pub features: AudioFeatures,
}

/// Features of a recording of any length that `limits` allows, in pieces of at most 30 s.
///
/// The pieces follow each other without gap or overlap; a recording of 30 s or less is one piece.
///
/// # Errors
/// As for [`audio_features`](super::audio_features), the length of one piece aside.
pub fn audio_pieces(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Vec<AudioPiece>> {
    pieces_of(&samples_of(bytes, subject, limits)?, subject, limits)
}

/// The soft tokens of each piece that [`audio_pieces`] will give, before any feature is made.
///
/// # Errors
/// As for [`audio_pieces`].
pub fn audio_soft_tokens(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Vec<usize>> {
    let pieces = split_quiet(&samples_of(bytes, subject, limits)?);
    let prices = pieces
        .iter()
        .map(|piece| soft_tokens_of_samples(piece.len()));
    Ok(prices.collect())
}

/// As [`audio_pieces`], of mono samples at 16 kHz.
pub(super) fn pieces_of(
    samples: &[f32],
    subject: &str,
    limits: &Limits,
) -> Result<Vec<AudioPiece>> {
    let piece = |range: Range<usize>| {
        let start_seconds = range.start as f32 / SAMPLE_RATE_HZ as f32;
        let features = features_of_samples(&samples[range], subject, limits)?;
        Ok(AudioPiece {
            start_seconds,
            features,
        })
    };
    split_quiet(samples).into_iter().map(piece).collect()
}

/// Cuts mono samples at 16 kHz into pieces of at most 480,000 (30 s).
///
/// Each cut lies in the quietest tenth of a second of the last ten seconds that a piece may reach.
pub fn split_quiet(samples: &[f32]) -> Vec<Range<usize>> {
    let (mut start, mut pieces) = (0, Vec::new());
    while samples.len() - start > PIECE_SAMPLES_MAX {
        let end = PIECE_SAMPLES_MAX.min(samples.len() - start - LAST_SAMPLES_MIN);
        let search = end.saturating_sub(SEARCH_SAMPLES)..end;
        let cut = start + search.start + quietest(&samples[start..][search]);
        pieces.push(start..cut);
        start = cut;
    }
    pieces.push(start..samples.len());
    pieces
}

/// The middle of the quietest stretch; of equals the last, so that pieces are long.
fn quietest(samples: &[f32]) -> usize {
    let energy = |block: &[f32]| {
        block
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
    };
    let blocks: Vec<f64> = samples.chunks_exact(BLOCK_SAMPLES).map(energy).collect();
    let stretches = blocks
        .windows(QUIET_BLOCKS)
        .map(|blocks| blocks.iter().sum::<f64>());
    let (first_block, _) = stretches
        .enumerate()
        .reduce(|least, next| if next.1 <= least.1 { next } else { least })
        .expect("the search is longer than a stretch");
    (first_block + QUIET_BLOCKS / 2) * BLOCK_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone with a silence of 0.2 s from each of `silences`, in seconds.
    fn tone(seconds: usize, silences: &[f32]) -> Vec<f32> {
        let is_silent = |at: f32| {
            silences
                .iter()
                .any(|from| (*from..from + 0.2).contains(&at))
        };
        let level = |at: f32| {
            if is_silent(at) {
                0.0
            } else {
                (at * 2764.6).sin() * 0.5
            }
        };
        (0..seconds * 16_000)
            .map(|index| level(index as f32 / 16_000.0))
            .collect()
    }

    #[test]
    fn thirty_seconds_are_one_piece() {
        assert_eq!(split_quiet(&tone(30, &[7.0])).len(), 1);
    }

    #[test]
    fn a_cut_lies_in_the_silence() {
        let pieces = split_quiet(&tone(70, &[3.0, 24.5, 47.0]));
        let cuts: Vec<f32> = pieces
            .iter()
            .map(|piece| piece.start as f32 / 16_000.0)
            .collect();
        assert_eq!(pieces.len(), 3);
        assert!(
            (24.5..24.7).contains(&cuts[1]) && (47.0..47.2).contains(&cuts[2]),
            "{cuts:?}"
        );
    }

    #[test]
    fn pieces_cover_the_recording_and_none_is_too_long() {
        for seconds in [31, 45, 60, 61, 200] {
            let samples = tone(seconds, &[]);
            let pieces = split_quiet(&samples);
            let joined = pieces.windows(2).all(|pair| pair[0].end == pair[1].start);
            let last = pieces.last().unwrap();
            assert!(joined && pieces[0].start == 0 && last.end == samples.len());
            assert!(
                pieces
                    .iter()
                    .all(|piece| (16_000..=480_000).contains(&piece.len()))
            );
        }
    }

    #[test]
    fn silence_is_cut_as_late_as_possible() {
        assert_eq!(split_quiet(&[0.0; 960_000])[0], 0..479_200);
    }
}
