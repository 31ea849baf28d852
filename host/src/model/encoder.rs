//! Image patches and log-mel frames to soft tokens.

use super::prompt::{Features, MediaSpan};
use crate::error::{Error, Result};
use crate::graph::{Graph, RunControl, Value};
use crate::media::{AudioFeatures, ImageFeatures};
use crate::tensor::Tensor;

/// The soft tokens of one media item, `[soft tokens, hidden]`.
///
/// # Errors
/// `Graph` when the encoder gives another number of rows than the prompt has places for.
pub(super) fn encode(
    graph: &mut Graph,
    span: &MediaSpan,
    control: &RunControl,
) -> Result<Tensor<f32>> {
    let rows = match &span.features {
        Features::Image(image) => encode_image(graph, image, control)?,
        Features::Audio(audio) => encode_audio(graph, audio, control)?,
    };
    if rows.row_count() == span.soft_tokens {
        return Ok(rows);
    }
    let detail = format!(
        "expected {} soft tokens, found {}",
        span.soft_tokens,
        rows.row_count()
    );
    Err(Error::graph(graph.subject(), detail))
}

fn encode_image(
    graph: &mut Graph,
    image: &ImageFeatures,
    control: &RunControl,
) -> Result<Tensor<f32>> {
    let pixels = float_input(graph, "pixel_values", &image.pixel_values)?;
    // The processor calls them image_position_ids, exported graphs pixel_position_ids.
    let positions = Value::i64(with_batch(&image.position_ids)?)?;
    let inputs = [
        ("pixel_values", &pixels),
        ("pixel_position_ids", &positions),
    ];
    graph
        .run(&inputs, control)?
        .take("image_features")?
        .to_f32()
}

fn encode_audio(
    graph: &mut Graph,
    audio: &AudioFeatures,
    control: &RunControl,
) -> Result<Tensor<f32>> {
    let frames = float_input(graph, "input_features", &audio.input_features)?;
    let mask = Value::bool(with_batch(&audio.mask)?)?;
    let inputs = [("input_features", &frames), ("input_features_mask", &mask)];
    graph
        .run(&inputs, control)?
        .take("audio_features")?
        .to_f32()
}

/// Floats in the dtype that the graph lists for `name`.
fn float_input(graph: &Graph, name: &str, tensor: &Tensor<f32>) -> Result<Value> {
    let port = graph.input(name).ok_or_else(|| {
        Error::bundle(
            graph.subject(),
            format!("expected an input {name}, found none"),
        )
    })?;
    Value::float_as(port.dtype, with_batch(tensor)?)
}

fn with_batch<T: Clone>(tensor: &Tensor<T>) -> Result<Tensor<T>> {
    let shape: Vec<usize> = [&[1], tensor.shape()].concat();
    Tensor::new(shape, tensor.data().to_vec())
}
