//! Embeddings and cached keys and values to logits.

use super::cache::{KvCache, Window};
use super::config::BundleConfig;
use super::embed::Embeddings;
use super::extras::{EMBEDDINGS, Extra, Extras, PER_LAYER};
use super::kv::KvLayer;
use crate::error::{Error, Result};
use crate::graph::{Graph, RunControl, Value};
use crate::tensor::Tensor;

/// Of which positions logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogitRows {
    Last,
    All,
}

/// Consecutive tokens, as the decoder may want to see them.
pub(super) struct Stretch<'a> {
    /// Placeholders included.
    pub ids: &'a [u32],
    /// `None` where the decoder looks ids up itself.
    pub embeddings: Option<Embeddings>,
    /// Whether the tokens are a prompt's; what the model writes is never media.
    pub is_prompt: bool,
}

/// The decoder graph. Feeds only what the graph lists, and learns all about keys and values from it.
pub(super) struct Decoder {
    graph: Graph,
    layers: Vec<KvLayer>,
    past_names: Vec<String>,
    present_names: Vec<String>,
    extras: Extras,
    window: Window,
}

impl Decoder {
    /// Checks that every input of the graph can be fed.
    ///
    /// # Errors
    /// `Bundle` when one cannot.
    pub fn new(graph: Graph, config: &BundleConfig) -> Result<Self> {
        let layers = KvLayer::of_inputs(graph.inputs().iter(), graph.subject())?;
        if layers.is_empty() {
            let detail = "expected inputs past_key_values.0.key and so on, found none; this is no Gemma 4 decoder";
            return Err(Error::bundle(graph.subject(), detail));
        }
        let (past_names, present_names) =
            (names(&layers, "past_key_values"), names(&layers, "present"));
        let extras = Extras::of(&graph, &past_names, config)?;
        check_window(&layers, &extras, graph.subject())?;
        Ok(Self {
            window: Window::of(&layers, config),
            layers,
            past_names,
            present_names,
            extras,
            graph,
        })
    }

    pub fn layers(&self) -> &[KvLayer] {
        &self.layers
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether it takes embeddings; else it looks ids up itself.
    pub fn takes_embeddings(&self) -> bool {
        self.graph.input(EMBEDDINGS).is_some()
    }

    /// Dimensions of the per-layer inputs that it takes; `None` where it takes none.
    pub fn per_layer_rank(&self) -> Option<usize> {
        Some(self.graph.input(PER_LAYER)?.dims.len())
    }

    /// Whether it can leave out logits that nobody wants.
    pub fn keeps_logits(&self) -> bool {
        self.extras.lists(Extra::LogitsToKeep)
    }

    /// A cache that holds nothing.
    pub fn empty_cache(&self) -> Result<KvCache> {
        KvCache::empty(&self.layers, self.window.clone())
    }

    /// Runs the next tokens and adds them to the cache. Returns `[rows, vocab]`.
    pub fn forward(
        &mut self,
        input: &Stretch<'_>,
        cache: &mut KvCache,
        rows: LogitRows,
        control: &RunControl,
    ) -> Result<Tensor<f32>> {
        let extras = self.extras.values(input, cache, rows)?;
        let mut inputs: Vec<(&str, &Value)> = Vec::with_capacity(self.past_names.len() + 8);
        if let Some(embeddings) = &input.embeddings {
            inputs.push((EMBEDDINGS, &embeddings.tokens));
            let per_layer = embeddings.per_layer.iter();
            let taken = per_layer.filter(|_| self.per_layer_rank().is_some());
            inputs.extend(taken.map(|value| (PER_LAYER, value)));
        }
        inputs.extend(extras.iter().map(|(name, value)| (*name, value)));
        let past = self.past_names.iter().map(String::as_str);
        inputs.extend(past.zip(cache.values()));
        let mut outputs = self.graph.run(&inputs, control)?;
        let present = self.present_names.iter().map(|name| outputs.take(name));
        cache.advance(present.collect::<Result<_>>()?, input.ids.len())?;
        logit_rows(outputs.take("logits")?, rows)
    }
}

/// Drops the batch dimension, and all rows but the last where a graph gives more than was asked for.
fn logit_rows(logits: Value, rows: LogitRows) -> Result<Tensor<f32>> {
    let logits = logits.to_f32()?;
    let (count, vocab) = (logits.row_count(), logits.row_len());
    match rows {
        LogitRows::Last if count > 1 => Tensor::new([1, vocab], logits.row(count - 1).to_vec()),
        LogitRows::Last | LogitRows::All => Tensor::new([count, vocab], logits.into_data()),
    }
}

/// Layers that keep a window, and the mask that counts its rows, go together.
fn check_window(layers: &[KvLayer], extras: &Extras, subject: &str) -> Result<()> {
    let keeps = layers.iter().filter(|layer| layer.keeps_window).count();
    if (keeps > 0) == extras.lists(Extra::SlidingMask) {
        return Ok(());
    }
    let detail = format!(
        "has {keeps} layers that keep a window; expected an input sliding_attention_mask if and only if there are \
         some; export it again"
    );
    Err(Error::bundle(subject, detail))
}

fn names(layers: &[KvLayer], side: &str) -> Vec<String> {
    let of_layer =
        |layer: &KvLayer| ["key", "value"].map(|kind| format!("{side}.{}.{kind}", layer.index));
    layers.iter().flat_map(of_layer).collect()
}
