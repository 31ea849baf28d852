//! A conversation to a prompt: checked, rendered by the format, tokenized, media in place.

use super::Inner;
use crate::chat::{ChatOptions, Conversation, Media, MediaKind};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::media::{self, ImageBudget};
use crate::model::{BundleConfig, Features, GraphRole, MediaSpan, Prompt};
use crate::plugin::{Interrupt, Piece, RenderRequest};
use crate::text::{Segment, TokenPiece, Tokenizer};

/// A rendered conversation.
#[derive(Clone, Debug)]
pub struct RenderedPrompt {
    /// What the format wrote.
    pub pieces: Vec<Piece>,
    /// What the graphs take.
    pub prompt: Prompt,
    /// The open turn, from which the parser starts.
    pub(super) prefix: Vec<TokenPiece>,
}

/// Refuses a conversation that is larger than the limits, before any work.
pub(super) fn check_size(conversation: &Conversation, limits: &Limits) -> Result<()> {
    let at_most = |name, max: usize, found: usize| {
        if found > max {
            Err(Error::limit(name, "conversation", max, found))
        } else {
            Ok(())
        }
    };
    at_most(
        "messages_max",
        limits.messages_max,
        conversation.messages.len(),
    )?;
    let text_bytes = conversation
        .messages
        .iter()
        .map(|message| message.text_bytes())
        .sum();
    at_most("text_bytes_max", limits.text_bytes_max, text_bytes)?;
    at_most(
        "media_count_max",
        limits.media_count_max,
        conversation.media().count(),
    )
}

/// Renders a conversation and turns it into ids.
pub(super) fn render(
    inner: &Inner,
    conversation: &Conversation,
    options: &ChatOptions,
    interrupt: &Interrupt,
) -> Result<RenderedPrompt> {
    let specs = [inner.tools.specs(), &options.tools].concat();
    let request = RenderRequest {
        thinking: options.thinking,
        preserve_thinking: options.preserve_thinking,
        style: inner.bundle.config().prompt_style,
        ..RenderRequest::new(conversation, &specs)
    };
    let rendered = inner.format.render(&request, interrupt)?;
    let features = features(inner, conversation)?;
    let prompt = assemble(
        &rendered.pieces,
        features,
        &inner.tokenizer,
        inner.bundle.config(),
    )?;
    check_length(prompt.ids.len(), inner)?;
    let open = rendered.pieces.iter().skip(rendered.open_turn);
    let prefix = open
        .flat_map(|piece| token_pieces(piece, &inner.tokenizer))
        .collect();
    Ok(RenderedPrompt {
        pieces: rendered.pieces,
        prompt,
        prefix,
    })
}

/// Refuses a prompt that leaves no room for an answer.
pub(super) fn check_length(tokens: usize, inner: &Inner) -> Result<()> {
    let context = inner.bundle.config().context_tokens;
    if tokens >= context {
        let detail = format!(
            "expected fewer than {context} tokens, the model's context, found {tokens}; shorten the conversation"
        );
        return Err(Error::new(
            ErrorKind::Limit("context_tokens"),
            "prompt",
            detail,
        ));
    }
    let max = inner.limits.prompt_tokens_max;
    if tokens > max {
        Err(Error::limit("prompt_tokens_max", "prompt", max, tokens))
    } else {
        Ok(())
    }
}

fn token_pieces(piece: &Piece, tokenizer: &Tokenizer) -> Vec<TokenPiece> {
    match piece {
        Piece::Control(text) => tokenizer.split_control(text),
        Piece::Data(text) => vec![TokenPiece::Data(text.clone())],
        Piece::Media(_) => Vec::new(),
    }
}

fn features(inner: &Inner, conversation: &Conversation) -> Result<Vec<Features>> {
    let mut counts = [0; 3];
    let each = conversation.media().map(|media| {
        let count = &mut counts[media.kind as usize];
        *count += 1;
        media_features(inner, media, *count)
    });
    each.collect()
}

/// The features of the `count`th item of its kind, counted from 1 for error messages.
pub(super) fn media_features(inner: &Inner, media: &Media, count: usize) -> Result<Features> {
    let (config, limits) = (inner.bundle.config(), &inner.limits);
    match media.kind {
        MediaKind::Image => {
            require(inner, "image", config.image.is_some(), GraphRole::Vision)?;
            let budget = ImageBudget::try_from(media.budget.unwrap_or(config.image_budget))?;
            let subject = format!("image {count}");
            media::image_features_as(&media.bytes, budget, inner.resizer, &subject, limits)
                .map(Features::Image)
        }
        MediaKind::Audio => {
            require(inner, "audio", config.audio.is_some(), GraphRole::Audio)?;
            let subject = format!("audio {count}");
            media::audio_features(&media.bytes, &subject, limits).map(Features::Audio)
        }
        MediaKind::Video => Err(Error::unsupported(
            "video",
            "is not read yet; send single frames as images",
        )),
    }
}

/// Refuses media that the model has no sense for, before any work.
fn require(inner: &Inner, sense: &str, has_ids: bool, encoder: GraphRole) -> Result<()> {
    if has_ids && !inner.bundle.dtypes(encoder).is_empty() {
        return Ok(());
    }
    let detail =
        format!("has no {sense} encoder; use a model that has one, or leave the {sense} out");
    Err(Error::unsupported(
        format!("bundle {}", inner.bundle.location()),
        detail,
    ))
}

fn assemble(
    pieces: &[Piece],
    features: Vec<Features>,
    tokenizer: &Tokenizer,
    config: &BundleConfig,
) -> Result<Prompt> {
    let mut prompt = Prompt::default();
    let mut features: Vec<Option<Features>> = features.into_iter().map(Some).collect();
    let mut text: Vec<Segment<'_>> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Control(control) => text.push(Segment::Control(control)),
            Piece::Data(data) => text.push(Segment::Data(data)),
            Piece::Media(index) => {
                let features = features.get_mut(*index).and_then(Option::take).ok_or_else(
                    || {
                        Error::plugin(
                            "chat format",
                            format!(
                                "placed media item {index}, which is not there or was placed before"
                            ),
                        )
                    },
                )?;
                prompt
                    .ids
                    .extend(tokenizer.encode(&std::mem::take(&mut text))?);
                place(features, config, &mut prompt)?;
            }
        }
    }
    prompt.ids.extend(tokenizer.encode(&text)?);
    match features.iter().position(Option::is_some) {
        None => Ok(prompt),
        Some(index) => {
            let detail = "is in a place that the chat format does not show to the model; put it into a user's message";
            Err(Error::invalid(format!("media {}", index + 1), detail))
        }
    }
}

/// Adds a media item's begin, soft tokens and end (transformers 5.23, `processing_gemma4.py`).
fn place(features: Features, config: &BundleConfig, prompt: &mut Prompt) -> Result<()> {
    let (ids, soft_tokens) = match &features {
        Features::Image(image) => (config.image, image.soft_tokens),
        Features::Audio(audio) => (config.audio, audio.soft_tokens),
    };
    let ids = ids.ok_or_else(|| Error::unsupported("model", "does not take this kind of media"))?;
    prompt.ids.push(ids.begin);
    let start = prompt.ids.len();
    prompt
        .ids
        .extend(std::iter::repeat_n(ids.placeholder, soft_tokens));
    prompt.ids.push(ids.end);
    prompt.media.push(MediaSpan {
        start,
        soft_tokens,
        features,
    });
    Ok(())
}
