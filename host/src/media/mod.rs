//! Media files to the features that Gemma 4's encoders take.
//!
//! Bytes in, tensors out. Nothing here knows a model: the sizes and constants are those of the
//! reference's processors (transformers 5.23.0, `models/gemma4/`), and every limit is checked
//! before the work it bounds. Each decoder library is named in one file, which says so; `image` is
//! named in two, one for pictures and one for animations.
#![warn(clippy::cast_possible_truncation)]

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::limits::Limits;

mod alpha;
mod animation;
mod audio;
mod compressed;
mod ffmpeg;
mod frames;
mod image;
mod mel;
mod movie;
mod patches;
mod ppm;
mod resample;
mod resize;
mod sampling;
mod sound;
mod split;
mod video;
mod wav;

pub use audio::{
    AudioFeatures, audio_features, audio_features_raw_16k, features_of_samples,
    soft_tokens_of_samples,
};
pub use patches::{
    ImageBudget, ImageFeatures, image_features, image_features_as, image_soft_tokens,
    soft_tokens_of,
};
pub use resize::Resizer;
pub use sampling::FrameSampling;
pub use split::{AudioPiece, audio_pieces, audio_soft_tokens, split_quiet};
pub use video::{
    VideoFeatures, VideoFrame, VideoOptions, VideoSource, video_audio, video_features,
};

/// Refuses a file of too many bytes.
fn check_bytes(size_bytes: u64, subject: &str, limits: &Limits) -> Result<()> {
    if size_bytes <= limits.media_bytes_max as u64 {
        return Ok(());
    }
    let limit = format!("{} bytes", limits.media_bytes_max);
    Err(Error::limit("media_bytes_max", subject, limit, size_bytes))
}

/// Reads a file that is not too large.
fn read_file(path: &Path, subject: &str, limits: &Limits) -> Result<Vec<u8>> {
    let unread = |error| Error::reading(path, error);
    let size_bytes = fs::metadata(path).map_err(unread)?.len();
    check_bytes(size_bytes, subject, limits)?;
    fs::read(path).map_err(unread)
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
