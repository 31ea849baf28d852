//! Recordings to log-mel features: the reference's feature extractor (transformers 5.23.0,
//! `models/gemma4/feature_extraction_gemma4.py`).

use super::mel::{self, HOP_SAMPLES, MEL_BANDS};
use super::resample::{SAMPLE_RATE_HZ, resample};
use super::sound::{self, Recording, check_levels, check_seconds};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::tensor::Tensor;

/// Samples that the audio encoder takes in one piece: 30 s (`max_length` of the reference).
pub(super) const PIECE_SAMPLES_MAX: usize = 480_000;
/// Frames that the encoder folds into one soft token: two convolutions of stride 2.
const TOKEN_FRAMES: usize = 4;

/// One recording as the audio encoder takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioFeatures {
    /// `[frames, 128]`: ln(mel + 0.001), a frame every 10 ms; masked frames are 0.
    pub input_features: Tensor<f32>,
    /// `[frames]`: whether a frame lies wholly in the recording.
    pub mask: Tensor<bool>,
    /// Rows that the encoder will answer, one per 40 ms; 0 for 10 ms or less.
    pub soft_tokens: usize,
    /// Length in seconds.
    pub seconds: f32,
    /// Length in samples at 16 kHz.
    pub sample_count: usize,
}

/// Features of one recording of at most 30 s: WAV, FLAC, MP3, OGG Vorbis, AAC or M4A, any rate, any
/// number of channels.
///
/// Channels are averaged, then resampled to 16 kHz. `subject` names the recording in errors.
///
/// # Errors
/// `Limit("media_bytes_max")` and `Limit("audio_seconds_max")`, checked in the header where it tells
/// the length; `Unsupported` for a codec that is not read; `Invalid` for anything else that is no whole recording, or holds a sample
/// that is not a number.
pub fn audio_features(bytes: &[u8], subject: &str, limits: &Limits) -> Result<AudioFeatures> {
    let samples = samples_of(bytes, subject, limits)?;
    features_of_samples(&samples, subject, limits)
}

/// The mono samples of a recording, at 16 kHz.
pub(super) fn samples_of(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Vec<f32>> {
    let recording = sound::read(bytes, subject, limits)?;
    resample(recording.samples, recording.rate_hz, subject)
}

/// Like [`audio_features`], for recordings that need no conversion.
///
/// # Errors
/// As for [`audio_features`]; `Invalid` for anything but 16 kHz mono.
pub fn audio_features_raw_16k(
    bytes: &[u8],
    subject: &str,
    limits: &Limits,
) -> Result<AudioFeatures> {
    let Recording {
        samples,
        rate_hz,
        channel_count,
    } = sound::read(bytes, subject, limits)?;
    if rate_hz != SAMPLE_RATE_HZ || channel_count != 1 {
        let detail =
            format!("expected 16000 Hz and 1 channel, found {rate_hz} Hz and {channel_count}");
        return Err(Error::invalid(subject, detail));
    }
    features_of_samples(&samples, subject, limits)
}

/// Features of mono samples at 16 kHz in -1..=1, at most 480,000 of them.
///
/// # Errors
/// `Limit("audio_seconds_max")` for too many samples; `Invalid` for none, for more than the encoder
/// takes in one piece, and for a sample that is not a finite number.
pub fn features_of_samples(
    samples: &[f32],
    subject: &str,
    limits: &Limits,
) -> Result<AudioFeatures> {
    check_samples(samples, subject, limits)?;
    let (frame_count, valid_count) = (frame_count(samples.len()), valid_count(samples.len()));
    let mut values = mel::log_mel(samples, valid_count);
    values.resize(frame_count * MEL_BANDS, 0.0);
    let mask = (0..frame_count).map(|index| index < valid_count).collect();
    Ok(AudioFeatures {
        input_features: Tensor::new([frame_count, MEL_BANDS], values)?,
        mask: Tensor::new([frame_count], mask)?,
        soft_tokens: soft_tokens_of_samples(samples.len()),
        seconds: samples.len() as f32 / SAMPLE_RATE_HZ as f32,
        sample_count: samples.len(),
    })
}

/// The soft tokens of a piece of `sample_count` samples at 16 kHz.
pub fn soft_tokens_of_samples(sample_count: usize) -> usize {
    valid_count(sample_count).div_ceil(TOKEN_FRAMES)
}

fn check_samples(samples: &[f32], subject: &str, limits: &Limits) -> Result<()> {
    check_seconds(samples.len() as u64, SAMPLE_RATE_HZ, subject, limits)?;
    if samples.is_empty() {
        return Err(Error::invalid(
            subject,
            "expected a recording, found one without samples",
        ));
    }
    if samples.len() > PIECE_SAMPLES_MAX {
        let found = samples.len();
        let detail = format!(
            "expected at most {PIECE_SAMPLES_MAX} samples in one piece, found {found}; cut it into pieces"
        );
        return Err(Error::invalid(subject, detail));
    }
    check_levels(samples, subject)
}

/// Frames over samples that are padded right to a multiple of 128 and left by half a frame.
fn frame_count(sample_count: usize) -> usize {
    const PAD_MULTIPLE: usize = 128;
    let padded = sample_count.next_multiple_of(PAD_MULTIPLE) + mel::PAD_LEFT_SAMPLES;
    // The reference cuts frames of one sample more than it uses.
    padded
        .checked_sub(mel::FRAME_SAMPLES + 1)
        .map_or(0, |rest| rest / HOP_SAMPLES + 1)
}

/// Frames whose last sample, and the one after, lie in the recording.
fn valid_count(sample_count: usize) -> usize {
    sample_count.saturating_sub(1) / HOP_SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::media::wav::tests::{WavFile, wav};

    /// `((i * i * 7 + i * 31) % 2001 - 1000) / 1000`, at most 1,000 of them in the goldens.
    fn samples(count: i32) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * i * 7 + i * 31) % 2001 - 1000) as f32 / 1000.0)
            .collect()
    }

    fn features(count: i32) -> AudioFeatures {
        features_of_samples(&samples(count), "audio 1", &Limits::default()).unwrap()
    }

    #[test]
    fn log_mel_equals_the_reference() {
        // Gemma4AudioFeatureExtractor of transformers 5.23.0 over samples(1000): bands 0, 1, 40, 100, 126, 127.
        let goldens = [
            (
                0,
                [
                    -6.9077554, 1.6197755, 1.8598049, 2.2616158, 3.0862575, 2.9576757,
                ],
            ),
            (
                3,
                [
                    -6.9077554, 1.4923466, 0.989696, 3.5364394, 3.5599406, 2.919045,
                ],
            ),
            (
                5,
                [
                    -6.9077554, 0.9401693, 0.2285561, 1.4916104, 3.017341, 2.9582157,
                ],
            ),
        ];
        let features = features(1000);
        for (frame, golden) in goldens {
            let row = features.input_features.row(frame);
            for (band, expected) in [0, 1, 40, 100, 126, 127].into_iter().zip(golden) {
                assert!(
                    (row[band] - expected).abs() < 1e-6,
                    "frame {frame} band {band}"
                );
            }
        }
    }

    #[test]
    fn counts_equal_the_reference() {
        // (samples, frames, tokens) of Gemma4Processor of transformers 5.23.0.
        let goldens = [
            (160, 1, 0),
            (161, 1, 1),
            (38_560, 241, 60),
            (48_000, 299, 75),
            (48_800, 305, 76),
            (99_360, 621, 155),
            (480_000, 2999, 750),
        ];
        for (sample_count, frames, tokens) in goldens {
            assert_eq!(frame_count(sample_count), frames, "{sample_count}");
            assert_eq!(
                soft_tokens_of_samples(sample_count),
                tokens,
                "{sample_count}"
            );
        }
    }

    #[test]
    fn frames_that_reach_past_the_end_are_masked_and_zero() {
        let features = features(800);
        assert_eq!(features.mask.data(), [true, true, true, true, false]);
        assert!(
            features
                .input_features
                .row(4)
                .iter()
                .all(|value| *value == 0.0)
        );
    }

    #[test]
    fn a_long_recording_is_refused_by_its_header() {
        let file = WavFile {
            rate_hz: 8_000,
            data: vec![0; 8_000 * 2 * 31],
            ..WavFile::default()
        };
        let limits = Limits {
            audio_seconds_max: 30,
            ..Limits::default()
        };
        let error = audio_features(&wav(&file), "audio 1", &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit("audio_seconds_max"));
    }

    #[test]
    fn raw_refuses_what_would_need_conversion() {
        for (rate_hz, channel_count) in [(48_000, 1), (16_000, 2)] {
            let file = WavFile {
                rate_hz,
                channel_count,
                ..WavFile::default()
            };
            let error =
                audio_features_raw_16k(&wav(&file), "audio 1", &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_second_is_a_second_at_any_rate() {
        for rate_hz in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000] {
            let file = WavFile {
                rate_hz,
                data: vec![0; rate_hz as usize * 2],
                ..WavFile::default()
            };
            let features = audio_features(&wav(&file), "audio 1", &Limits::default()).unwrap();
            assert_eq!(
                (features.sample_count, features.soft_tokens),
                (16_000, 25),
                "{rate_hz}"
            );
        }
    }

    #[test]
    fn a_sample_that_is_not_a_number_is_refused() {
        for wrong in [f32::NAN, f32::INFINITY, 1e30] {
            let error =
                features_of_samples(&[0.0, wrong], "audio 1", &Limits::default()).unwrap_err();
            assert!(error.to_string().ends_with("at sample 1"), "{error}");
        }
    }
}
