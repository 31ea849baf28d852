//! A folder of pictures, recordings and videos in, a JSON report out, with a progress bar on a terminal.
//!
//! ```text
//! cargo run --example pipeline -- holiday/ > report.json
//! ```

use std::path::{Path, PathBuf};

use indicatif::ProgressIterator;
use lapidary::{ChatOptions, Conversation, Media, Runtime, Sampling, onnxruntime};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| sample().to_owned());
    let runtime = Runtime::builder().build()?;
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<std::io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| request(file).is_some());
    files.sort();
    let report: Vec<Value> = files
        .iter()
        .progress()
        .map(|file| match answer(&runtime, file) {
            Ok(text) => json!({"file": file, "answer": text}),
            // One broken file must not end the run.
            Err(error) => json!({"file": file, "error": error.to_string()}),
        })
        .collect();
    println!("{:#}", json!(report));
    Ok(())
}

type Reader = fn(Vec<u8>) -> Media;

/// How to read a file, and what to ask about it.
fn request(file: &Path) -> Option<(Reader, &'static str)> {
    let extension = file.extension()?.to_str()?.to_lowercase();
    match extension.as_str() {
        "png" | "jpg" | "jpeg" | "webp" => Some((Media::image, "Describe the picture.")),
        "wav" | "flac" | "mp3" | "ogg" | "m4a" => Some((Media::audio, "Transcribe this.")),
        "gif" | "mp4" | "webm" | "mov" => Some((Media::video, "Describe the video.")),
        _ => None,
    }
}

fn answer(runtime: &Runtime, file: &Path) -> anyhow::Result<String> {
    let (media, question) = request(file).ok_or_else(|| anyhow::anyhow!("no known ending"))?;
    let conversation = Conversation::new().user_with([media(std::fs::read(file)?)], question);
    let options = ChatOptions {
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(64),
        ..ChatOptions::default()
    };
    Ok(runtime.chat(conversation, options)?.finish()?.text)
}

fn sample() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny/demo")
}
