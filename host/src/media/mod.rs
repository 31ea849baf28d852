//! Media files to the features that Gemma 4's encoders take.
//!
//! Bytes in, tensors out. Nothing here knows a model: the sizes and constants are those of the
//! reference's processors (transformers 5.23.0, `models/gemma4/`), and every limit is checked
//! before the work it bounds. Each decoder library is named in one file, which
//! says so.
#![warn(clippy::cast_possible_truncation)]

mod audio;
mod image;
mod mel;
mod patches;
mod resample;
mod resize;
mod sound;
mod split;
mod wav;

pub use audio::{
    AudioFeatures, audio_features, audio_features_raw_16k, features_of_samples,
    soft_tokens_of_samples,
};
pub use patches::{ImageBudget, ImageFeatures, image_features, image_soft_tokens, soft_tokens_of};
pub use split::{AudioPiece, audio_pieces, split_quiet};

use crate::error::{Error, Result};
use crate::limits::Limits;

/// Refuses a file of too many bytes.
fn check_bytes(bytes: &[u8], subject: &str, limits: &Limits) -> Result<()> {
    if bytes.len() <= limits.media_bytes_max {
        return Ok(());
    }
    let limit = format!("{} bytes", limits.media_bytes_max);
    Err(Error::limit("media_bytes_max", subject, limit, bytes.len()))
}

/// How a file that is not what was expected begins, for its error.
fn opening(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "an empty file".to_owned();
    }
    let shown = &bytes[..bytes.len().min(12)];
    format!(
        "{} bytes that begin with \"{}\"",
        bytes.len(),
        shown.escape_ascii()
    )
}
