//! A conversation's media to blocks of soft tokens.

use std::sync::Arc;

use super::Inner;
use crate::chat::{Conversation, Media, MediaKind};
use crate::error::{Error, Result};
use crate::media::{
    self, AudioPiece, FrameSampling, ImageBudget, VideoFeatures, VideoOptions, VideoSource,
};
use crate::model::{Features, GraphRole, MediaIds, MediaSpan, Prompt};

/// One run of soft tokens. A picture is one, a long recording several, a video one for each frame.
#[derive(Clone)]
pub(super) struct Block {
    /// What stands in the prompt before it: a frame's time stamp.
    pub stamp: Option<String>,
    pub ids: MediaIds,
    pub soft_tokens: usize,
    /// `None` where only the price was asked for.
    pub features: Option<Features>,
}

/// What a block is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Run,
    /// Soft tokens are counted, as far as possible without the features.
    Price,
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
        prompt.media.extend(self.features.map(|features| MediaSpan {
            start,
            soft_tokens,
            features,
        }));
    }
}

/// The blocks of each media item, in the conversation's order.
pub(super) fn blocks_of(
    inner: &Inner,
    conversation: &Conversation,
    purpose: Purpose,
) -> Result<Vec<Vec<Block>>> {
    let mut counts = [0; 3];
    let each = conversation.media().map(|media| {
        let count = &mut counts[media.kind as usize];
        *count += 1;
        blocks(inner, media, *count, purpose)
    });
    each.collect()
}

/// The blocks of the `count`th item of its kind, counted from 1 for error messages.
pub(super) fn blocks(
    inner: &Inner,
    media: &Media,
    count: usize,
    purpose: Purpose,
) -> Result<Vec<Block>> {
    match media.kind {
        MediaKind::Image => Ok(vec![image(
            inner,
            media,
            &format!("image {count}"),
            purpose,
        )?]),
        MediaKind::Audio => recording(inner, media, &format!("audio {count}"), purpose),
        MediaKind::Video => video(inner, media, &format!("video {count}")),
    }
}

fn image(inner: &Inner, media: &Media, subject: &str, purpose: Purpose) -> Result<Block> {
    let (config, limits) = (inner.bundle.config(), &inner.limits);
    let ids = require(inner, "image", config.image, GraphRole::Vision)?;
    let budget = ImageBudget::try_from(media.budget.unwrap_or(config.image_budget))?;
    if purpose == Purpose::Price {
        let soft_tokens = media::image_soft_tokens(&media.bytes, budget, subject, limits)?;
        return Ok(block(ids, soft_tokens, None));
    }
    let image = media::image_features_as(&media.bytes, budget, inner.resizer, subject, limits)?;
    Ok(block(
        ids,
        image.soft_tokens,
        Some(Features::Image(Arc::new(image))),
    ))
}

fn recording(inner: &Inner, media: &Media, subject: &str, purpose: Purpose) -> Result<Vec<Block>> {
    let ids = require(
        inner,
        "audio",
        inner.bundle.config().audio,
        GraphRole::Audio,
    )?;
    if purpose == Purpose::Price {
        let prices = media::audio_soft_tokens(&media.bytes, subject, &inner.limits)?;
        return Ok(prices
            .into_iter()
            .map(|price| block(ids, price, None))
            .collect());
    }
    let pieces = media::audio_pieces(&media.bytes, subject, &inner.limits)?;
    if pieces.len() > 1 {
        tracing::warn!(
            "{subject} is longer than 30 s: heard in {} parts",
            pieces.len()
        );
    }
    Ok(audio_blocks(pieces, ids))
}

/// Frames, and the sound after them where it was asked for.
fn video(inner: &Inner, media: &Media, subject: &str) -> Result<Vec<Block>> {
    let (config, limits) = (inner.bundle.config(), &inner.limits);
    let ids = require(inner, "video", config.video, GraphRole::Vision)?;
    let hears = || require(inner, "audio", config.audio, GraphRole::Audio);
    let audio_ids = media.video.sound.then(hears).transpose()?;
    let budget = media.budget.map(ImageBudget::try_from).transpose()?;
    let sampling = match media.video.frame_count {
        Some(frame_count) => FrameSampling::Uniform { frame_count },
        None => FrameSampling::default(),
    };
    let options = VideoOptions {
        sampling,
        budget: budget.unwrap_or(ImageBudget::VIDEO_FRAME),
        ..VideoOptions::default()
    };
    let source = VideoSource::Bytes(&media.bytes);
    let mut blocks = video_blocks(
        media::video_features(source, &options, subject, limits)?,
        ids,
    );
    if let Some(ids) = audio_ids {
        let sound = media::video_audio(source, subject, limits)?;
        blocks.extend(audio_blocks(sound, ids));
    }
    Ok(blocks)
}

fn block(ids: MediaIds, soft_tokens: usize, features: Option<Features>) -> Block {
    Block {
        stamp: None,
        ids,
        soft_tokens,
        features,
    }
}

fn audio_blocks(pieces: Vec<AudioPiece>, ids: MediaIds) -> Vec<Block> {
    let of_piece = |piece: AudioPiece| {
        let soft_tokens = piece.features.soft_tokens;
        block(
            ids,
            soft_tokens,
            Some(Features::Audio(Arc::new(piece.features))),
        )
    };
    pieces.into_iter().map(of_piece).collect()
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
            features: Some(Features::Image(Arc::new(frame.image))),
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
