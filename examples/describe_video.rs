//! Ask about a video. The model sees a frame a second, each with its time.
//!
//! ```text
//! cargo run --example describe_video -- clip.gif "What happens?"
//! ```

use lapidary::{ChatOptions, Conversation, Media, Runtime, Sampling, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| sample().to_owned());
    let question = arguments
        .next()
        .unwrap_or_else(|| "Describe the video.".to_owned());
    // GIF, APNG and animated WebP are read as they are; movies need an installed ffmpeg.
    let video = Media::video(std::fs::read(file)?);
    let runtime = Runtime::builder().build()?;
    let options = ChatOptions {
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(64),
        ..ChatOptions::default()
    };
    let reply = runtime
        .chat(Conversation::new().user_with([video], question), options)?
        .finish()?;
    println!("{}", reply.text);
    Ok(())
}

fn sample() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/demo/square.gif"
    )
}
