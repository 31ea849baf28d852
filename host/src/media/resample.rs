//! Any sample rate to 16 kHz. The only file that names `rubato`.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use crate::error::{Error, ErrorKind, Result};

/// What the audio encoder hears (transformers 5.23.0, `feature_extraction_gemma4.py`).
pub(super) const SAMPLE_RATE_HZ: u32 = 16_000;
/// Samples per block at the lower of the two rates, as nearly as the ratio allows. With this length
/// the filter lies where the reference's resampler has it (soxr HQ: flat to 0.92 of the lower Nyquist
/// frequency, 3 dB down at 0.95).
const BLOCK_SAMPLES: usize = 320;

/// `samples` at 16 kHz; `ceil(samples * 16000 / rate_hz)` of them, as the reference counts.
///
/// # Errors
/// `Invalid` for a rate that cannot be converted.
pub(super) fn resample(samples: Vec<f32>, rate_hz: u32, subject: &str) -> Result<Vec<f32>> {
    if rate_hz == SAMPLE_RATE_HZ || samples.is_empty() {
        return Ok(samples);
    }
    let (rate_in, rate_out) = (rate_hz as usize, SAMPLE_RATE_HZ as usize);
    let refused = |error: &dyn std::fmt::Display| {
        let detail = format!(
            "expected a sample rate that converts to 16000 Hz, found {rate_hz} Hz: {error}"
        );
        Error::new(ErrorKind::Invalid, subject, detail)
    };
    let mut resampler = Fft::<f32>::new(
        rate_in,
        rate_out,
        block_len(rate_in, rate_out),
        1,
        FixedSync::Both,
    )
    .map_err(|error| refused(&error))?;
    let input =
        InterleavedSlice::new(&samples, 1, samples.len()).map_err(|error| refused(&error))?;
    let output = resampler
        .process_all(&input, samples.len(), None)
        .map_err(|error| refused(&error))?;
    let mut output = output.take_data();
    output.resize((samples.len() * rate_out).div_ceil(rate_in), 0.0);
    Ok(output)
}

/// Samples per block at the incoming rate: a whole number of the smallest block the ratio has.
fn block_len(rate_in: usize, rate_out: usize) -> usize {
    let common = greatest_common_divisor(rate_in, rate_out);
    let lower = rate_in.min(rate_out) / common;
    let blocks = ((BLOCK_SAMPLES + lower / 2) / lower).max(1);
    blocks * (rate_in / common)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}
