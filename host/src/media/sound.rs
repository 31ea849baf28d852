//! Sound files to mono samples: picks the decoder, and bounds what any of them gives.

use super::{compressed, wav};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// A recording with its channels averaged.
#[derive(Debug)]
pub(super) struct Recording {
    /// In -1..=1; a float file may go beyond.
    pub(super) samples: Vec<f32>,
    pub(super) rate_hz: u32,
    /// Channels before averaging.
    pub(super) channel_count: usize,
}

/// Rates that are taken for sound, in Hz. Outside of them a header is damaged, or lies.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Decodes a recording, told by its first bytes.
///
/// # Errors
/// `Limit` for too many bytes or seconds; `Unsupported` for a codec that is not read; `Invalid` for
/// no recording, half a one, no samples, an impossible rate or level.
pub(super) fn read(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Recording> {
    super::check_bytes(bytes.len() as u64, subject, limits)?;
    let recording = match bytes {
        bytes if wav::is_wav(bytes) => wav::read(bytes, subject, limits)?,
        bytes if compressed::is_known(bytes) => compressed::read(bytes, subject, limits)?,
        bytes => {
            let found = super::opening(bytes);
            let detail = format!("expected WAV, FLAC, MP3, OGG, AAC or M4A, found {found}");
            return Err(Error::invalid(subject, detail));
        }
    };
    if recording.samples.is_empty() {
        return Err(without_samples(subject));
    }
    check_levels(&recording.samples, subject)?;
    Ok(recording)
}

/// The mean of interleaved channels, summed in 32 bits as the reference does.
pub(super) fn mono(samples: Vec<f32>, channel_count: usize) -> Vec<f32> {
    if channel_count == 1 {
        return samples;
    }
    let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channel_count as f32;
    samples.chunks_exact(channel_count).map(mean).collect()
}

pub(super) fn without_samples(subject: &str) -> Error {
    Error::invalid(subject, "expected a recording, found one without samples")
}

/// Refuses a rate that no recording has.
pub(super) fn check_rate(rate_hz: u32, subject: &str) -> Result<()> {
    if RATES_HZ.contains(&rate_hz) {
        return Ok(());
    }
    let (low, high) = (RATES_HZ.start(), RATES_HZ.end());
    let detail = format!("expected a sample rate of {low} to {high} Hz, found {rate_hz}");
    Err(Error::invalid(subject, detail))
}

/// Refuses what is no sound level: not a number, infinite, or so large that sums would be.
pub(super) fn check_levels(samples: &[f32], subject: &str) -> Result<()> {
    const LEVEL_MAX: f32 = 1e6;
    let wrong = |sample: &f32| sample.is_nan() || sample.abs() > LEVEL_MAX;
    let Some(index) = samples.iter().position(wrong) else {
        return Ok(());
    };
    let detail = format!(
        "expected samples in -1..=1, found {} at sample {index}",
        samples[index]
    );
    Err(Error::invalid(subject, detail))
}

/// Refuses more than `audio_seconds_max` of sound.
pub(super) fn check_seconds(
    sample_count: u64,
    rate_hz: u32,
    subject: &str,
    limits: &Limits,
) -> Result<()> {
    let seconds_max = limits.audio_seconds_max;
    if sample_count <= u64::from(seconds_max) * u64::from(rate_hz) {
        return Ok(());
    }
    let seconds = sample_count as f64 / f64::from(rate_hz);
    let (limit, found) = (format!("{seconds_max} s"), format!("{seconds:.1} s"));
    Err(Error::limit("audio_seconds_max", subject, limit, found))
}
