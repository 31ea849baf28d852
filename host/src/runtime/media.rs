//! A conversation's media to blocks of soft tokens.

use std::sync::Arc;

use super::Inner;
use crate::chat::{Conversation, Media, MediaKind};
use crate::error::{Error, Result};
use crate::media::{self, AudioPiece, ImageBudget, VideoFeatures, VideoOptions, VideoSource};
use crate::model::{Features, GraphRole, MediaIds, MediaSpan, Prompt};

/// One run of soft tokens. A picture is one, a long recording several, a video one for each frame.
#[derive(Clone)]
pub(super) struct Block {
    /// What stands in the prompt before it: a frame's time stamp.
    pub stamp: Option<String>,
    pub ids: MediaIds,
    pub soft_tokens: usize,
    pub features: Features,
}

impl Block {
    /// Adds begin, soft tokens and end (transformers 5.23, `processing_gemma4.py`).
    pub fn place(self, prompt: &mut Prompt) {
        prompt.ids.push(self.ids.begin);
        let (start, soft_tokens) = (prompt.ids.len(), self.soft_tokens);
        prompt
            .ids
            .extend(std::iter::repeat_n(self.ids.placeholder, soft_tokens));
        prompt.ids.push(self.ids.end);
        // A recording of 10 ms or less has no soft token, and the encoder takes no empty one.
        if soft_tokens == 0 {
            return;
        }
        prompt.media.push(MediaSpan {
            start,
            soft_tokens,
            features: self.features,
        });
    }
}

/// The blocks of each media item, in the conversation's order.
pub(super) fn blocks_of(inner: &Inner, conversation: &Conversation) -> Result<Vec<Vec<Block>>> {
    let mut counts = [0; 3];
    let each = conversation.media().map(|media| {
        let count = &mut counts[media.kind as usize];
        *count += 1;
        blocks(inner, media, *count)
    });
    each.collect()
}

/// The blocks of the `count`th item of its kind, counted from 1 for error messages.
pub(super) fn blocks(inner: &Inner, media: &Media, count: usize) -> Result<Vec<Block>> {
    let (config, limits) = (inner.bundle.config(), &inner.limits);
    match media.kind {
        MediaKind::Image => {
            let ids = require(inner, "image", config.image, GraphRole::Vision)?;
            let budget = ImageBudget::try_from(media.budget.unwrap_or(config.image_budget))?;
            let subject = format!("image {count}");
            let image =
                media::image_features_as(&media.bytes, budget, inner.resizer, &subject, limits)?;
            let soft_tokens = image.soft_tokens;
            Ok(vec![Block {
                stamp: None,
                ids,
                soft_tokens,
                features: Features::Image(Arc::new(image)),
            }])
        }
        MediaKind::Audio => {
            let ids = require(inner, "audio", config.audio, GraphRole::Audio)?;
            let pieces = media::audio_pieces(&media.bytes, &format!("audio {count}"), limits)?;
            Ok(pieces
                .into_iter()
                .map(|piece| audio_block(piece, ids))
                .collect())
        }
        MediaKind::Video => {
            let ids = require(inner, "video", config.video, GraphRole::Vision)?;
            let budget = media.budget.map(ImageBudget::try_from).transpose()?;
            let options = VideoOptions {
                budget: budget.unwrap_or(ImageBudget::VIDEO_FRAME),
                ..VideoOptions::default()
            };
            let source = VideoSource::Bytes(&media.bytes);
            let video = media::video_features(source, &options, &format!("video {count}"), limits)?;
            Ok(video_blocks(video, ids))
        }
    }
}

fn audio_block(piece: AudioPiece, ids: MediaIds) -> Block {
    let soft_tokens = piece.features.soft_tokens;
    Block {
        stamp: None,
        ids,
        soft_tokens,
        features: Features::Audio(Arc::new(piece.features)),
    }
}

/// `MM:SS` before each frame, a space between frames (transformers 5.23, `processing_gemma4.py`).
fn video_blocks(video: VideoFeatures, ids: MediaIds) -> Vec<Block> {
    let frames = video.frames.into_iter().enumerate();
    let block = |(index, frame): (usize, media::VideoFrame)| {
        let space = if index > 0 { " " } else { "" };
        let stamp = Some(format!("{space}{} ", frame.stamp));
        let soft_tokens = frame.image.soft_tokens;
        Block {
            stamp,
            ids,
            soft_tokens,
            features: Features::Image(Arc::new(frame.image)),
        }
    };
    frames.map(block).collect()
}

/// Refuses media that the model has no sense for, before any work.
fn require(
    inner: &Inner,
    sense: &str,
    ids: Option<MediaIds>,
    encoder: GraphRole,
) -> Result<MediaIds> {
    ids.filter(|_| !inner.bundle.dtypes(encoder).is_empty())
        .ok_or_else(|| {
            let detail =
                format!("cannot take {sense}s; use a model that can, or leave the {sense} out");
            Error::unsupported(format!("bundle {}", inner.bundle.location()), detail)
        })
}
