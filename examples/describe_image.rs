//! Ask about a picture.
//!
//! ```text
//! cargo run --example describe_image -- photo.png "What is in it?"
//! ```

use lapidary::{ChatOptions, Conversation, Media, Runtime, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| sample().to_owned());
    let question = arguments
        .next()
        .unwrap_or_else(|| "What do you see?".to_owned());
    let picture = Media::image(std::fs::read(file)?).with_budget(70);
    let runtime = Runtime::builder().build()?;
    let options = ChatOptions {
        max_tokens: Some(32),
        ..ChatOptions::default()
    };
    let reply = runtime
        .chat(Conversation::new().user_with([picture], question), options)?
        .finish()?;
    println!("{}", reply.text);
    Ok(())
}

fn sample() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/demo/circle.png"
    )
}
