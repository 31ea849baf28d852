//! The loaded model: its graphs and the order in which they run.

use std::time::Duration;

use super::bundle::Bundle;
use super::cache::KvCache;
use super::decoder::{Decoder, LogitRows, Stretch};
use super::dtype::DtypeChoice;
use super::embed::{Embedder, Embeddings, SoftRows};
use super::encoder;
use super::kv::KvLayer;
use super::prompt::{Features, MediaSpan, Prompt};
use super::role::GraphRole;
use crate::error::{Error, Result};
use crate::graph::{Graph, GraphOptions, RunControl};
use crate::tensor::Tensor;

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct GemmaOptions {
    pub dtype: DtypeChoice,
    pub graph: GraphOptions,
    /// Tokens of one prefill run; at least one, and an image is never cut.
    pub prefill_tokens_max: usize,
}

/// A loaded Gemma 4. Belongs to one thread.
pub(crate) struct Gemma {
    bundle: Bundle,
    options: GemmaOptions,
    /// `None` where the decoder looks ids up itself.
    embedder: Option<Embedder>,
    decoder: Decoder,
    vision: Option<Graph>,
    audio: Option<Graph>,
}

/// Bytes of logits that one prefill run may give where a decoder gives those of all its tokens.
const LOGITS_BYTES_MAX: usize = 64 << 20;

impl Gemma {
    /// Loads the text graphs; the encoders load with the first image or recording.
    pub fn load(bundle: Bundle, mut options: GemmaOptions) -> Result<Self> {
        let decoder = load_required(&bundle, &options, GraphRole::Decoder)?;
        let decoder = Decoder::new(decoder, bundle.config())?;
        let embedder = decoder.takes_embeddings().then(|| {
            let graph = load_required(&bundle, &options, GraphRole::Embed)?;
            Embedder::new(graph, bundle.config())
        });
        let embedder = embedder.transpose()?;
        check_per_layer(embedder.as_ref(), &decoder)?;
        if !decoder.keeps_logits() {
            let tokens = LOGITS_BYTES_MAX / (4 * bundle.config().vocab_size.max(1));
            options.prefill_tokens_max = options.prefill_tokens_max.min(tokens);
        }
        options.prefill_tokens_max = options.prefill_tokens_max.max(1);
        Ok(Self {
            bundle,
            options,
            embedder,
            decoder,
            vision: None,
            audio: None,
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
        let text = self.embedder.iter().map(Embedder::graph);
        let text = text.chain([self.decoder.graph()]);
        text.chain(encoders).map(Graph::busy).sum()
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
        let ids = &prompt.ids;
        let (mut logits, mut row_count) = (Vec::new(), 0);
        let mut start = 0;
        while start < ids.len() {
            let end = prompt.chunk_end(start, self.options.prefill_tokens_max);
            let soft = soft_in(start, end, &prompt.media, &soft);
            let stretch = Stretch {
                ids: &ids[start..end],
                embeddings: self.embed(&ids[start..end], &soft, control)?,
                is_prompt: true,
            };
            let chunk = self.decoder.forward(&stretch, cache, rows, control)?;
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
        let stretch = Stretch {
            ids: &[id],
            embeddings: self.embed(&[id], &[], control)?,
            is_prompt: false,
        };
        self.decoder
            .forward(&stretch, cache, LogitRows::Last, control)
    }

    fn embed(
        &mut self,
        ids: &[u32],
        soft: &[SoftRows<'_>],
        control: &RunControl,
    ) -> Result<Option<Embeddings>> {
        match &mut self.embedder {
            Some(embedder) => embedder.embed(ids, soft, control).map(Some),
            None if soft.is_empty() => Ok(None),
            None => {
                let detail =
                    "is a text model's: it takes ids and no embeddings; leave the media out";
                Err(Error::unsupported(self.decoder.graph().subject(), detail))
            }
        }
    }

    fn encode_media(
        &mut self,
        spans: &[MediaSpan],
        control: &RunControl,
    ) -> Result<Vec<Tensor<f32>>> {
        let hidden_size = self.bundle.config().hidden_size;
        spans
            .iter()
            .map(|span| encoder::encode(self.encoder(span)?, span, hidden_size, control))
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
}

fn load_required(bundle: &Bundle, options: &GemmaOptions, role: GraphRole) -> Result<Graph> {
    let dtype = bundle.choose_dtype(role, &options.dtype)?.ok_or_else(|| {
        let detail =
            format!("expected a {role} graph, found none; this model cannot take such input");
        Error::unsupported(format!("bundle {}", bundle.location()), detail)
    })?;
    Graph::load(&bundle.graph_source(role, dtype)?, &options.graph)
}

/// Refuses graphs of two exporters: some mix per-layer inputs into the embedding, others into the decoder.
fn check_per_layer(embedder: Option<&Embedder>, decoder: &Decoder) -> Result<()> {
    let given = embedder.and_then(Embedder::per_layer_rank);
    let taken = decoder.per_layer_rank();
    if given == taken || taken.is_none() {
        return Ok(());
    }
    let rank =
        |rank: Option<usize>| rank.map_or("none".to_owned(), |rank| format!("{rank} dimensions"));
    let detail = format!(
        "expected per_layer_inputs of {} from the embedding, found {}; take both graphs from one export",
        rank(taken),
        rank(given)
    );
    Err(Error::bundle(decoder.graph().subject(), detail))
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
            is_audio: matches!(span.features, Features::Audio(_)),
        })
        .collect()
}
