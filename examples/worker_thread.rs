//! Serve many callers: a runtime is cheap to clone, and a chat can be read, or stopped, from any thread.
//!
//! ```text
//! cargo run --example worker_thread
//! ```

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lapidary::{ChatOptions, Event, Runtime, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let runtime = Runtime::builder().build()?;
    let (answers, inbox) = mpsc::channel();
    for question in ["Who are you?", "What can you do?", "Goodbye!"] {
        let (runtime, answers) = (runtime.clone(), answers.clone());
        thread::spawn(move || answers.send((question, ask(&runtime, question))));
    }
    drop(answers);
    for (question, answer) in inbox {
        println!("{question} -> {}", answer?);
    }
    Ok(())
}

/// The answer, or what there is of it after two seconds.
fn ask(runtime: &Runtime, question: &str) -> lapidary::Result<String> {
    let options = ChatOptions {
        max_tokens: Some(32),
        ..ChatOptions::default()
    };
    let mut chat = runtime.chat(question, options)?;
    let cancel = chat.cancel_handle();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        cancel.cancel();
    });
    chat.try_fold(String::new(), |text, event| match event? {
        Event::Text { text: more } => Ok(text + &more),
        _ => Ok(text),
    })
}
