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

    /// The end of the run that begins at `start`: at most `tokens_max` further, but a media item is never cut,
    /// since the soft tokens of an image may see each other.
    pub(super) fn chunk_end(&self, start: usize, tokens_max: usize) -> usize {
        let end = start.saturating_add(tokens_max).min(self.ids.len());
        let ends = |span: &MediaSpan| span.start..span.start + span.soft_tokens;
        let cut = self.media.iter().map(ends);
        let mut cut = cut.filter(|span| span.start < end && end < span.end);
        cut.next().map_or(end, |span| span.end)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn span(start: usize, soft_tokens: usize) -> MediaSpan {
        let frames = AudioFeatures {
            input_features: Tensor::new([0, 1], Vec::new()).unwrap(),
            mask: Tensor::new([0], Vec::new()).unwrap(),
            soft_tokens,
            seconds: 0.0,
            sample_count: 0,
        };
        MediaSpan {
            start,
            soft_tokens,
            features: Features::Audio(Arc::new(frames)),
        }
    }

    #[test]
    fn a_run_never_ends_inside_a_media_item() {
        let prompt = Prompt {
            ids: vec![0; 400],
            media: vec![span(5, 70), span(75, 10), span(200, 200)],
        };
        for tokens_max in 1..=400 {
            let (mut start, mut ends) = (0, Vec::new());
            while start < prompt.ids.len() {
                start = prompt.chunk_end(start, tokens_max);
                ends.push(start);
            }
            let inside = |end: &usize| {
                let mut spans = prompt.media.iter();
                spans.any(|span| span.start < *end && *end < span.start + span.soft_tokens)
            };
            assert_eq!(ends.iter().find(|end| inside(end)), None, "{tokens_max}");
        }
        assert_eq!(prompt.chunk_end(0, 7), 75);
        assert_eq!(prompt.chunk_end(0, 4), 4);
    }
}
