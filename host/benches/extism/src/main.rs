//! The same plugins through Lapidary and through the extism crate: the calculator, Gemma 4's template and its parser,
//! compiled from one source, in one process and one run.
//!
//! ```text
//! cargo run --release --manifest-path host/benches/extism/Cargo.toml
//! ```

mod table;
mod theirs;

use std::path::Path;

use lapidary::{
    Conversation, Engines, Format, Grants, Interrupt, Limits, Parser, RenderRequest, TokenPiece,
    ToolCall, ToolPlugin,
};
use serde_json::json;

use crate::table::{Outcome, held, pair};
use crate::theirs::Extism;

const ROUNDS: usize = 2_000;
const HELD: usize = 1_000;

fn main() -> Outcome<()> {
    let cache = std::env::temp_dir().join(format!("lapidary-beside-extism-{}", std::process::id()));
    let measured = measure(&cache);
    // What is left in the temporary folder is no failure of the measurement.
    let _ = std::fs::remove_dir_all(&cache);
    measured
}

fn measure(cache: &Path) -> Outcome<()> {
    let theirs = Extism::build(cache)?;
    let limits = Limits {
        // Whatever else the machine has to do, nothing here takes too long.
        format_call_ms_max: 60_000,
        tool_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, Some(cache.join("ours")))?;
    table::head();
    loading(&engines, &theirs)?;
    calling(&engines, &theirs)?;
    parsing(&engines, &theirs)?;
    holding(&engines, &theirs)
}

fn calculator(engines: &Engines) -> lapidary::Result<ToolPlugin> {
    let bytes = lapidary_guests::TOOL_CALCULATOR;
    ToolPlugin::load("tool-calculator", bytes, &Grants::none(), engines)
}

fn parser(format: &Format) -> lapidary::Result<Parser> {
    format.parser(&[], &[], &Interrupt::new())
}

/// With machine code on disk. Ours reads the definitions, too, theirs makes an instance.
fn loading(engines: &Engines, theirs: &Extism) -> Outcome<()> {
    let ours = || Ok(calculator(engines).map(drop)?);
    pair("load, machine code cached", 100, ours, || {
        theirs.load().map(drop)
    })?;
    let format = Format::builtin(engines)?;
    let ours = || Ok(parser(&format).map(drop)?);
    let theirs = || theirs.instance()?.call("noop", "");
    pair(
        "instance, and a call that does nothing",
        ROUNDS,
        ours,
        theirs,
    )
}

/// Calls in an instance of their own each.
fn calling(engines: &Engines, theirs: &Extism) -> Outcome<()> {
    let tools = calculator(engines)?;
    let long = vec!["1"; 512].join("+");
    for (name, expression, answer) in [
        ("tool call, instance included", "1", "1"),
        (
            "tool call with 1 KB, instance included",
            long.as_str(),
            "512",
        ),
    ] {
        let call = ToolCall {
            id: "1".into(),
            name: "calculator".into(),
            arguments: json!({ "expression": expression }),
        };
        let input = call.arguments.to_string();
        let ours = || {
            let result = tools.call(&call, &Interrupt::new())?;
            assert!(!result.is_error, "{result:?}");
            Ok(())
        };
        let theirs = || theirs.instance()?.answer("calculator", &input, answer);
        pair(name, ROUNDS, ours, theirs)?;
    }
    let format = Format::builtin(engines)?;
    let text = "word ".repeat(205);
    let conversation = Conversation::new().system(&text).user("Hello!");
    let input = conversation.to_json().to_string();
    let ours = || {
        let request = RenderRequest::new(&conversation, &[]);
        Ok(format.render(&request, &Interrupt::new()).map(drop)?)
    };
    let theirs = || theirs.instance()?.call("render", &input);
    pair(
        "render 1 KB to a list, instance included",
        ROUNDS,
        ours,
        theirs,
    )
}

/// Calls into an instance that lives.
fn parsing(engines: &Engines, theirs: &Extism) -> Outcome<()> {
    let format = Format::builtin(engines)?;
    let (mut parser, mut instance) = (parser(&format)?, theirs.instance()?);
    let ours = || Ok(parser.push(&[]).map(drop)?);
    pair("push of nothing, live instance", ROUNDS, ours, || {
        instance.call("push", "")
    })?;
    let ours = || Ok(parser.push(&[TokenPiece::Data(" word".into())]).map(drop)?);
    let theirs = || instance.call("push", " word");
    pair("push of a token, live instance", 10 * ROUNDS, ours, theirs)
}

/// Parsers that wait, each an instance with its memory, at one time.
fn holding(engines: &Engines, theirs: &Extism) -> Outcome<()> {
    let format = Format::builtin(engines)?;
    let ours = held(HELD, || Ok(parser(&format)?))?;
    let theirs = held(HELD, || {
        let mut instance = theirs.instance()?;
        instance.call("push", "")?;
        Ok(instance)
    })?;
    table::bytes("idle instance, resident bytes", ours, theirs);
    Ok(())
}
