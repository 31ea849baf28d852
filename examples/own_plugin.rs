//! Load a tool plugin of your own and call it without a model.
//!
//! ```text
//! cargo run --example own_plugin -- weather.wasm weather '{"city":"Oslo"}'
//! ```

use lapidary::{Engines, Grants, Interrupt, Limits, ToolCall, ToolPlugin};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, component, tool, input) = match arguments.as_slice() {
        [file, tool, input] => (
            file.as_str(),
            std::fs::read(file)?,
            tool.as_str(),
            input.as_str(),
        ),
        _ => (
            "calculator",
            lapidary_guests::TOOL_CALCULATOR.to_vec(),
            "calculator",
            r#"{"expression":"2^10"}"#,
        ),
    };
    // A plugin gets what it is granted and nothing else: this one may only compute.
    let engines = Engines::new(&Limits::default(), None)?;
    let plugin = ToolPlugin::load(name, &component, &Grants::none(), &engines)?;
    for spec in plugin.specs() {
        println!("{}: {} {}", spec.name, spec.description, spec.parameters);
    }
    let call = ToolCall {
        id: "1".into(),
        name: tool.into(),
        arguments: serde_json::from_str(input)?,
    };
    let result = plugin.call(&call, &Interrupt::new())?;
    println!(
        "{:?}{}",
        result.content,
        if result.is_error { " (error)" } else { "" }
    );
    Ok(())
}
