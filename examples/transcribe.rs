//! Write down what a recording says.
//!
//! ```text
//! cargo run --example transcribe -- speech.wav
//! ```

use lapidary::{ChatOptions, Conversation, Media, Runtime, Sampling, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let file = std::env::args()
        .nth(1)
        .unwrap_or_else(|| sample().to_owned());
    let recording = Media::audio(std::fs::read(file)?);
    let runtime = Runtime::builder().build()?;
    let options = ChatOptions {
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(64),
        ..ChatOptions::default()
    };
    let conversation = Conversation::new().transcribe(recording);
    println!("{}", runtime.chat(conversation, options)?.finish()?.text);
    Ok(())
}

fn sample() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/demo/digits.flac"
    )
}
