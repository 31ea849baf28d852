//! Token ids to embeddings, and soft tokens over them.

use super::config::BundleConfig;
use super::prompt::MediaKindIds;
use crate::error::{Error, Result};
use crate::graph::{Graph, Port, RunControl, Value};
use crate::tensor::Tensor;

/// What the decoder takes for a stretch of tokens.
pub(super) struct Embeddings {
    /// `[1, tokens, hidden]`.
    pub tokens: Value,
    /// Per-layer inputs, where the family has them.
    pub per_layer: Option<Value>,
}

/// The embedding graph.
pub(super) struct Embedder {
    graph: Graph,
    has_per_layer: bool,
    /// onnxruntime-genai's graphs lay the soft tokens over the embeddings themselves.
    scatters: bool,
    hidden_size: usize,
    ids: MediaKindIds,
}

/// Rows that replace token embeddings from `start` on.
pub(super) struct SoftRows<'a> {
    pub start: usize,
    /// Whole rows of the embeddings' width.
    pub rows: &'a [f32],
    /// The recording's and not a picture's.
    pub is_audio: bool,
}

/// The inputs of a graph that lays soft tokens over embeddings itself.
const FEATURES: [&str; 2] = ["image_features", "audio_features"];

impl Embedder {
    /// Checks that the graph has the inputs and outputs of an embedding.
    ///
    /// # Errors
    /// `Bundle` when it has others.
    pub fn new(graph: Graph, config: &BundleConfig) -> Result<Self> {
        let is_known = |port: &&Port| port.name == "input_ids" || FEATURES.contains(&&*port.name);
        if let Some(port) = graph.inputs().iter().find(|port| !is_known(port)) {
            let detail = format!(
                "expected inputs input_ids, image_features and audio_features, found {port}; \
                 this is no embedding graph that this version knows"
            );
            return Err(Error::bundle(graph.subject(), detail));
        }
        let has_per_layer = graph.output("per_layer_inputs").is_some();
        let scatters = FEATURES.iter().any(|name| graph.input(name).is_some());
        Ok(Self {
            graph,
            has_per_layer,
            scatters,
            hidden_size: config.hidden_size,
            ids: MediaKindIds::of(config),
        })
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Dimensions of the per-layer inputs that it gives; `None` where it gives none.
    pub fn per_layer_rank(&self) -> Option<usize> {
        let port = self.graph.output("per_layer_inputs")?;
        Some(port.dims.len())
    }

    /// Embeds `ids`, placeholders included, and lays soft tokens over them.
    pub fn embed(
        &mut self,
        ids: &[u32],
        soft: &[SoftRows<'_>],
        control: &RunControl,
    ) -> Result<Embeddings> {
        let ids: Vec<i64> = ids
            .iter()
            .map(|&id| i64::from(self.looked_up(id)))
            .collect();
        let ids = Value::i64(Tensor::new([1, ids.len()], ids)?)?;
        let features = self.features(soft)?;
        let mut inputs = vec![("input_ids", &ids)];
        inputs.extend(features.iter().map(|(name, value)| (*name, value)));
        let mut outputs = self.graph.run(&inputs, control)?;
        let tokens = outputs.take("inputs_embeds")?;
        let tokens = if soft.is_empty() || self.scatters {
            tokens
        } else {
            scatter(tokens, soft)?
        };
        let per_layer = self
            .has_per_layer
            .then(|| outputs.take("per_layer_inputs"))
            .transpose()?;
        Ok(Embeddings { tokens, per_layer })
    }

    /// The id to look up. The reference takes padding in place of a placeholder for the per-layer table
    /// (transformers 5.23, `modeling_gemma4.py`); graphs that scatter need the placeholder, do that
    /// themselves, and know no video.
    fn looked_up(&self, id: u32) -> u32 {
        match self.scatters {
            true => self.ids.video_as_image(id),
            false => self.ids.pad_for_media(id),
        }
    }

    /// `[rows, hidden]` of pictures and of recordings, as far as the graph takes them; none are no rows.
    fn features(&self, soft: &[SoftRows<'_>]) -> Result<Vec<(&'static str, Value)>> {
        let listed = FEATURES
            .into_iter()
            .filter_map(|name| Some((name, self.graph.input(name)?)));
        let features = listed.map(|(name, port)| {
            let is_audio = name == "audio_features";
            let rows = soft.iter().filter(|soft| soft.is_audio == is_audio);
            let rows: Vec<f32> = rows.flat_map(|soft| soft.rows).copied().collect();
            let shape = [rows.len() / self.hidden_size.max(1), self.hidden_size];
            let value = match rows.is_empty() {
                true => Value::zeros(port.dtype, &shape)?,
                false => Value::float_as(port.dtype, Tensor::new(shape, rows)?)?,
            };
            Ok((name, value))
        });
        features.collect()
    }
}

fn scatter(tokens: Value, soft: &[SoftRows<'_>]) -> Result<Value> {
    let dtype = tokens.dtype();
    let mut tensor = tokens.to_f32()?;
    let width = tensor.row_len();
    for SoftRows { start, rows, .. } in soft {
        let first = start * width;
        tensor.data_mut()[first..first + rows.len()].copy_from_slice(rows);
    }
    Value::float_as(dtype, tensor)
}
