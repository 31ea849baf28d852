//! A prompt as the graphs take it.

use std::sync::Arc;

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
