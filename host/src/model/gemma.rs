//! The loaded model: four graphs and the order in which they run.

use std::time::Duration;

use super::bundle::{Bundle, DtypeChoice, GraphRole};
use super::decoder::{Decoder, KvCache, LogitRows};
use super::embed::{Embedder, SoftRows};
use super::encoder;
use super::prompt::{Features, MediaSpan, Prompt};
use crate::error::{Error, Result};
use crate::graph::{Dtype, Graph, GraphOptions, RunControl};
use crate::tensor::Tensor;

/// The keys and values that one decoder layer owns, as its graph states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvLayer {
    /// Counts the layers that own keys and values.
    pub index: usize,
    /// Heads of keys and values.
    pub heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// What they are stored in.
    pub dtype: Dtype,
}

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct GemmaOptions {
    pub dtype: DtypeChoice,
    pub graph: GraphOptions,
}

/// A loaded Gemma 4. Belongs to one thread.
pub(crate) struct Gemma {
    bundle: Bundle,
    options: GemmaOptions,
    embedder: Embedder,
    decoder: Decoder,
    vision: Option<Graph>,
    audio: Option<Graph>,
    /// Placeholder ids, which the embedding must not see.
    placeholders: Vec<u32>,
}

/// Tokens of one prefill run. Bounds the memory of activations; an image is never cut.
const PREFILL_CHUNK_TOKENS: usize = 512;

impl Gemma {
    /// Loads the text graphs; the encoders load with the first image or recording.
    pub fn load(bundle: Bundle, options: GemmaOptions) -> Result<Self> {
        let embedder = Embedder::new(load_required(&bundle, &options, GraphRole::Embed)?);
        let decoder = Decoder::new(load_required(&bundle, &options, GraphRole::Decoder)?)?;
        let config = bundle.config();
        let media = [config.image, config.audio, config.video];
        let placeholders = media
            .into_iter()
            .flatten()
            .map(|ids| ids.placeholder)
            .collect();
        Ok(Self {
            bundle,
            options,
            embedder,
            decoder,
            vision: None,
            audio: None,
            placeholders,
        })
    }

    /// The keys and values that each layer owns.
    pub fn kv_layers(&self) -> &[KvLayer] {
        self.decoder.layers()
    }

    /// What runs the decoder: `cpu`, `cuda:0`.
    pub fn provider(&self) -> String {
        let names: Vec<String> = self
            .decoder
            .graph()
            .providers()
            .iter()
            .map(ToString::to_string)
            .collect();
        names.join(",")
    }

    /// The time that all runs so far spent inside ONNX Runtime.
    pub fn busy(&self) -> Duration {
        let encoders = self.vision.iter().chain(&self.audio);
        let text = [self.embedder.graph(), self.decoder.graph()];
        text.into_iter().chain(encoders).map(Graph::busy).sum()
    }

    /// A cache for a new sequence.
    pub fn empty_cache(&self) -> Result<KvCache> {
        self.decoder.empty_cache()
    }

    /// Runs a prompt. Returns the logits of its last token, or of all.
    pub fn prefill(
        &mut self,
        prompt: &Prompt,
        cache: &mut KvCache,
        rows: LogitRows,
        control: &RunControl,
    ) -> Result<Tensor<f32>> {
        let soft = self.encode_media(&prompt.media, control)?;
        let ids = self.without_placeholders(&prompt.ids);
        let (mut logits, mut row_count) = (Vec::new(), 0);
        let mut start = 0;
        while start < ids.len() {
            let end = chunk_end(start, ids.len(), &prompt.media);
            let soft = soft_in(start, end, &prompt.media, &soft);
            let embeddings = self.embedder.embed(&ids[start..end], &soft, control)?;
            let chunk = self.decoder.forward(&embeddings, cache, rows, control)?;
            if rows == LogitRows::Last {
                (logits, row_count) = (Vec::new(), 0);
            }
            row_count += chunk.row_count();
            logits.extend(chunk.into_data());
            start = end;
        }
        let vocab = logits.len().checked_div(row_count).unwrap_or(0);
        Tensor::new([row_count, vocab], logits)
    }

    /// Runs one token. Returns its logits, `[1, vocab]`.
    pub fn step(
        &mut self,
        id: u32,
        cache: &mut KvCache,
        control: &RunControl,
    ) -> Result<Tensor<f32>> {
        let embeddings = self.embedder.embed(&[id], &[], control)?;
        self.decoder
            .forward(&embeddings, cache, LogitRows::Last, control)
    }

    fn encode_media(
        &mut self,
        spans: &[MediaSpan],
        control: &RunControl,
    ) -> Result<Vec<Tensor<f32>>> {
        spans
            .iter()
            .map(|span| encoder::encode(self.encoder(span)?, span, control))
            .collect()
    }

    fn encoder(&mut self, span: &MediaSpan) -> Result<&mut Graph> {
        let (slot, role) = match span.features {
            Features::Image(_) => (&mut self.vision, GraphRole::Vision),
            Features::Audio(_) => (&mut self.audio, GraphRole::Audio),
        };
        if slot.is_none() {
            *slot = Some(load_required(&self.bundle, &self.options, role)?);
        }
        Ok(slot.as_mut().expect("it was just filled"))
    }

    fn without_placeholders(&self, ids: &[u32]) -> Vec<u32> {
        let pad = self.bundle.config().pad_id;
        ids.iter()
            .map(|id| {
                if self.placeholders.contains(id) {
                    pad
                } else {
                    *id
                }
            })
            .collect()
    }
}

fn load_required(bundle: &Bundle, options: &GemmaOptions, role: GraphRole) -> Result<Graph> {
    let dtype = bundle.choose_dtype(role, &options.dtype)?.ok_or_else(|| {
        let detail =
            format!("expected a {role} graph, found none; this model cannot take such input");
        Error::unsupported(format!("bundle {}", bundle.location()), detail)
    })?;
    Graph::load(&bundle.graph_source(role, dtype)?, &options.graph)
}

/// The end of the chunk that begins at `start`: a media item is never cut.
fn chunk_end(start: usize, len: usize, media: &[MediaSpan]) -> usize {
    let end = (start + PREFILL_CHUNK_TOKENS).min(len);
    let cut = media
        .iter()
        .find(|span| span.start < end && end < span.start + span.soft_tokens);
    cut.map_or(end, |span| span.start + span.soft_tokens)
}

fn soft_in<'a>(
    start: usize,
    end: usize,
    media: &[MediaSpan],
    rows: &'a [Tensor<f32>],
) -> Vec<SoftRows<'a>> {
    let inside = media
        .iter()
        .zip(rows)
        .filter(|(span, _)| (start..end).contains(&span.start));
    inside
        .map(|(span, rows)| SoftRows {
            start: span.start - start,
            rows: rows.data(),
        })
        .collect()
}
