//! `lapidary plugin check` on components that no host takes: each is told why.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::hostile::component;
use crate::{refused, run, text};

/// A file of the tests' own with these bytes.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn report(name: &str, bytes: &[u8], flags: &[&str]) -> (Option<i32>, Value) {
    let path = file(name, bytes);
    let arguments = [
        &["plugin", "check", "--json", path.to_str().unwrap()],
        flags,
    ]
    .concat();
    let output = run(&arguments);
    let report = serde_json::from_str(&text(&output.stdout)).unwrap();
    (output.status.code(), report)
}

fn hostile(name: &str) -> Vec<u8> {
    component("component", name)
}

#[test]
fn every_broken_component_is_told_why() {
    let calculator = lapidary_guests::TOOL_CALCULATOR;
    let cases: [(&str, Vec<u8>, &str); 13] = [
        (
            "nothing.wasm",
            Vec::new(),
            "expected a WebAssembly component, found nothing",
        ),
        (
            "text.wasm",
            b"Hello!".to_vec(),
            "expected a WebAssembly component, found something else",
        ),
        (
            "cut.wasm",
            calculator[..calculator.len() / 2].to_vec(),
            "expected a whole WebAssembly component, found one that is broken at byte",
        ),
        (
            "core.wasm",
            hostile("core_module"),
            "expected a WebAssembly component, found a core module; link it with wasm-component-ld",
        ),
        (
            "command.wasm",
            hostile("wrong_world"),
            "of lapidary:plugin@0.1.0; it exports wasi:cli/run@0.2.0",
        ),
        (
            "newer.wasm",
            hostile("newer_contract"),
            "expected contract lapidary:plugin@0.1.0, found 0.2.0",
        ),
        (
            "half.wasm",
            hostile("half_a_format"),
            "expected a chat-format, which also exports format, parser",
        ),
        (
            "two.wasm",
            hostile("two_worlds"),
            "is a chat-format and a tool-provider; make it two components",
        ),
        (
            "sockets.wasm",
            hostile("wants_sockets"),
            "asks for wasi:sockets/tcp@0.2.0, which this host does not have; use \
             wasi:http/outgoing-handler in its place",
        ),
        (
            "requests.wasm",
            component("wasi", "get"),
            "asks for wasi:io/error@0.2.0, which is not granted; pass --grant http:HOST",
        ),
        (
            "clock.wasm",
            lapidary_guests::TOOL_CLOCK.to_vec(),
            "asks for lapidary:plugin/clock@0.1.0, which is not granted; pass --grant clock",
        ),
        (
            "logs.wasm",
            hostile("format_that_logs"),
            "asks for lapidary:plugin/log@0.1.0, but a chat format only computes",
        ),
        (
            "hidden.wasm",
            hostile("function_among_types"),
            "asks for lapidary:plugin/types@0.1.0, but a chat format only computes",
        ),
    ];
    for (name, bytes, reason) in cases {
        let (code, report) = report(name, &bytes, &[]);
        let message = report["reason"]["message"].as_str().unwrap();
        assert_eq!((code, &report["verdict"]), (Some(2), &"refused".into()));
        assert!(
            message.starts_with(&format!("plugin \"{name}\": ")),
            "{message}"
        );
        assert!(message.contains(reason), "{message}");
        assert_eq!(report["size_bytes"], bytes.len());
    }
}

#[test]
fn a_grant_that_was_missing_is_named_and_then_enough() {
    let bytes = lapidary_guests::TOOL_CLOCK;
    let (_, without) = report("asks.wasm", bytes, &[]);
    assert_eq!(without["grants"], serde_json::json!(["clock"]));
    let (code, with) = report("asks.wasm", bytes, &["--grant", "clock"]);
    assert_eq!((code, &with["verdict"]), (Some(0), &"fits".into()));
    assert_eq!(with["world"], "tool-provider");
    assert_eq!(with["reason"], Value::Null);
}

#[test]
fn a_grant_that_loading_refuses_does_not_fit() {
    let store = file("no-store.json", b"{");
    let store = format!("key-value:{}", store.display());
    for (grant, cause) in [
        ("http:a/b", "\"a/b\""),
        ("files:/nowhere/at-all", "/nowhere/at-all"),
        (&store, "expected a plugin's store"),
    ] {
        let flags = ["--grant", "clock", "--grant", grant];
        let (_, report) = report("granted.wasm", lapidary_guests::TOOL_CLOCK, &flags);
        let message = report["reason"]["message"].to_string();
        assert_eq!(report["verdict"], "refused", "{grant}");
        assert!(message.replace("\\\"", "\"").contains(cause), "{message}");
    }
}

#[test]
fn people_read_lines() {
    let path = file("lines.wasm", lapidary_guests::TOOL_CALCULATOR);
    let output = run(&["plugin", "check", path.to_str().unwrap()]);
    let lines = text(&output.stdout);
    assert!(lines.contains("\nverdict: fits\n"), "{lines}");
    assert!(lines.contains("\nimports: none\n"), "{lines}");
    let missing = run(&["plugin", "check", "missing.wasm"]);
    refused(&missing, 1, "missing.wasm: cannot be read");
}
