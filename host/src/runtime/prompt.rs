//! A conversation to a prompt: checked, rendered by the format, tokenized, media in place.

use super::Inner;
use super::media::{self, Block, Purpose};
use crate::chat::{ChatOptions, Conversation, ToolSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::model::Prompt;
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

/// What stays the same through all rounds of a chat, so that it is made once.
pub(super) struct Given {
    /// The plugins' tools and the caller's.
    pub specs: Vec<ToolSpec>,
    /// The blocks of each media item: decoding a picture or a video is work.
    media: Vec<Vec<Block>>,
}

impl Given {
    pub fn new(
        inner: &Inner,
        conversation: &Conversation,
        options: &ChatOptions,
        purpose: Purpose,
    ) -> Result<Self> {
        let specs = [inner.tools.specs(), &options.tools].concat();
        let media = media::blocks_of(inner, conversation, purpose)?;
        Ok(Self { specs, media })
    }

    /// The soft tokens of each media item.
    pub fn soft_tokens(&self) -> Vec<usize> {
        let of_item = |blocks: &Vec<Block>| blocks.iter().map(|block| block.soft_tokens).sum();
        self.media.iter().map(of_item).collect()
    }
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
    given: &Given,
    interrupt: &Interrupt,
) -> Result<RenderedPrompt> {
    let request = RenderRequest {
        thinking: options.thinking,
        preserve_thinking: options.preserve_thinking,
        style: inner.bundle.config().prompt_style,
        ..RenderRequest::new(conversation, &given.specs)
    };
    let rendered = inner.format.render(&request, interrupt)?;
    let prompt = assemble(&rendered.pieces, &given.media, &inner.tokenizer)?;
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

/// Refuses a prompt of nothing, and one that leaves no room for an answer.
pub(super) fn check_length(tokens: usize, inner: &Inner) -> Result<()> {
    if tokens == 0 {
        return Err(Error::invalid(
            "prompt",
            "expected at least one token, found none",
        ));
    }
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

/// Puts text and media together. Plain text between two control tokens is one run, time stamps included.
fn assemble(pieces: &[Piece], media: &[Vec<Block>], tokenizer: &Tokenizer) -> Result<Prompt> {
    let mut prompt = Prompt::default();
    let mut media: Vec<Option<Vec<Block>>> = media.iter().cloned().map(Some).collect();
    let mut text: Vec<Segment<'_>> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Control(control) => text.push(Segment::Control(control)),
            Piece::Data(data) => text.push(Segment::Data(data)),
            Piece::Media(index) => {
                let blocks = media.get_mut(*index).and_then(Option::take);
                for block in blocks.ok_or_else(|| not_there(*index))? {
                    let stamp = block.stamp.clone().unwrap_or_default();
                    let run = [&text[..], &[Segment::Data(&stamp)]].concat();
                    prompt.ids.extend(tokenizer.encode(&run)?);
                    text.clear();
                    block.place(&mut prompt);
                }
            }
        }
    }
    prompt.ids.extend(tokenizer.encode(&text)?);
    let unseen = media.iter().position(Option::is_some);
    unseen.map_or(Ok(prompt), |index| Err(not_shown(index)))
}

fn not_there(index: usize) -> Error {
    let detail = format!("placed media item {index}, which is not there or was placed before");
    Error::plugin("chat format", detail)
}

fn not_shown(index: usize) -> Error {
    let detail = "is in a place that the chat format does not show to the model; put it into a user's message";
    Error::invalid(format!("media {}", index + 1), detail)
}
