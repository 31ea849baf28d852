//! Log-mel spectrum of 16 kHz sound. The only file that names `realfft`.
//!
//! Constants are the defaults of transformers 5.23.0, `feature_extraction_gemma4.py`.

use std::f64::consts::PI;
use std::sync::LazyLock;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::resample::SAMPLE_RATE_HZ;

/// Samples of one frame: 20 ms.
pub(super) const FRAME_SAMPLES: usize = 320;
/// Samples from one frame to the next: 10 ms.
pub(super) const HOP_SAMPLES: usize = 160;
/// Zeros before the first sample, so that the first frame is centred on it.
pub(super) const PAD_LEFT_SAMPLES: usize = FRAME_SAMPLES / 2;
/// Numbers of one frame.
pub(super) const MEL_BANDS: usize = 128;

const FFT_SAMPLES: usize = 512;
const BIN_COUNT: usize = FFT_SAMPLES / 2 + 1;
const FREQUENCY_MAX_HZ: f64 = SAMPLE_RATE_HZ as f64 / 2.0;
/// Added to each band before the logarithm.
const MEL_FLOOR: f64 = 1e-3;

static WINDOW: LazyLock<[f32; FRAME_SAMPLES]> = LazyLock::new(hann_window);
static FILTERS: LazyLock<Vec<Filter>> = LazyLock::new(mel_filters);

/// The first `frame_count` frames of `samples`, `[frame_count, 128]`: ln(mel + 0.001) of the
/// magnitude spectrum.
pub(super) fn log_mel(samples: &[f32], frame_count: usize) -> Vec<f32> {
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(FFT_SAMPLES);
    let (mut frame, mut bins) = (fft.make_input_vec(), fft.make_output_vec());
    let mut values = Vec::with_capacity(frame_count * MEL_BANDS);
    for index in 0..frame_count {
        fill_frame(&mut frame, samples, index * HOP_SAMPLES);
        fft.process(&mut frame, &mut bins)
            .expect("both buffers have the plan's lengths");
        let magnitudes: Vec<f64> = bins.iter().map(|bin: &Complex<f64>| bin.norm()).collect();
        values.extend(FILTERS.iter().map(|filter| filter.log_band(&magnitudes)));
    }
    values
}

/// One windowed frame from `start` of the left-padded samples, zeros behind it.
fn fill_frame(frame: &mut [f64], samples: &[f32], start: usize) {
    frame.fill(0.0);
    for ((slot, weight), at) in frame.iter_mut().zip(WINDOW.iter()).zip(start..) {
        let sample = at
            .checked_sub(PAD_LEFT_SAMPLES)
            .and_then(|at| samples.get(at));
        *slot = f64::from(sample.copied().unwrap_or(0.0) * weight);
    }
}

/// Periodic Hann window, rounded to 32 bits as the reference does.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what the reference does"
)]
fn hann_window() -> [f32; FRAME_SAMPLES] {
    let step = 2.0 * PI / FRAME_SAMPLES as f64;
    std::array::from_fn(|index| (0.5 - 0.5 * (step * index as f64).cos()) as f32)
}

/// One triangle over neighbouring bins.
struct Filter {
    start: usize,
    weights: Vec<f64>,
}

impl Filter {
    /// A triangle from `left` over `center` to `right`, in Hz, with height 1.
    fn triangle(left: f64, center: f64, right: f64) -> Self {
        let weight = |bin: usize| {
            let hz = FREQUENCY_MAX_HZ * bin as f64 / (BIN_COUNT - 1) as f64;
            ((hz - left) / (center - left)).min((right - hz) / (right - center))
        };
        let start = (0..BIN_COUNT)
            .find(|bin| weight(*bin) > 0.0)
            .unwrap_or(BIN_COUNT);
        let weights = (start..BIN_COUNT)
            .map(weight)
            .take_while(|weight| *weight > 0.0)
            .collect();
        Self { start, weights }
    }

    #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit")]
    fn log_band(&self, magnitudes: &[f64]) -> f32 {
        let covered = magnitudes.iter().skip(self.start);
        let band: f64 = covered
            .zip(&self.weights)
            .map(|(level, weight)| level * weight)
            .sum();
        (band + MEL_FLOOR).ln() as f32
    }
}

/// 128 triangles, evenly spaced in HTK mel from 0 to 8000 Hz, not normalised
/// (transformers 5.23.0, `audio_utils.py`, `mel_filter_bank`).
fn mel_filters() -> Vec<Filter> {
    let mel_max = 2595.0 * (1.0 + FREQUENCY_MAX_HZ / 700.0).log10();
    let edge = |index: usize| mel_to_hz(mel_max * index as f64 / (MEL_BANDS + 1) as f64);
    (0..MEL_BANDS)
        .map(|band| Filter::triangle(edge(band), edge(band + 1), edge(band + 2)))
        .collect()
}

fn mel_to_hz(mel: f64) -> f64 {
    700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0)
}
