//! Let the model call tools in the sandbox, and watch it.
//!
//! ```text
//! cargo run --example tool_loop -- "What is 17 times 23?"
//! ```

use lapidary::{ChatOptions, Event, Runtime, onnxruntime};

fn main() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let question = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "What is 17 times 23?".to_owned());
    let runtime = Runtime::builder().builtin_tools().build()?;
    let options = ChatOptions {
        max_tokens: Some(128),
        ..ChatOptions::default()
    };
    for event in runtime.chat(question.as_str(), options)? {
        match event? {
            Event::Thought { text } => println!("thinks: {text}"),
            Event::Text { text } => println!("says:   {text}"),
            Event::ToolCall(call) => println!("calls:  {}({})", call.name, call.arguments),
            Event::ToolResult(result) => println!("gets:   {:?}", result.content),
            Event::Malformed { raw, message, .. } => println!("broke:  {message}: {raw}"),
            Event::ToolCallDelta { .. } | Event::ToolResultDelta { .. } | Event::Logprob(_) => {}
            Event::Finished { reason, usage } => println!("{reason:?}: {usage:?}"),
        }
    }
    Ok(())
}
