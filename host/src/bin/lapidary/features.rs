//! `lapidary features`: the tensors that the encoders get.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, Subcommand};
use lapidary::{
    FrameSampling, ImageBudget, Limits, Tensor, VideoOptions, VideoSource, audio_features,
    audio_features_raw_16k, image_features_as, video_features,
};
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::model::{ResizerName, read};
use crate::screen;

/// Write the tensors that the encoders get.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary features image photo.png --budget 280 --out photo.safetensors"
)]
pub struct Args {
    #[command(subcommand)]
    medium: Medium,
}

#[derive(Subcommand)]
enum Medium {
    /// pixel_values f32 [patches, 768] and position_ids i64 [patches, 2].
    Image {
        /// The picture.
        file: PathBuf,
        /// The most soft tokens: 70, 140, 280, 560 or 1120.
        #[arg(long, default_value_t = 280)]
        budget: u32,
        /// Whose arithmetic resizes: transformers' with torchvision, or its own without.
        #[arg(long, value_enum, default_value_t = ResizerName::Torchvision)]
        resizer: ResizerName,
        /// Where to write.
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// The same as for an image, one frame after the other, and timestamps f32 [frames] in seconds.
    Video {
        /// A GIF, APNG or WebP, a folder of frames, or a movie, which an installed ffmpeg reads.
        file: PathBuf,
        /// The most soft tokens of one frame: 70, 140, 280, 560 or 1120.
        #[arg(long, default_value_t = 70)]
        budget: u32,
        /// This many frames spread evenly, in place of one a second for a minute; the reference takes 32.
        #[arg(long, value_name = "COUNT")]
        uniform: Option<usize>,
        /// Where to write.
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// input_features f32 [frames, 128] and input_features_mask bool [frames].
    Audio {
        /// The recording.
        file: PathBuf,
        /// Require a 16 kHz mono file and do not resample.
        #[arg(long)]
        raw_16k: bool,
        /// Where to write.
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let summary = match &args.medium {
        Medium::Image {
            file,
            budget,
            resizer,
            out,
        } => image(file, *budget, *resizer, out)?,
        Medium::Video {
            file,
            budget,
            uniform,
            out,
        } => video(file, *budget, *uniform, out)?,
        Medium::Audio { file, raw_16k, out } => audio(file, *raw_16k, out)?,
    };
    screen::result(&format!("{summary}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn image(file: &Path, budget: u32, resizer: ResizerName, out: &Path) -> anyhow::Result<Value> {
    let subject = file.display().to_string();
    let budget = ImageBudget::try_from(budget)?;
    let features = image_features_as(
        &read(file)?,
        budget,
        resizer.into(),
        &subject,
        &Limits::default(),
    )?;
    let pixels = View::new(Dtype::F32, &features.pixel_values, |value| {
        value.to_le_bytes().to_vec()
    });
    let positions = View::new(Dtype::I64, &features.position_ids, |value| {
        value.to_le_bytes().to_vec()
    });
    write(
        out,
        vec![("pixel_values", pixels), ("position_ids", positions)],
    )?;
    Ok(
        json!({"soft_tokens": features.soft_tokens, "width": features.width, "height": features.height}),
    )
}

fn video(file: &Path, budget: u32, uniform: Option<usize>, out: &Path) -> anyhow::Result<Value> {
    let sampling = match uniform {
        Some(frame_count) => FrameSampling::Uniform { frame_count },
        None => FrameSampling::default(),
    };
    let options = VideoOptions {
        sampling,
        budget: ImageBudget::try_from(budget)?,
        ..VideoOptions::default()
    };
    let subject = file.display().to_string();
    let video = video_features(
        VideoSource::Path(file),
        &options,
        &subject,
        &Limits::default(),
    )?;
    let images = || video.frames.iter().map(|frame| &frame.image);
    let pixels = joined(images().map(|image| &image.pixel_values))?;
    let positions = joined(images().map(|image| &image.position_ids))?;
    let indices: Vec<usize> = video.frames.iter().map(|frame| frame.index).collect();
    let seconds: Vec<f32> = indices
        .iter()
        .map(|index| (*index as f64 / video.frames_per_second) as f32)
        .collect();
    let seconds = Tensor::new([seconds.len()], seconds)?;
    let pixels = View::new(Dtype::F32, &pixels, |value| value.to_le_bytes().to_vec());
    let positions = View::new(Dtype::I64, &positions, |value| value.to_le_bytes().to_vec());
    let seconds = View::new(Dtype::F32, &seconds, |value| value.to_le_bytes().to_vec());
    write(
        out,
        vec![
            ("pixel_values", pixels),
            ("position_ids", positions),
            ("timestamps", seconds),
        ],
    )?;
    let stamps: Vec<&str> = video
        .frames
        .iter()
        .map(|frame| frame.stamp.as_str())
        .collect();
    Ok(json!({"soft_tokens": video.soft_tokens(), "frames": indices, "timestamps": stamps}))
}

/// The rows of all tensors, one after the other.
fn joined<'a, T: Clone + 'a>(
    tensors: impl Iterator<Item = &'a Tensor<T>>,
) -> lapidary::Result<Tensor<T>> {
    let (mut rows, mut row_len, mut data) = (0, 0, Vec::new());
    for tensor in tensors {
        rows += tensor.row_count();
        row_len = tensor.row_len();
        data.extend_from_slice(tensor.data());
    }
    Tensor::new([rows, row_len], data)
}

fn audio(file: &Path, raw_16k: bool, out: &Path) -> anyhow::Result<Value> {
    let (bytes, subject) = (read(file)?, file.display().to_string());
    let read_features = if raw_16k {
        audio_features_raw_16k
    } else {
        audio_features
    };
    let features = read_features(&bytes, &subject, &Limits::default())?;
    let frames = View::new(Dtype::F32, &features.input_features, |value| {
        value.to_le_bytes().to_vec()
    });
    let mask = View::new(Dtype::BOOL, &features.mask, |value| vec![u8::from(*value)]);
    write(
        out,
        vec![("input_features", frames), ("input_features_mask", mask)],
    )?;
    let frame_count = features.mask.data().len();
    Ok(
        json!({"soft_tokens": features.soft_tokens, "seconds": features.seconds, "frames": frame_count}),
    )
}

/// A tensor as safetensors writes it.
pub struct View {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View {
    /// The elements' little-endian bytes.
    pub fn new<T>(dtype: Dtype, tensor: &Tensor<T>, bytes_of: impl Fn(&T) -> Vec<u8>) -> Self {
        let bytes = tensor.data().iter().flat_map(bytes_of).collect();
        Self {
            dtype,
            shape: tensor.shape().to_vec(),
            bytes,
        }
    }
}

impl safetensors::View for View {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a safetensors file.
pub fn write(path: &Path, views: Vec<(&str, View)>) -> anyhow::Result<()> {
    let bytes = safetensors::serialize(views, None)?;
    std::fs::write(path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
}
