//! Pictures to patches: the reference's image processor (transformers 5.23.0,
//! `models/gemma4/image_processing_gemma4.py`).

use super::image::{self, Pixels};
use super::resize::{Resizer, resize};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::tensor::Tensor;

/// Pixels along one side of a patch.
const PATCH_SIDE: usize = 16;
/// Patches along one side of the square that becomes one soft token.
const POOL_SIDE: usize = 3;
/// Pixels along one side of one soft token; a resized side is a multiple of it.
const TOKEN_SIDE: usize = PATCH_SIDE * POOL_SIDE;
/// Numbers in one patch: 16 x 16 pixels, RGB.
const PATCH_LEN: usize = PATCH_SIDE * PATCH_SIDE * 3;

/// Soft tokens that one picture may cost: 70, 140, 280, 560 or 1120; 280 unless chosen.
///
/// The five are `_SUPPORTED_SOFT_TOKENS` of transformers 5.23.0, `image_processing_gemma4.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageBudget(u32);

impl ImageBudget {
    /// The five budgets.
    pub const ALL: [Self; 5] = [Self(70), Self(140), Self(280), Self(560), Self(1120)];
    /// What one frame of a video may cost (transformers 5.23.0, `video_processing_gemma4.py`).
    pub const VIDEO_FRAME: Self = Self(70);

    /// The budget in soft tokens.
    pub fn soft_tokens_max(self) -> usize {
        self.0 as usize
    }
}

impl Default for ImageBudget {
    fn default() -> Self {
        Self(280)
    }
}

impl TryFrom<u32> for ImageBudget {
    type Error = Error;

    fn try_from(soft_tokens: u32) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|budget| budget.0 == soft_tokens)
            .ok_or_else(|| {
                let detail =
                    format!("expected 70, 140, 280, 560 or 1120 soft tokens, found {soft_tokens}");
                Error::invalid("image budget", detail)
            })
    }
}

/// One picture as the vision encoder takes it, without padding.
///
/// `patches` is `width / 16 * height / 16`; a caller that needs the reference's fixed size pads
/// the values with 0 and the positions with -1 up to nine times the budget.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeatures {
    /// `[patches, 768]`: row by row over the picture; inside a patch (y, x, channel), in 0..=1.
    pub pixel_values: Tensor<f32>,
    /// `[patches, 2]`: (x, y) of each patch, in patches.
    pub position_ids: Tensor<i64>,
    /// Resized width in pixels, a multiple of 48.
    pub width: usize,
    /// Resized height in pixels, a multiple of 48.
    pub height: usize,
    /// Rows that the encoder will answer: a ninth of the patches.
    pub soft_tokens: usize,
}

/// Features of one encoded picture: PNG, JPEG, WebP, GIF, BMP or TIFF.
///
/// Turned upright by EXIF, composited on white, resized within `budget`. Small pictures are
/// enlarged. `subject` names the picture in errors.
///
/// # Errors
/// `Limit("media_bytes_max")` and `Limit("image_pixels_max")`, checked in the header before anything
/// is decoded; `Unsupported` for another known format; `Invalid` for bytes that are no whole picture.
pub fn image_features(
    bytes: &[u8],
    budget: ImageBudget,
    subject: &str,
    limits: &Limits,
) -> Result<ImageFeatures> {
    image_features_as(bytes, budget, Resizer::default(), subject, limits)
}

/// Like [`image_features`], with the arithmetic of `resizer`.
///
/// # Errors
/// As for [`image_features`].
pub fn image_features_as(
    bytes: &[u8],
    budget: ImageBudget,
    resizer: Resizer,
    subject: &str,
    limits: &Limits,
) -> Result<ImageFeatures> {
    let picture = image::decode(bytes, subject, limits)?;
    let (width, height) = resized_size(&picture, budget);
    let levels = match resizer {
        Resizer::Torchvision => product_levels(),
        Resizer::Pillow => quotient_levels(),
    };
    features_of_resized(&resize(picture, width, height, resizer), &levels)
}

/// The soft tokens that [`image_features`] will give, from the header alone.
///
/// # Errors
/// As for [`image_features`], but damage behind the header goes unseen.
pub fn image_soft_tokens(
    bytes: &[u8],
    budget: ImageBudget,
    subject: &str,
    limits: &Limits,
) -> Result<usize> {
    let (width, height) = image::stored_size(bytes, subject, limits)?;
    Ok(soft_tokens_of(width, height, budget))
}

/// The soft tokens of a picture of `width` x `height` pixels; 0 for one without pixels.
///
/// Width and height may be swapped: orientation does not change the price.
pub fn soft_tokens_of(width: u32, height: u32, budget: ImageBudget) -> usize {
    if width == 0 || height == 0 {
        return 0;
    }
    let (width, height) = resized(width, height, budget);
    (width / TOKEN_SIDE) * (height / TOKEN_SIDE)
}

/// Features of a decoded frame of a video.
pub(super) fn frame_features(picture: Pixels, budget: ImageBudget) -> Result<ImageFeatures> {
    let (width, height) = resized_size(&picture, budget);
    let picture = resize(picture, width, height, Resizer::default());
    features_of_resized(&picture, &quotient_levels())
}

/// Features of a resized picture; `levels` gives the value of each 8-bit level.
fn features_of_resized(picture: &Pixels, levels: &[f32; 256]) -> Result<ImageFeatures> {
    let &Pixels { width, height, .. } = picture;
    let patch_count = (width / PATCH_SIDE) * (height / PATCH_SIDE);
    Ok(ImageFeatures {
        pixel_values: Tensor::new([patch_count, PATCH_LEN], patchify(picture, levels))?,
        position_ids: Tensor::new([patch_count, 2], positions(width, height))?,
        width,
        height,
        soft_tokens: patch_count / (POOL_SIDE * POOL_SIDE),
    })
}

fn resized_size(picture: &Pixels, budget: ImageBudget) -> (usize, usize) {
    let side = |len: usize| u32::try_from(len).expect("decoders count sides in 32 bits");
    resized(side(picture.width), side(picture.height), budget)
}

/// What torchvision makes of an image's levels: a product with the rounded 1/255.
fn product_levels() -> [f32; 256] {
    let scale = 1.0_f32 / 255.0;
    std::array::from_fn(|level| level as f32 * scale)
}

/// What Pillow's backend makes of them, and videos: the rounded quotient. (`do_normalize` of
/// transformers 5.23.0, `video_processing_gemma4.py`, folds the scale into a deviation of 255.)
fn quotient_levels() -> [f32; 256] {
    std::array::from_fn(|level| level as f32 / 255.0)
}

/// Width and height after resizing, both multiples of 48, within `budget` and at least 48.
///
/// `get_aspect_ratio_preserving_size`, in 64-bit floats like the reference.
fn resized(width: u32, height: u32, budget: ImageBudget) -> (usize, usize) {
    let area = (budget.soft_tokens_max() * TOKEN_SIDE * TOKEN_SIDE) as f64;
    let factor = (area / (f64::from(height) * f64::from(width))).sqrt();
    let target_width = token_sides(factor * f64::from(width));
    let target_height = token_sides(factor * f64::from(height));
    // A strip thinner than one token becomes one token thick; both cannot be thinner at once.
    let strip = |long: u32, short: u32| ((long / short) as usize).min(budget.soft_tokens_max());
    let (width, height) = match (target_width, target_height) {
        (_, 0) => (strip(width, height), 1),
        (0, _) => (1, strip(height, width)),
        both => both,
    };
    (width * TOKEN_SIDE, height * TOKEN_SIDE)
}

/// How many whole tokens fit along `side_px`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and at most 1120 * 48"
)]
fn token_sides(side_px: f64) -> usize {
    (side_px / TOKEN_SIDE as f64).floor() as usize
}

/// A row of pixels of a patch is contiguous in the picture and in the patch.
fn patchify(picture: &Pixels, levels: &[f32; 256]) -> Vec<f32> {
    let (row_len, run_len) = (3 * picture.width, 3 * PATCH_SIDE);
    let mut values = Vec::with_capacity(picture.rgb.len());
    for band in picture.rgb.chunks_exact(row_len * PATCH_SIDE) {
        for left in (0..row_len).step_by(run_len) {
            for row in band.chunks_exact(row_len) {
                let run = &row[left..left + run_len];
                values.extend(run.iter().map(|level| levels[usize::from(*level)]));
            }
        }
    }
    values
}

fn positions(width: usize, height: usize) -> Vec<i64> {
    let count = |side_px: usize| i64::try_from(side_px / PATCH_SIDE).expect("at most 3360 patches");
    let (columns, rows) = (count(width), count(height));
    (0..rows)
        .flat_map(|y| (0..columns).flat_map(move |x| [x, y]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::image::tests::{ColorType, ImageFormat, encoded};

    const SMALLEST: ImageBudget = ImageBudget(70);

    fn features(size: (u32, u32), color: ColorType) -> ImageFeatures {
        let bytes = encoded(size, color, ImageFormat::Png);
        image_features(&bytes, SMALLEST, "image 1", &Limits::default()).unwrap()
    }

    /// FNV-1a, 64 bits, over the little-endian floats.
    fn fingerprint(values: &[f32]) -> u64 {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    #[test]
    fn features_are_bit_equal_to_the_reference() {
        // Gemma4ImageProcessor(max_soft_tokens=70) of transformers 5.23.0 with torchvision 0.29.2.
        let goldens = [
            (ColorType::Rgb8, 0x9563_224b_7c5b_69a1),
            (ColorType::Rgba8, 0xa013_7afb_ba78_73a8),
            (ColorType::L8, 0x27db_f092_d289_544a),
            (ColorType::La8, 0x26ac_0aed_9971_3a40),
        ];
        for (color, golden) in goldens {
            let features = features((37, 23), color);
            assert_eq!(features.pixel_values.shape(), [540, 768]);
            assert_eq!(
                fingerprint(features.pixel_values.data()),
                golden,
                "{color:?}"
            );
        }
    }

    #[test]
    fn features_are_bit_equal_to_the_other_backend() {
        // Gemma4ImageProcessorPil(max_soft_tokens=70) of transformers 5.23.0 with Pillow 13.0.
        let bytes = encoded((37, 23), ColorType::Rgb8, ImageFormat::Png);
        let limits = Limits::default();
        let features = image_features_as(&bytes, SMALLEST, Resizer::Pillow, "image 1", &limits);
        assert_eq!(
            fingerprint(features.unwrap().pixel_values.data()),
            0xdcc1_9f90_414c_b6e6
        );
    }

    #[test]
    fn positions_are_column_then_row() {
        let positions = features((37, 23), ColorType::Rgb8).position_ids;
        assert_eq!(positions.row(1), [1, 0]);
        assert_eq!(positions.row(539), [29, 17]);
    }

    #[test]
    fn prices_equal_the_reference() {
        // get_aspect_ratio_preserving_size of transformers 5.23.0, at 280 soft tokens.
        let goldens = [
            ((640, 480), 266),
            ((612, 408), 260),
            ((224, 224), 256),
            ((1280, 640), 253),
            ((1, 1), 256),
            ((1, 10_000), 280),
            ((3_000, 1), 280),
            ((0, 5), 0),
        ];
        for ((width, height), tokens) in goldens {
            assert_eq!(
                soft_tokens_of(width, height, ImageBudget::default()),
                tokens,
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn the_header_tells_the_price() {
        let bytes = encoded((300, 20), ColorType::Rgb8, ImageFormat::Jpeg);
        for budget in ImageBudget::ALL {
            let price = image_soft_tokens(&bytes, budget, "image 1", &Limits::default()).unwrap();
            let features = image_features(&bytes, budget, "image 1", &Limits::default()).unwrap();
            assert_eq!(
                (price, price * 9),
                (features.soft_tokens, features.pixel_values.row_count())
            );
        }
    }

    #[test]
    fn only_five_budgets_exist() {
        let error = ImageBudget::try_from(100).unwrap_err();
        assert_eq!(
            error.to_string(),
            "image budget: expected 70, 140, 280, 560 or 1120 soft tokens, found 100",
        );
        assert_eq!(ImageBudget::try_from(560).unwrap().soft_tokens_max(), 560);
    }
}
