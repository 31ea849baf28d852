//! The keys and values of one sequence.

use super::config::BundleConfig;
use super::kv::KvLayer;
use crate::error::Result;
use crate::graph::Value;

/// The keys and values of one sequence.
pub(crate) struct KvCache {
    /// Key and value of each layer that owns them, in the decoder's order.
    values: Vec<Value>,
    token_count: usize,
    /// Rows of the layers that keep no more than their window.
    sliding_rows: usize,
    window: Window,
}

/// Which layers keep no more than their window, and how long that is.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// For each layer that owns keys and values.
    slides: Vec<bool>,
    /// What a token sees of those before it.
    rows: usize,
}

/// Rows by which a window may be exceeded before it is cut: cutting copies, so it is done once in so many steps.
const SLACK_ROWS: usize = 128;

/// Rows that a layer with such a window holds between two runs, at most.
pub(super) fn rows_max(window: usize) -> usize {
    window.saturating_sub(1) + SLACK_ROWS
}

impl Window {
    /// The window of `layers`, as long as the configuration says.
    pub fn of(layers: &[KvLayer], config: &BundleConfig) -> Self {
        Self {
            slides: layers.iter().map(|layer| layer.keeps_window).collect(),
            rows: config.sliding_window.saturating_sub(1),
        }
    }
}

impl KvCache {
    pub fn empty(layers: &[KvLayer], window: Window) -> Result<Self> {
        let empty =
            |layer: &KvLayer| Value::zeros(layer.dtype, &[1, layer.heads, 0, layer.head_dim]);
        let values = layers.iter().flat_map(|layer| [empty(layer), empty(layer)]);
        Ok(Self {
            values: values.collect::<Result<_>>()?,
            token_count: 0,
            sliding_rows: 0,
            window,
        })
    }

    /// Tokens that it stands for.
    pub fn token_count(&self) -> usize {
        self.token_count
    }

    /// Rows of the layers that keep no more than their window.
    pub fn sliding_rows(&self) -> usize {
        self.sliding_rows
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Takes what the decoder gave for `count` more tokens. Sliding layers forget what no token sees any more.
    pub(super) fn advance(&mut self, present: Vec<Value>, count: usize) -> Result<()> {
        self.values = present;
        self.token_count += count;
        self.sliding_rows += count;
        let window = &self.window;
        if self.sliding_rows <= window.rows + SLACK_ROWS {
            return Ok(());
        }
        for (pair, slides) in self.values.chunks_exact_mut(2).zip(&window.slides) {
            if *slides {
                for value in pair {
                    *value = value.last_rows(window.rows)?;
                }
            }
        }
        self.sliding_rows = window.rows;
        Ok(())
    }
}
