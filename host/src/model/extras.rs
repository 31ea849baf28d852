//! The decoder's inputs beside embeddings, keys and values.

use super::cache::KvCache;
use super::config::BundleConfig;
use super::decoder::{LogitRows, Stretch};
use super::prompt::MediaKindIds;
use crate::error::{Error, Result};
use crate::graph::{Graph, Port, Value};
use crate::tensor::Tensor;

/// Embeddings, in the decoder's words.
pub(super) const EMBEDDINGS: &str = "inputs_embeds";
pub(super) const PER_LAYER: &str = "per_layer_inputs";

/// Inputs beside embeddings, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Ones for all tokens so far.
    AttentionMask,
    /// Ones for the rows that sliding layers hold, in graphs where these hold their window alone.
    SlidingMask,
    Positions,
    /// How many rows of logits, counted from the end; 0 for all.
    LogitsToKeep,
    /// Which tokens are media, of which kind.
    MediaKinds,
    Ids,
}

impl Extra {
    /// The names in all layouts that are known.
    fn named(name: &str) -> Option<Self> {
        match name {
            "attention_mask" => Some(Self::AttentionMask),
            "sliding_attention_mask" => Some(Self::SlidingMask),
            "position_ids" => Some(Self::Positions),
            "num_logits_to_keep" => Some(Self::LogitsToKeep),
            "mm_token_type_ids" | "token_type_ids" => Some(Self::MediaKinds),
            "input_ids" => Some(Self::Ids),
            _ => None,
        }
    }
}

/// The extra inputs that a decoder lists.
pub(super) struct Extras {
    ports: Vec<(Extra, Port)>,
    ids: MediaKindIds,
}

impl Extras {
    /// Those of `graph`.
    ///
    /// # Errors
    /// `Bundle` when there is one that nobody can feed.
    pub fn of(graph: &Graph, past_names: &[String], config: &BundleConfig) -> Result<Self> {
        Ok(Self {
            ports: ports(graph, past_names)?,
            ids: MediaKindIds::of(config),
        })
    }

    pub fn lists(&self, extra: Extra) -> bool {
        self.ports.iter().any(|(listed, _)| *listed == extra)
    }

    /// What to feed for `input`, by name.
    pub fn values(
        &self,
        input: &Stretch<'_>,
        cache: &KvCache,
        rows: LogitRows,
    ) -> Result<Vec<(&str, Value)>> {
        let values = self.ports.iter().map(|(extra, port)| {
            let numbers = self.value(*extra, input, cache, rows);
            let shape: Vec<usize> = match extra {
                // A scalar in most graphs, one number in a row in others.
                Extra::LogitsToKeep => vec![1; port.dims.len()],
                _ => vec![1, numbers.len()],
            };
            let value = Value::whole_as(port.dtype, Tensor::new(shape, numbers)?)?;
            Ok((port.name.as_str(), value))
        });
        values.collect()
    }

    fn value(
        &self,
        extra: Extra,
        input: &Stretch<'_>,
        cache: &KvCache,
        rows: LogitRows,
    ) -> Vec<i64> {
        let (past, count) = (cache.token_count(), input.ids.len());
        match extra {
            Extra::AttentionMask => vec![1; past + count],
            Extra::SlidingMask => vec![1; cache.sliding_rows() + count],
            Extra::Positions => (past..past + count)
                .map(|position| position as i64)
                .collect(),
            Extra::LogitsToKeep => vec![i64::from(rows == LogitRows::Last)],
            Extra::MediaKinds if input.is_prompt => {
                input.ids.iter().map(|id| self.ids.kind(*id)).collect()
            }
            Extra::MediaKinds => vec![0; count],
            Extra::Ids => input.ids.iter().map(|id| i64::from(*id)).collect(),
        }
    }
}

/// Every input that is neither embeddings nor keys and values.
fn ports(graph: &Graph, past_names: &[String]) -> Result<Vec<(Extra, Port)>> {
    let others = graph.inputs().iter().filter(|port| {
        let name = port.name.as_str();
        name != EMBEDDINGS && name != PER_LAYER && !past_names.contains(&port.name)
    });
    let extra = |port: &Port| match Extra::named(&port.name) {
        Some(extra) => Ok((extra, port.clone())),
        None => Err(unknown(graph, port)),
    };
    others.map(extra).collect()
}

fn unknown(graph: &Graph, port: &Port) -> Error {
    let detail = format!(
        "has an input {port}, which this version does not know how to feed; use a newer Lapidary, or export the \
         model in a form that README.md names"
    );
    Error::bundle(graph.subject(), detail)
}
