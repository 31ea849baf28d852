//! `lapidary fetch`: a bundle from a hub into the cache.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use lapidary::{DtypeChoice, FetchProgress, FetchRequest, HubId, onnxruntime, printable};

use crate::screen;

/// Fetch a bundle from a hub into the cache.
///
/// Only the files that the dtype needs are fetched; a fetch that was cut off goes on where it stopped. HF_ENDPOINT
/// names another hub, HF_TOKEN opens gated repositories. `--model ID` uses it afterwards.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary fetch onnx-community/gemma-4-E2B-it-ONNX --dtype q4f16"
)]
pub struct Args {
    /// The repository: owner/name.
    id: String,
    /// Which dtype: fp32, fp16, q4, q4f16, …, or one for each graph, embed=q4,decoder=q4f16. Without it, q4 where
    /// there is one.
    #[arg(long)]
    dtype: Option<String>,
    /// A branch, a tag or a commit.
    #[arg(long)]
    revision: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut id: HubId = args.id.parse()?;
    if let Some(revision) = &args.revision {
        id = id.at(revision)?;
    }
    let mut request = FetchRequest::new(id, onnxruntime::cache_folder()?).environment();
    if let Some(dtype) = &args.dtype {
        request = request.dtype(dtype.parse::<DtypeChoice>()?);
    }
    let mut shown = Shown::default();
    let folder = lapidary::fetch(&request, &mut |progress| shown.show(progress))?;
    shown.bar.finish_and_clear();
    screen::result(&format!("{}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// What a person sees of it: a bar on a terminal, a line for each file elsewhere.
struct Shown {
    bar: ProgressBar,
    file: String,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            file: String::new(),
        }
    }
}

impl Shown {
    fn show(&mut self, progress: FetchProgress<'_>) {
        match progress {
            FetchProgress::Needed {
                file_count,
                total_bytes,
            } => self.start(file_count, total_bytes),
            FetchProgress::Here { file, bytes } => self.here(file, bytes),
            FetchProgress::Waiting { wait } => self.wait(wait),
        }
    }

    fn start(&mut self, file_count: usize, total_bytes: u64) {
        let size = indicatif::HumanBytes(total_bytes);
        screen::progress(&format!("{file_count} files to fetch, {size} in all"));
        if screen::is_watched() {
            let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left  {msg}";
            let style = ProgressStyle::with_template(style);
            self.bar = ProgressBar::new(total_bytes);
            self.bar
                .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
    }

    fn here(&mut self, file: &str, bytes: u64) {
        if self.file != file {
            file.clone_into(&mut self.file);
            self.bar.set_message(printable(file));
            if self.bar.is_hidden() {
                screen::progress(file);
            }
        }
        self.bar.set_position(bytes);
    }

    fn wait(&self, wait: Duration) {
        let line = format!("the hub asks for patience: {} s", wait.as_secs());
        self.bar.suspend(|| screen::progress(&line));
    }
}
