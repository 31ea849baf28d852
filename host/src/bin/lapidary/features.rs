//! `lapidary features`: the tensors that the encoders get.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use lapidary::{
    ImageBudget, Limits, Tensor, audio_features, audio_features_raw_16k, image_features_as,
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
    Ok(safetensors::serialize_to_file(views, None, path)?)
}
