//! Generation with no chat format around it.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver};

use super::Inner;
use super::cancel::Cancel;
use super::media::{Purpose, blocks};
use super::processors::Bypassed;
use super::prompt::check_length;
use crate::chat::{FinishReason, Logprob, Media, Sampling, TokenLogprob, Usage, check_choices};
use crate::engine::{EndReason, Job, Step, stopped};
use crate::error::{Error, Result};
use crate::model::{MediaSpan, Prompt};
use crate::sample::{Choices, Logprobs};
use crate::tensor::Tensor;
use crate::text::{Detokenizer, TokenPiece, Tokenizer};

/// What to generate from.
#[derive(Clone, Debug, Default)]
pub struct GenerateRequest {
    /// Final ids; placeholders are expanded already.
    pub ids: Vec<u32>,
    /// Laid over the placeholders, in order.
    pub media: Vec<Media>,
    /// `None`: the bundle's own.
    pub sampling: Option<Sampling>,
    /// `None`: what the limits and the context allow.
    pub max_tokens: Option<usize>,
    /// Go on past the end of a turn.
    pub ignore_eos: bool,
    /// Keep all logits.
    pub logits: bool,
    /// Added to the logits of these ids.
    pub logit_bias: Vec<(u32, f32)>,
    /// Keep each token's log-probability, and those of this many of the likeliest; at most 20.
    pub logprobs: Option<usize>,
    /// Stops the generation from another thread; what there is by then is the result.
    pub cancel: Cancel,
}

/// What was generated.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The new ids.
    pub ids: Vec<u32>,
    /// Their text, control tokens spelled out.
    pub text: String,
    /// Why it ended.
    pub reason: FinishReason,
    /// What it cost.
    pub usage: Usage,
    /// `[prompt tokens, vocab]`, when logits were asked for.
    pub logits_prefill: Option<Tensor<f32>>,
    /// `[new tokens, vocab]`: row `i` follows token `i`. When logits were asked for.
    pub logits_decode: Option<Tensor<f32>>,
    /// One for each new token, when they were asked for.
    pub logprobs: Vec<TokenLogprob>,
}

pub(super) fn run(inner: &Inner, request: GenerateRequest) -> Result<Generated> {
    request.sampling.unwrap_or_default().check()?;
    let vocab_size = inner.bundle.config().vocab_size;
    check_choices(&request.logit_bias, request.logprobs, vocab_size)?;
    check_ids(&request.ids, vocab_size)?;
    check_length(request.ids.len(), inner)?;
    let (wants_logits, prompt_tokens) = (request.logits, request.ids.len());
    let bypassed = Bypassed::default();
    let steps = submit(inner, request, &bypassed)?;
    let mut generated = collect(&steps, wants_logits, &inner.tokenizer)?;
    generated.text = text(&generated.ids, &inner.tokenizer);
    generated.usage.prompt_tokens = prompt_tokens;
    generated.usage.provider.clone_from(&inner.info.provider);
    generated.usage.bypassed = bypassed.names();
    Ok(generated)
}

fn check_ids(ids: &[u32], vocab_size: usize) -> Result<()> {
    let unknown = ids.iter().find(|id| **id as usize >= vocab_size);
    unknown.map_or(Ok(()), |id| {
        let detail = format!("expected ids below {vocab_size}, the model's vocabulary, found {id}");
        Err(Error::invalid("prompt", detail))
    })
}

fn submit(
    inner: &Inner,
    request: GenerateRequest,
    bypassed: &Bypassed,
) -> Result<Receiver<Result<Step>>> {
    let (steps, receiver) = mpsc::channel();
    let config = inner.bundle.config();
    let room = config.context_tokens - request.ids.len();
    let media = place(&request, inner)?;
    inner.engine.submit(Job {
        prompt: Prompt {
            ids: request.ids,
            media,
        },
        sampling: request.sampling.unwrap_or(config.sampling),
        choices: Choices {
            suppressed_ids: config.suppressed_ids.clone(),
            logit_bias: request.logit_bias,
            replay_ids: Vec::new(),
        },
        thought: None,
        processor: inner.processors.start(&request.cancel.plugins, bypassed)?,
        constraint: None,
        stop_ids: if request.ignore_eos {
            Vec::new()
        } else {
            config.eos_ids.clone()
        },
        tokens_max: request
            .max_tokens
            .unwrap_or(inner.limits.new_tokens_max)
            .min(room),
        wants_logits: request.logits,
        logprobs: request.logprobs,
        control: request.cancel.graphs,
        steps,
    })?;
    Ok(receiver)
}

/// Finds the placeholders of each block, in order.
fn place(request: &GenerateRequest, inner: &Inner) -> Result<Vec<MediaSpan>> {
    let mut next = HashMap::new();
    let mut spans = Vec::with_capacity(request.media.len());
    for (index, media) in request.media.iter().enumerate() {
        let blocks = blocks(inner, media, index + 1, Purpose::Run)?.into_iter();
        for block in blocks.filter(|block| block.soft_tokens > 0) {
            let (placeholder, soft_tokens) = (block.ids.placeholder, block.soft_tokens);
            let from = next.entry(placeholder).or_insert(0);
            let found = request.ids[*from..]
                .iter()
                .position(|id| *id == placeholder);
            let start = *from + found.ok_or_else(|| no_place(index, soft_tokens, 0))?;
            let there = request.ids[start..]
                .iter()
                .take_while(|id| **id == placeholder)
                .count();
            if there < soft_tokens {
                return Err(no_place(index, soft_tokens, there));
            }
            *from = start + soft_tokens;
            spans.extend(block.features.map(|features| MediaSpan {
                start,
                soft_tokens,
                features,
            }));
        }
    }
    check_covered(&request.ids, &spans, inner)?;
    Ok(spans)
}

/// Refuses a placeholder that no media item stands behind.
fn check_covered(ids: &[u32], spans: &[MediaSpan], inner: &Inner) -> Result<()> {
    let config = inner.bundle.config();
    let media = [config.image, config.audio, config.video]
        .into_iter()
        .flatten();
    let placeholders: Vec<u32> = media.map(|ids| ids.placeholder).collect();
    let places = ids.iter().filter(|id| placeholders.contains(id)).count();
    let covered: usize = spans.iter().map(|span| span.soft_tokens).sum();
    if places == covered {
        return Ok(());
    }
    let detail =
        format!("expected media for {places} placeholder ids, found {covered} soft tokens");
    Err(Error::invalid("prompt", detail))
}

fn no_place(index: usize, expected: usize, found: usize) -> Error {
    let detail = format!("expected {expected} placeholder ids in a row, found {found}");
    Error::invalid(format!("media {}", index + 1), detail)
}

fn collect(
    steps: &Receiver<Result<Step>>,
    wants_logits: bool,
    tokenizer: &Tokenizer,
) -> Result<Generated> {
    let mut generated = Generated {
        ids: Vec::new(),
        text: String::new(),
        reason: FinishReason::Length,
        usage: Usage::default(),
        logits_prefill: None,
        logits_decode: None,
        logprobs: Vec::new(),
    };
    let (mut rows, mut vocab) = (Vec::new(), 0);
    loop {
        match steps.recv().map_err(|_| stopped())?? {
            Step::Prefilled {
                milliseconds,
                logits,
            } => {
                generated.usage.prefill_ms = milliseconds;
                generated.logits_prefill = logits;
            }
            Step::Token { id, logprobs } => {
                generated.ids.push(id);
                let named = logprobs.map(|all| named_logprobs(id, all, tokenizer));
                generated.logprobs.extend(named);
            }
            Step::Logits(row) => {
                vocab = row.row_len();
                rows.extend(row.into_data());
            }
            Step::Ended { reason, times } => {
                generated.reason = finish_reason(reason);
                generated.usage.decode_ms = times.decode;
                generated.usage.graph_ms = times.graphs;
                generated.usage.output_tokens = generated.ids.len();
                let count = rows.len().checked_div(vocab).unwrap_or(0);
                generated.logits_decode = wants_logits
                    .then(|| Tensor::new([count, vocab], rows))
                    .transpose()?;
                return Ok(generated);
            }
        }
    }
}

pub(super) fn finish_reason(reason: EndReason) -> FinishReason {
    match reason {
        EndReason::Stop => FinishReason::EndOfTurn,
        EndReason::Length => FinishReason::Length,
        EndReason::Cancelled => FinishReason::Cancelled,
    }
}

/// Log-probabilities with the tokens' texts.
pub(super) fn named_logprobs(id: u32, from: Logprobs, tokenizer: &Tokenizer) -> TokenLogprob {
    let named = |id, logprob| Logprob {
        id,
        token: text(&[id], tokenizer),
        logprob,
    };
    TokenLogprob {
        chosen: named(id, from.chosen),
        top: from
            .top
            .into_iter()
            .map(|(id, logprob)| named(id, logprob))
            .collect(),
    }
}

/// The ids' text, control tokens spelled out.
fn text(ids: &[u32], tokenizer: &Tokenizer) -> String {
    let mut detokenizer = Detokenizer::default();
    let mut pieces: Vec<TokenPiece> = ids
        .iter()
        .flat_map(|id| detokenizer.push(tokenizer, *id))
        .collect();
    pieces.extend(detokenizer.finish());
    pieces
        .into_iter()
        .map(|piece| match piece {
            TokenPiece::Control(text) | TokenPiece::Data(text) => text,
        })
        .collect()
}
