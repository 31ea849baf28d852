//! The reference's resize: antialiased bicubic on 8-bit levels, in fixed point.
//!
//! One pass along rows and one along columns, 8-bit levels between them. transformers has two
//! backends for it, which differ in the precision of the weights and in little else.

use super::image::Pixels;

/// The cubic's free parameter with antialiasing (torch 2.15.0, `aa_filter<A = -0.5>`).
const CUBIC: f64 = -0.5;
/// Pixels that the cubic spans to either side, before scaling.
const REACH: f64 = 2.0;
/// Most fraction bits of a weight (torch 2.15.0), and all of them (Pillow 13, `Resample.c`).
const PRECISION_BITS_MAX: u32 = 22;
/// The bound under which a weight stays (torch 2.15.0): 16 bits with a sign.
const WEIGHT_BOUND: f64 = 32_768.0;

/// Whose arithmetic resizes a picture. Levels differ by 2 of 255 at the most, nearly always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resizer {
    /// torchvision's for 8-bit tensors on a CPU (torch 2.15.0, `UpSampleKernel.cpp`), which
    /// transformers takes where it is installed: 16-bit weights.
    #[default]
    Torchvision,
    /// Pillow's (13.0, `Resample.c`), which transformers takes otherwise: weights of 22 bits.
    Pillow,
}

/// `picture` at `width` x `height`, both at least 1.
pub(super) fn resize(picture: Pixels, width: usize, height: usize, resizer: Resizer) -> Pixels {
    let picture = if picture.width == width {
        picture
    } else {
        along_rows(&picture, width, resizer)
    };
    if picture.height == height {
        picture
    } else {
        along_columns(&picture, height, resizer)
    }
}

fn along_rows(picture: &Pixels, width: usize, resizer: Resizer) -> Pixels {
    let axis = Axis::new(picture.width, width, resizer);
    let mut rgb = Vec::with_capacity(3 * width * picture.height);
    for row in picture.rgb.chunks_exact(3 * picture.width) {
        for tap in &axis.taps {
            let mut sums = [axis.half(); 3];
            let pixels = row[3 * tap.start..].chunks_exact(3);
            for (pixel, weight) in pixels.zip(&tap.weights) {
                for (sum, level) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*level) * weight;
                }
            }
            rgb.extend(sums.map(|sum| axis.level(sum)));
        }
    }
    Pixels {
        width,
        height: picture.height,
        rgb,
    }
}

fn along_columns(picture: &Pixels, height: usize, resizer: Resizer) -> Pixels {
    let axis = Axis::new(picture.height, height, resizer);
    let row_len = 3 * picture.width;
    let mut rgb = Vec::with_capacity(row_len * height);
    let mut sums = vec![0; row_len];
    for tap in &axis.taps {
        sums.fill(axis.half());
        let rows = picture.rgb[row_len * tap.start..].chunks_exact(row_len);
        for (row, weight) in rows.zip(&tap.weights) {
            for (sum, level) in sums.iter_mut().zip(row) {
                *sum += i32::from(*level) * weight;
            }
        }
        rgb.extend(sums.iter().map(|sum| axis.level(*sum)));
    }
    Pixels {
        width: picture.width,
        height,
        rgb,
    }
}

/// How every output position of one axis is made from input positions.
struct Axis {
    taps: Vec<Tap<i32>>,
    precision_bits: u32,
}

/// Weights of the input positions from `start` on.
struct Tap<W> {
    start: usize,
    weights: Vec<W>,
}

impl Axis {
    fn new(len_in: usize, len_out: usize, resizer: Resizer) -> Self {
        let scale = len_in as f64 / len_out as f64;
        let taps: Vec<_> = (0..len_out)
            .map(|index| Tap::new(index, scale, len_in))
            .collect();
        let weight_max = taps
            .iter()
            .flat_map(|tap| &tap.weights)
            .copied()
            .fold(0.0, f64::max);
        let precision_bits = match resizer {
            Resizer::Torchvision => precision_bits(weight_max),
            Resizer::Pillow => PRECISION_BITS_MAX,
        };
        let taps = taps
            .into_iter()
            .map(|tap| tap.fixed(precision_bits))
            .collect();
        Self {
            taps,
            precision_bits,
        }
    }

    /// Where a sum starts, so that dropping the fraction rounds.
    fn half(&self) -> i32 {
        1 << (self.precision_bits - 1)
    }

    fn level(&self, sum: i32) -> u8 {
        u8::try_from((sum >> self.precision_bits).clamp(0, 255)).expect("clamped to a level")
    }
}

impl Tap<f64> {
    /// The tap of output `index`; the weights add up to 1.
    fn new(index: usize, scale: f64, len_in: usize) -> Self {
        let stretch = scale.max(1.0);
        let (support, center) = (REACH * stretch, scale * (index as f64 + 0.5));
        let start = truncated(center - support + 0.5);
        let end = truncated(center + support + 0.5).min(len_in);
        let weight = |at: usize| cubic((at as f64 - center + 0.5) * (1.0 / stretch));
        let mut weights: Vec<f64> = (start..end).map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        Self { start, weights }
    }

    fn fixed(self, precision_bits: u32) -> Tap<i32> {
        let one = f64::from(1 << precision_bits);
        let weights = self
            .weights
            .into_iter()
            .map(|weight| rounded(weight * one))
            .collect();
        Tap {
            start: self.start,
            weights,
        }
    }
}

/// The most bits at which the largest weight still fits.
fn precision_bits(weight_max: f64) -> u32 {
    let fits = |bits: &u32| 0.5 + weight_max * f64::from(1 << (bits + 1)) < WEIGHT_BOUND;
    (0..PRECISION_BITS_MAX)
        .take_while(fits)
        .count()
        .try_into()
        .expect("at most 22")
}

fn cubic(distance: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        ((CUBIC + 2.0) * x - (CUBIC + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((CUBIC * x - 5.0 * CUBIC) * x + 8.0 * CUBIC) * x - 4.0 * CUBIC
    } else {
        0.0
    }
}

/// A position, its fraction dropped; 0 when it lies before the first.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates at 0; a position is far under 2^53"
)]
fn truncated(position: f64) -> usize {
    position as usize
}

/// Half away from zero, as the reference rounds weights.
#[expect(clippy::cast_possible_truncation, reason = "weights are under 2^15")]
fn rounded(weight: f64) -> i32 {
    weight.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::image::tests::picture;

    #[test]
    fn resizing_equals_torchvision() {
        // torchvision 0.29.2, resize of uint8 with BICUBIC and antialias.
        let both_ways = resize(picture(5, 4), 3, 7, Resizer::Torchvision);
        let golden = [
            1, 30, 59, 13, 42, 71, 25, 54, 82, 5, 35, 64, 17, 47, 76, 29, 59, 89, 14, 44, 73, 26,
            57, 88, 38, 70, 102, 22, 52, 81, 34, 66, 98, 46, 80, 114, 29, 59, 89, 41, 74, 107, 53,
            89, 126, 38, 68, 98, 50, 84, 119, 62, 100, 139, 42, 73, 103, 54, 89, 124, 66, 105, 146,
        ];
        assert_eq!(both_ways.rgb, golden);
        let smaller = resize(picture(9, 3), 2, 2, Resizer::Torchvision);
        assert_eq!(
            smaller.rgb,
            [18, 48, 77, 46, 77, 108, 36, 68, 100, 64, 103, 143]
        );
    }

    #[test]
    fn the_same_size_changes_nothing() {
        assert_eq!(
            resize(picture(31, 17), 31, 17, Resizer::Pillow),
            picture(31, 17)
        );
    }

    #[test]
    fn one_level_stays_that_level() {
        let flat = Pixels {
            width: 97,
            height: 5,
            rgb: vec![201; 3 * 97 * 5],
        };
        assert!(
            resize(flat, 48, 96, Resizer::Torchvision)
                .rgb
                .iter()
                .all(|level| *level == 201)
        );
    }
}
