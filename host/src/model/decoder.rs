//! Embeddings and cached keys and values to logits.

use super::embed::Embeddings;
use super::gemma::KvLayer;
use crate::error::{Error, Result};
use crate::graph::{Graph, RunControl, Value};
use crate::tensor::Tensor;

/// The keys and values of one sequence.
pub(crate) struct KvCache {
    /// Key and value of each layer that owns them, in the order of [`Decoder::layers`].
    values: Vec<Value>,
    token_count: usize,
}

/// Of which positions logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogitRows {
    Last,
    All,
}

/// The decoder graph. Feeds only what the graph lists, and learns all about keys and values from it.
pub(super) struct Decoder {
    graph: Graph,
    layers: Vec<KvLayer>,
    past_names: Vec<String>,
    present_names: Vec<String>,
    takes_positions: bool,
    takes_keep: bool,
}

impl Decoder {
    /// Checks that the graph has the inputs and outputs of a decoder.
    ///
    /// # Errors
    /// `Bundle` when it has not.
    pub fn new(graph: Graph) -> Result<Self> {
        require(&graph, "inputs_embeds")?;
        require(&graph, "attention_mask")?;
        let layers = kv_layers(&graph)?;
        let both = |name: &str| {
            let of_layer = |layer: &KvLayer| {
                [
                    format!("{name}.{}.key", layer.index),
                    format!("{name}.{}.value", layer.index),
                ]
            };
            layers.iter().flat_map(of_layer).collect::<Vec<_>>()
        };
        let (past_names, present_names) = (both("past_key_values"), both("present"));
        let takes_positions = graph.input("position_ids").is_some();
        let takes_keep = graph.input("num_logits_to_keep").is_some();
        Ok(Self {
            graph,
            layers,
            past_names,
            present_names,
            takes_positions,
            takes_keep,
        })
    }

    pub fn layers(&self) -> &[KvLayer] {
        &self.layers
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// A cache that holds nothing.
    pub fn empty_cache(&self) -> Result<KvCache> {
        let empty =
            |layer: &KvLayer| Value::zeros(layer.dtype, &[1, layer.heads, 0, layer.head_dim]);
        let values = self
            .layers
            .iter()
            .flat_map(|layer| [empty(layer), empty(layer)]);
        Ok(KvCache {
            values: values.collect::<Result<_>>()?,
            token_count: 0,
        })
    }

    /// Runs the next tokens and adds them to the cache. Returns `[rows, vocab]`.
    pub fn forward(
        &mut self,
        input: &Embeddings,
        cache: &mut KvCache,
        rows: LogitRows,
        control: &RunControl,
    ) -> Result<Tensor<f32>> {
        let total = cache.token_count + input.token_count;
        let extra = self.extra_inputs(cache.token_count, total, rows)?;
        let mut inputs: Vec<(&str, &Value)> = Vec::with_capacity(self.past_names.len() + 5);
        inputs.push(("inputs_embeds", &input.tokens));
        inputs.extend(
            input
                .per_layer
                .iter()
                .map(|value| ("per_layer_inputs", value)),
        );
        inputs.extend(extra.iter().map(|(name, value)| (*name, value)));
        inputs.extend(
            self.past_names
                .iter()
                .map(String::as_str)
                .zip(&cache.values),
        );
        let mut outputs = self.graph.run(&inputs, control)?;
        cache.values = self
            .present_names
            .iter()
            .map(|name| outputs.take(name))
            .collect::<Result<_>>()?;
        cache.token_count = total;
        logit_rows(outputs.take("logits")?, rows)
    }

    fn extra_inputs(
        &self,
        past: usize,
        total: usize,
        rows: LogitRows,
    ) -> Result<Vec<(&'static str, Value)>> {
        let mut extra = vec![(
            "attention_mask",
            Value::i64(Tensor::new([1, total], vec![1; total])?)?,
        )];
        if self.takes_positions {
            let positions: Vec<i64> = (past..total).map(|position| position as i64).collect();
            extra.push((
                "position_ids",
                Value::i64(Tensor::new([1, total - past], positions)?)?,
            ));
        }
        if self.takes_keep {
            let keep = match rows {
                LogitRows::Last => 1,
                LogitRows::All => 0,
            };
            extra.push((
                "num_logits_to_keep",
                Value::i64(Tensor::new([], vec![keep])?)?,
            ));
        }
        Ok(extra)
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

fn require(graph: &Graph, input: &str) -> Result<()> {
    if graph.input(input).is_some() {
        return Ok(());
    }
    let detail = format!("expected an input {input}, found none; this is not a Gemma 4 decoder");
    Err(Error::bundle(graph.subject(), detail))
}

fn kv_layers(graph: &Graph) -> Result<Vec<KvLayer>> {
    let layers: Vec<KvLayer> = (0..)
        .map_while(|index| kv_layer(graph, index))
        .collect::<Result<_>>()?;
    if layers.is_empty() {
        let detail = "expected inputs past_key_values.0.key and so on, found none";
        return Err(Error::bundle(graph.subject(), detail));
    }
    Ok(layers)
}

fn kv_layer(graph: &Graph, index: usize) -> Option<Result<KvLayer>> {
    let port = graph.input(&format!("past_key_values.{index}.key"))?;
    let layer = match port.dims[..] {
        [_, Some(heads), _, Some(head_dim)] => Ok(KvLayer {
            index,
            heads,
            head_dim,
            dtype: port.dtype,
        }),
        _ => {
            let detail = format!(
                "expected {} as [batch, heads, past, head size] with fixed heads and head size",
                port.name
            );
            Err(Error::bundle(graph.subject(), detail))
        }
    };
    Some(layer)
}
