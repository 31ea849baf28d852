//! A prompt as the graphs take it.

use std::sync::Arc;

use super::config::BundleConfig;
use crate::media::{AudioFeatures, ImageFeatures};

/// Token ids, and the media whose soft tokens stand among them.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// Final ids, placeholders expanded.
    pub ids: Vec<u32>,
    pub(crate) media: Vec<MediaSpan>,
}

/// One media item's place in a prompt.
#[derive(Clone, Debug)]
pub(crate) struct MediaSpan {
    /// Index of the first soft token in the ids.
    pub start: usize,
    /// How many there are.
    pub soft_tokens: usize,
    pub features: Features,
}

/// What an encoder takes.
#[derive(Clone, Debug)]
pub(crate) enum Features {
    Image(Arc<ImageFeatures>),
    Audio(Arc<AudioFeatures>),
}

impl Prompt {
    /// A prompt of ids alone.
    pub fn of_ids(ids: Vec<u32>) -> Self {
        Self {
            ids,
            media: Vec::new(),
        }
    }
}

/// Which ids stand for media, and which kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct MediaKindIds {
    image: Option<u32>,
    video: Option<u32>,
    audio: Option<u32>,
    pad: u32,
}

impl MediaKindIds {
    pub fn of(config: &BundleConfig) -> Self {
        Self {
            image: config.image.map(|ids| ids.placeholder),
            video: config.video.map(|ids| ids.placeholder),
            audio: config.audio.map(|ids| ids.placeholder),
            pad: config.pad_id,
        }
    }

    /// 0 for text, 1 for an image, 2 for a video, 3 for a recording (transformers 5.23, `processing_gemma4.py`).
    pub fn kind(&self, id: u32) -> i64 {
        match Some(id) {
            id if id == self.image => 1,
            id if id == self.video => 2,
            id if id == self.audio => 3,
            _ => 0,
        }
    }

    /// Padding in place of any placeholder.
    pub fn pad_for_media(&self, id: u32) -> u32 {
        if self.kind(id) == 0 { id } else { self.pad }
    }

    /// The image's placeholder in place of the video's.
    pub fn video_as_image(&self, id: u32) -> u32 {
        self.image.filter(|_| self.kind(id) == 2).unwrap_or(id)
    }
}
