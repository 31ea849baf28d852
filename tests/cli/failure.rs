//! What the operator says of plugins that fail, in `lapidary.toml` and in flags.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hostile::component;
use crate::{lapidary, lines, refused, text};

/// A folder with a `lapidary.toml` and these plugins.
fn folder(settings: &str, plugins: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lapidary.toml"), settings).unwrap();
    for (name, bytes) in plugins {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn endless(settings: &str) -> std::process::Output {
    let settings =
        format!("[plugins.\"endless.wasm\"]\nlimits = {{ call_ms_max = 50 }}\n{settings}");
    let bytes = component("logits", "loop_in_step");
    let folder = folder(&settings, &[("endless.wasm", bytes)]);
    let ask = [
        "chat",
        "--json",
        "--max-tokens",
        "2",
        "--plugin",
        "endless.wasm",
        "Hi",
    ];
    let mut command = lapidary(&ask);
    command.current_dir(folder.path()).output().unwrap()
}

#[test]
fn a_failing_logits_processor_is_left_out_where_the_operator_says_so() {
    let events: Vec<Value> = lines(&endless("on_failure = \"bypass\""));
    let usage = &events.last().unwrap()["usage"];
    assert_eq!(usage["bypassed"], json!(["endless.wasm"]), "{usage}");
    refused(&endless(""), 4, "within 50 ms");
    refused(
        &endless("fallback = \"x\""),
        2,
        "no fallback for a logits processor",
    );
}

#[test]
fn an_agent_is_answered_for_with_the_operators_words() {
    let settings =
        "[plugins.\"endless.wasm\"]\nlimits = { call_ms_max = 50 }\nfallback = \"not now\"";
    let bytes = component("agent", "loop_in_run");
    let folder = folder(settings, &[("endless.wasm", bytes)]);
    let mut command = lapidary(&["agent", "endless.wasm", "Hi"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_eq!(text(&output.stdout), "not now\n", "{output:?}");
}

#[test]
fn a_grant_may_name_the_agent_or_a_tool_beside_it() {
    let settings =
        "[plugins.\"endless.wasm\"]\nlimits = { call_ms_max = 50 }\nfallback = \"not now\"";
    let agent = component("agent", "loop_in_run");
    let clock = lapidary_guests::TOOL_CLOCK.to_vec();
    let folder = folder(settings, &[("endless.wasm", agent), ("time.wasm", clock)]);
    let told = |grants: &str| {
        let ask = ["agent", "endless.wasm", "--plugin", "time.wasm"];
        let mut command = lapidary(&ask);
        command.args(["--grant", grants, "Hi"]);
        command.current_dir(folder.path()).output().unwrap()
    };
    let both = told("endless.wasm@inference, time.wasm@clock");
    assert_eq!(text(&both.stdout), "not now\n", "{both:?}");
    refused(
        &told("endless.wasm@clock"),
        2,
        "plugin \"time.wasm\": asks for lapidary:plugin/clock@0.1.0, which is not granted",
    );
    refused(&told("other.wasm@clock"), 2, "grant \"other.wasm@clock\"");
}

#[test]
fn the_fallback_of_a_chat_format_is_the_native_one() {
    let settings = "[plugins.\"own.wasm\"]\nfallback = \"another\"";
    let format = lapidary_guests::GEMMA4_FORMAT.to_vec();
    let folder = folder(settings, &[("own.wasm", format)]);
    let chat = |flags: &[&str]| {
        let ask = [&["chat", "--max-tokens", "1", "Hi"], flags].concat();
        lapidary(&ask).current_dir(folder.path()).output().unwrap()
    };
    refused(
        &chat(&["--format", "own.wasm"]),
        2,
        "expected fallback = \"native\"",
    );
    fs::write(
        folder.path().join("lapidary.toml"),
        settings.replace("another", "native"),
    )
    .unwrap();
    assert!(chat(&["--format", "own.wasm"]).status.success());
    assert!(chat(&["--format-fallback", "native"]).status.success());
    refused(&chat(&["--format-fallback", "other"]), 2, "native");
}
