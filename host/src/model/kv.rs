//! The keys and values that decoder layers own.

use crate::error::{Error, Result};
use crate::graph::{Dtype, Port};

/// The keys and values that one decoder layer owns, as its graph states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvLayer {
    /// The number in the graph's input names. Layers that share those of another have none.
    pub index: usize,
    /// Heads of keys and values.
    pub heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// What they are stored in.
    pub dtype: Dtype,
    /// Whether they are those of the window alone and not of all tokens.
    pub keeps_window: bool,
}

/// What graphs in which sliding layers keep their window alone call the length of those (`models/export`).
const WINDOW_LENGTH: &str = "past_sliding_length";

impl KvLayer {
    /// Bytes of keys and values of one token in this layer.
    pub fn bytes_per_token(&self) -> usize {
        let both = 2 * self.dtype.size_bytes();
        both.saturating_mul(self.heads)
            .saturating_mul(self.head_dim)
    }

    /// The layers whose keys are among `inputs`, in order.
    ///
    /// # Errors
    /// `Bundle` about `subject` when one of them has no fixed heads and head size, or is of fixed length.
    pub(super) fn of_inputs<'a>(
        inputs: impl Iterator<Item = &'a Port>,
        subject: &str,
    ) -> Result<Vec<Self>> {
        let keys = inputs.filter_map(|port| Some((key_index(&port.name)?, port)));
        let layers = keys.map(|(index, port)| Self::of_input(index, port, subject));
        let mut layers: Vec<Self> = layers.collect::<Result<_>>()?;
        layers.sort_by_key(|layer| layer.index);
        Ok(layers)
    }

    fn of_input(index: usize, port: &Port, subject: &str) -> Result<Self> {
        match port.dims[..] {
            [_, Some(heads), None, Some(head_dim)] => Ok(Self {
                index,
                heads,
                head_dim,
                dtype: port.dtype,
                keeps_window: port
                    .symbols
                    .get(2)
                    .is_some_and(|name| name == WINDOW_LENGTH),
            }),
            _ => {
                let detail = format!(
                    "expected an input [batch, heads, past, head size] with fixed heads and head size and a past \
                     of any length, found {port}; export it again"
                );
                Err(Error::bundle(subject, detail))
            }
        }
    }
}

/// `3` of `past_key_values.3.key`.
fn key_index(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("past_key_values.")?;
    rest.strip_suffix(".key")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: usize, past: Option<usize>) -> Port {
        Port {
            name: format!("past_key_values.{index}.key"),
            dtype: Dtype::F16,
            dims: vec![None, Some(2), past, Some(8)],
            symbols: ["batch", "", WINDOW_LENGTH, ""].map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn layers_are_those_with_keys_in_order_and_may_have_gaps() {
        let ports = [key(10, None), key(2, None)];
        let layers = KvLayer::of_inputs(ports.iter(), "graph").unwrap();
        assert_eq!([layers[0].index, layers[1].index], [2, 10]);
        assert_eq!(layers[0].bytes_per_token(), 2 * 2 * 8 * 2);
        assert!(layers[0].keeps_window);
    }

    #[test]
    fn a_cache_of_fixed_length_is_refused_by_name() {
        let error = KvLayer::of_inputs([key(3, Some(4096))].iter(), "graph \"decoder\"");
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("past_key_values.3.key [?, 2, 4096, 8]"),
            "{text}"
        );
    }
}
