//! Write down what a recording says.
//!
//! ```text
//! cargo run --example transcribe -- speech.wav
//! ```

use lapidary::{
    ChatOptions, Conversation, Media, Message, Part, Role, Runtime, Sampling, onnxruntime,
};

/// In the words that Gemma 4 was trained with, the text before the recording.
const PROMPT: &str = "Transcribe the following speech segment in its original language. \
    Follow these specific instructions for formatting the answer:\n\
    * Only output the transcription, with no newlines.\n\
    * When transcribing numbers, write the digits, i.e. write 1.7 and not one point seven, \
    and write 3 instead of three.";

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let file = std::env::args()
        .nth(1)
        .unwrap_or_else(|| sample().to_owned());
    let recording = Media::audio(std::fs::read(file)?);
    let parts = vec![Part::Text(PROMPT.to_owned()), Part::Media(recording)];
    let runtime = Runtime::builder().build()?;
    let options = ChatOptions {
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(64),
        ..ChatOptions::default()
    };
    let conversation = Conversation::new().with(Message::of_parts(Role::User, parts));
    println!("{}", runtime.chat(conversation, options)?.finish()?.text);
    Ok(())
}

fn sample() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/reference/test.wav"
    )
}
