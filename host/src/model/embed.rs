//! Token ids to embeddings, and soft tokens over them.

use crate::error::Result;
use crate::graph::{Graph, RunControl, Value};
use crate::tensor::Tensor;

/// What the decoder takes for a stretch of tokens.
pub(super) struct Embeddings {
    /// `[1, tokens, hidden]`.
    pub tokens: Value,
    /// Per-layer inputs, where the family has them.
    pub per_layer: Option<Value>,
    pub token_count: usize,
}

/// The embedding graph.
pub(super) struct Embedder {
    graph: Graph,
    has_per_layer: bool,
}

/// Rows that replace token embeddings from `start` on.
pub(super) struct SoftRows<'a> {
    pub start: usize,
    /// Whole rows of the embeddings' width.
    pub rows: &'a [f32],
}

impl Embedder {
    pub fn new(graph: Graph) -> Self {
        let has_per_layer = graph.output("per_layer_inputs").is_some();
        Self {
            graph,
            has_per_layer,
        }
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Embeds `ids` and lays soft tokens over them.
    ///
    /// Ids at soft places have to be the padding id already: the reference looks up padding there for
    /// the per-layer table (transformers 5.23, `modeling_gemma4.py`).
    pub fn embed(
        &mut self,
        ids: &[u32],
        soft: &[SoftRows<'_>],
        control: &RunControl,
    ) -> Result<Embeddings> {
        let input = Tensor::new(
            [1, ids.len()],
            ids.iter().map(|&id| i64::from(id)).collect(),
        )?;
        let mut outputs = self
            .graph
            .run(&[("input_ids", &Value::i64(input)?)], control)?;
        let tokens = outputs.take("inputs_embeds")?;
        let tokens = if soft.is_empty() {
            tokens
        } else {
            scatter(tokens, soft)?
        };
        let per_layer = self
            .has_per_layer
            .then(|| outputs.take("per_layer_inputs"))
            .transpose()?;
        Ok(Embeddings {
            tokens,
            per_layer,
            token_count: ids.len(),
        })
    }
}

fn scatter(tokens: Value, soft: &[SoftRows<'_>]) -> Result<Value> {
    let dtype = tokens.dtype();
    let mut tensor = tokens.to_f32()?;
    let width = tensor.row_len();
    for SoftRows { start, rows } in soft {
        let first = start * width;
        tensor.data_mut()[first..first + rows.len()].copy_from_slice(rows);
    }
    Value::float_as(dtype, tensor)
}
