//! What a bundle will take in memory, told from its files alone.

use serde::Serialize;

use super::bundle::Bundle;
use super::cache;
use super::dtype::DtypeChoice;
use super::kv::KvLayer;
use super::role::GraphRole;
use crate::error::Result;

/// What a bundle will take in memory on the processor, in bytes.
///
/// The two sums are for one chat of text. A process with a q4 bundle of E2B's size (`models/families/full_size.py`)
/// had 1,995 MiB at most over a prompt of 1,000 tokens, with ONNX Runtime 1.31.1 on x86_64; estimated are 2,006.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// The decoder's weights.
    pub decoder_bytes: u64,
    /// The embedding's tables. They stay on disk; the system reads the rows that are looked up, and keeps them while
    /// it has room.
    pub tables_on_disk_bytes: u64,
    /// The vision and the audio encoder, loaded with the first picture and the first recording.
    pub encoders_bytes: u64,
    /// Keys and values of the first 1,000 tokens.
    pub kv_1k_bytes: u64,
    /// Keys and values of as many tokens as the model takes.
    pub kv_full_bytes: u64,
    /// What one run of a prompt needs beside, over 1,000 tokens.
    pub run_1k_bytes: u64,
    /// The whole process, over 1,000 tokens.
    pub total_1k_bytes: u64,
    /// The whole process, over as many tokens as the model takes.
    pub total_full_bytes: u64,
}

/// The program without a model: ONNX Runtime, the compiled plugins, the tokenizer of 262,144 tokens.
const PROGRAM_BYTES: u64 = 300 << 20;
/// Tokens of one run of a prompt, unless [`Limits`](crate::Limits) say otherwise.
const RUN_TOKENS: u64 = 512;

impl MemoryEstimate {
    /// The estimate for the graphs that `choice` picks.
    ///
    /// # Errors
    /// `Bundle` when the decoder is not there or is damaged.
    pub(super) fn of(bundle: &Bundle, choice: &DtypeChoice) -> Result<Self> {
        let layers = bundle.kv_layers(choice)?;
        let size = |role| -> Result<u64> {
            let dtype = bundle.choose_dtype(role, choice)?;
            Ok(dtype.map_or(0, |dtype| bundle.graph_size_bytes(role, dtype)))
        };
        let decoder_bytes = size(GraphRole::Decoder)?;
        let context = bundle.config().context_tokens as u64;
        let (kv_1k_bytes, kv_full_bytes) =
            (kv(bundle, &layers, 1_000), kv(bundle, &layers, context));
        // A run has the keys and values from before and those after side by side.
        let total = |kv: u64, tokens| {
            let rest = PROGRAM_BYTES + decoder_bytes + run(bundle, tokens);
            rest.saturating_add(kv.saturating_mul(2))
        };
        Ok(Self {
            decoder_bytes,
            tables_on_disk_bytes: size(GraphRole::Embed)?,
            encoders_bytes: size(GraphRole::Vision)? + size(GraphRole::Audio)?,
            kv_1k_bytes,
            kv_full_bytes,
            run_1k_bytes: run(bundle, 1_000),
            total_1k_bytes: total(kv_1k_bytes, 1_000),
            total_full_bytes: total(kv_full_bytes, context),
        })
    }
}

/// Keys and values of so many tokens.
fn kv(bundle: &Bundle, layers: &[KvLayer], tokens: u64) -> u64 {
    let window = cache::rows_max(bundle.config().sliding_window) as u64;
    let of_layer = |layer: &KvLayer| {
        let rows = if layer.keeps_window {
            tokens.min(window)
        } else {
            tokens
        };
        rows.saturating_mul(layer.bytes_per_token() as u64)
    };
    // A graph may state any size; nothing has checked it yet.
    layers.iter().map(of_layer).fold(0, u64::saturating_add)
}

/// What one run of a prompt that ends at `tokens` needs: activations of the widest layer, per-layer inputs, and one
/// layer's attention scores, all in 32 bits.
fn run(bundle: &Bundle, tokens: u64) -> u64 {
    let config = bundle.config();
    let sizes = config.run_sizes;
    let per_layer = config.per_layer_width.unwrap_or(0) as u64 * config.layers as u64;
    let widths = 8 * config.hidden_size as u64 + 3 * sizes.mlp as u64 + 3 * per_layer;
    let scores = sizes.heads as u64 * tokens;
    4 * RUN_TOKENS.min(tokens) * (widths + scores)
}
