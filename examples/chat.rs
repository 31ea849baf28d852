//! Ask, and print the answer as it comes.
//!
//! ```text
//! cargo run --example chat -- "Who are you?"
//! ```

use std::io::Write;

use lapidary::{ChatOptions, Event, Runtime, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let question = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "Who are you?".to_owned());
    let runtime = Runtime::builder().build()?;
    let options = ChatOptions {
        max_tokens: Some(64),
        ..ChatOptions::default()
    };
    for event in runtime.chat(question.as_str(), options)? {
        match event? {
            Event::Text { text } => print!("{text}"),
            Event::Finished { reason, usage } => {
                println!("\n{reason:?} after {} tokens", usage.output_tokens)
            }
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
