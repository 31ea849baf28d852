//! Every check finds what it is for, and leaves alone what only looks like it.

use crate::checks::{homes, order, placement, shape, size, unfinished};
use crate::documents::{
    stale_commands, stale_limits, stale_paths, subcommands, uncompiled, unnamed_commands,
};

fn is_found(violations: Vec<String>, at: &str) {
    assert!(
        violations.len() == 1 && violations[0].contains(at),
        "{at}: {violations:?}"
    );
}

#[test]
fn a_module_that_looks_ahead_is_found() {
    is_found(
        order("host/src/chat/event.rs", "//!\nuse crate::model::Gemma;"),
        "rs:2: chat names model",
    );
    is_found(
        order("host/src/text/x.rs", "fn f() { crate::graph::run() }"),
        "text names graph",
    );
    is_found(
        order(
            "host/src/model/x.rs",
            "use crate::{\n error::Result,\n runtime::Runtime};",
        ),
        "rs:3: model",
    );
    is_found(
        order("host/src/plugin/x.rs", "use crate::tensor::Tensor;"),
        "must not know",
    );
    is_found(
        order("host/src/runtime/x.rs", "use crate::Error;"),
        "name the module",
    );
    is_found(
        order("host/src/chat/mod.rs", "use super::model::Gemma;"),
        "through super",
    );
    is_found(
        order(
            "host/src/plugin/abi/x.rs",
            "use super::super::super::engine;",
        ),
        "through super",
    );
    is_found(
        order("host/src/server.rs", "//! New."),
        "no place in the order",
    );
}

#[test]
fn a_module_that_looks_back_is_left_alone() {
    let sources = [
        "use crate::{chat::{Event, Usage}, error::Result, model};",
        "/// See [`crate::runtime`].\nfn f() { g(\"crate::runtime::x\", 'c') }",
        "#[cfg(all(test, unix))]\nmod tests { use crate::runtime::Runtime; }",
        "macro_rules! m { () => { $crate::runtime::x } }",
        "use super::super::model::Gemma;\npub(crate) fn f<'a>(x: &'a str) {}",
    ];
    for source in sources {
        assert_eq!(
            order("host/src/engine/deep/x.rs", source),
            [""; 0],
            "{source}"
        );
    }
    assert_eq!(
        order("host/src/lib.rs", "pub use crate::runtime::Runtime;"),
        [""; 0]
    );
}

#[test]
fn an_engine_named_elsewhere_is_found() {
    is_found(
        homes("host/src/model/x.rs", "fn f(x: ort::Session) {}"),
        "names ort",
    );
    is_found(
        homes(
            "host/src/runtime/x.rs",
            "use {std::fmt, ::wasmtime::Store};",
        ),
        "names wasmtime",
    );
    is_found(
        homes("host/src/model/x.rs", "use tokenizers as t;"),
        "names tokenizers",
    );
    is_found(
        homes("host/src/text/x.rs", "let i = image::open(path);"),
        "names image",
    );
    is_found(
        homes("host/src/lib.rs", "use anyhow::Result;"),
        "only host/src/bin/",
    );
    is_found(
        homes("guests/tool-clock/src/lib.rs", "wit_bindgen::generate!();"),
        "wit_bindgen",
    );
}

#[test]
fn an_engine_at_home_and_words_like_it_are_left_alone() {
    assert_eq!(homes("host/src/graph/x.rs", "use ort::Session;"), [""; 0]);
    let source = "use crate::media::image::open; // ort::x\nfn image(image: &str) { support::x(\"ort::y\") }";
    assert_eq!(homes("host/src/model/x.rs", source), [""; 0]);
}

#[test]
fn a_long_file_and_a_mute_one_are_found() {
    is_found(shape("a.rs", &"//! x\n".repeat(601)), "601 lines");
    is_found(shape("a.py", &"x = 1\n".repeat(601)), "601 lines");
    is_found(shape("a.rs", "use std::fmt;"), "open with //!");
    assert_eq!(shape("a.rs", &"//! x\n".repeat(600)), [""; 0]);
}

#[test]
fn unfinished_code_is_found() {
    is_found(
        unfinished("host/src/a.rs", "fn f() {\n x\n.unwrap() }"),
        "rs:3: .unwrap()",
    );
    is_found(unfinished("tests/it/a.rs", "fn f() { todo!() }"), "todo!");
    is_found(
        unfinished("a.rs", "fn f() { unimplemented!(\"x\") }"),
        "unimplemented!",
    );
    is_found(
        unfinished("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
        "#[ignore",
    );
    is_found(
        unfinished("a.rs", "#[cfg(not(test))]\nfn f() { x.unwrap() }"),
        ".unwrap()",
    );
    is_found(
        unfinished("a.rs", "#[cfg(test)]\nmod t {}\nfn f() { x.unwrap() }"),
        ":3: .unwrap()",
    );
}

#[test]
fn finished_code_is_left_alone() {
    let source = "/* todo!() */ const A: &str = r#\"x\".unwrap()\"#;\nfn f() { x.unwrap_or(1) }\n\
                  #[cfg(test)]\nmod tests { fn f() { x.unwrap() } }";
    assert_eq!(unfinished("host/src/a.rs", source), [""; 0]);
    assert_eq!(
        unfinished("tests/it/a.rs", "fn f() { x.unwrap() }"),
        [""; 0]
    );
}

#[test]
fn strays_in_the_root_and_huge_files_are_found() {
    is_found(placement("notes.txt").into_iter().collect(), "notes.txt");
    is_found(placement("scripts/run.sh").into_iter().collect(), "scripts");
    is_found(
        size("models/big.bin", (12 << 20) + 1).into_iter().collect(),
        "big.bin",
    );
    assert_eq!(placement("host/src/lib.rs"), None);
    assert_eq!(size("a", 12 << 20), None);
}

#[test]
fn stale_documents_are_found() {
    let exists = |path: &str| path == "host/src/lib.rs";
    is_found(
        stale_paths("R", "see `host/src/gone.rs` and `host/src/lib.rs`", &exists),
        "gone.rs",
    );
    is_found(
        stale_paths("R", "see `gone.rs`, `a/b` and `host/*.rs`", &exists),
        "gone.rs",
    );
    let commands = subcommands("enum Command {\n /// X.\n Chat(Box<chat::Args>),\n Doctor,\n}");
    assert_eq!(commands, ["chat", "doctor"]);
    let text =
        "`lapidary serve`\n```sh\n$ lapidary chat\ncargo run -- doctor\n```\n`lapidary --help`";
    is_found(stale_commands("R", text, &commands), "no command serve");
    let limits = "pub frames_max: usize,";
    is_found(
        stale_limits("R", "`frames_max`, `bits_max`, `a_max b`", limits),
        "bits_max",
    );
    let text = "`lapidary chat`";
    is_found(unnamed_commands("R", text, &commands), "doctor");
    let places = ["//! ```\n//! let a = 1;\n//! # hidden();\n//! let b = 2;\n//! ```".to_owned()];
    is_found(
        uncompiled("```rust\nlet c = 3;\n```", &places),
        "let c = 3;",
    );
    assert_eq!(
        uncompiled(
            "```rust\nlet a = 1;\nlet b = 2;\n```\n```sh\nls\n```",
            &places
        ),
        [""; 0]
    );
}
