//! Image patches and log-mel frames to soft tokens.

use super::prompt::{Features, MediaSpan};
use crate::error::{Error, Result};
use crate::graph::{Graph, Port, RunControl, Value};
use crate::media::{AudioFeatures, ImageFeatures};
use crate::tensor::Tensor;

/// The soft tokens of one media item, `[soft tokens, hidden]`.
///
/// # Errors
/// `Graph` when the encoder gives another number of rows than the prompt has places for, or others than
/// `hidden_size` wide.
pub(super) fn encode(
    graph: &mut Graph,
    span: &MediaSpan,
    hidden_size: usize,
    control: &RunControl,
) -> Result<Tensor<f32>> {
    let rows = match &span.features {
        Features::Image(image) => encode_image(graph, image, control)?,
        Features::Audio(audio) => encode_audio(graph, audio, control)?,
    };
    if (rows.row_count(), rows.row_len()) == (span.soft_tokens, hidden_size) {
        return Ok(rows);
    }
    let detail = format!(
        "expected {} soft tokens of width {hidden_size}, found {} of width {}",
        span.soft_tokens,
        rows.row_count(),
        rows.row_len()
    );
    Err(Error::graph(graph.subject(), detail))
}

fn encode_image(
    graph: &mut Graph,
    image: &ImageFeatures,
    control: &RunControl,
) -> Result<Tensor<f32>> {
    let pixel_port = port(graph, &["pixel_values"])?;
    // The processor calls them image_position_ids, exported graphs pixel_position_ids.
    let position_port = port(graph, &["pixel_position_ids", "image_position_ids"])?;
    let position_name = position_port.name.clone();
    let pixels = batch_of_one(&image.pixel_values, pixel_port, 0.0)?;
    let positions = batch_of_one(&image.position_ids, position_port, -1)?;
    let pixels = Value::float_as(pixel_port.dtype, pixels)?;
    let positions = Value::whole_as(position_port.dtype, positions)?;
    let inputs = [
        ("pixel_values", &pixels),
        (position_name.as_str(), &positions),
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
    let frame_port = port(graph, &["input_features"])?;
    let mask_port = port(graph, &["input_features_mask"])?;
    let mask = audio.mask.data().iter().map(|real| i64::from(*real));
    let mask = Tensor::new(audio.mask.shape(), mask.collect())?;
    let frames = batch_of_one(&audio.input_features, frame_port, 0.0)?;
    let mask = batch_of_one(&mask, mask_port, 0)?;
    let frames = Value::float_as(frame_port.dtype, frames)?;
    let mask = Value::whole_as(mask_port.dtype, mask)?;
    let inputs = [("input_features", &frames), ("input_features_mask", &mask)];
    graph
        .run(&inputs, control)?
        .take("audio_features")?
        .to_f32()
}

/// The input that has one of these names.
fn port<'g>(graph: &'g Graph, names: &[&str]) -> Result<&'g Port> {
    let found = names.iter().find_map(|name| graph.input(name));
    found.ok_or_else(|| {
        let detail = format!(
            "expected an input {}, found none; this is no Gemma 4 encoder that this version knows",
            names.join(" or ")
        );
        Error::bundle(graph.subject(), detail)
    })
}

/// `[1, rows, …]`, with `padding` up to the length that the graph fixes, where it fixes one.
fn batch_of_one<T: Clone>(tensor: &Tensor<T>, port: &Port, padding: T) -> Result<Tensor<T>> {
    let mut shape: Vec<usize> = [&[1], tensor.shape()].concat();
    let mut data = tensor.data().to_vec();
    if let Some(Some(rows)) = port.dims.get(1)
        && *rows > shape[1]
    {
        let width = data.len().checked_div(shape[1]).unwrap_or(0);
        data.resize(rows * width, padding);
        shape[1] = *rows;
    }
    Tensor::new(shape, data)
}
