//! Components that are no plugin, or not one that this host can take: refused before they run.

use super::*;

#[test]
fn a_component_of_another_world_is_told_the_worlds() {
    let words = "chat-format, tool-provider, agent, logits-processor of lapidary:plugin@0.1.0; it \
                 exports wasi:cli/run@0.2.0";
    fails(ErrorKind::Unsupported, words, || load_any("wrong_world"));
}

#[test]
fn half_a_format_is_told_what_is_missing() {
    let words = "which also exports format, parser";
    fails(ErrorKind::Unsupported, words, || load_any("half_a_format"));
}

#[test]
fn a_newer_contract_is_refused_by_version() {
    let words = "expected contract lapidary:plugin@0.1.0, found 0.2.0";
    fails(ErrorKind::Unsupported, words, || load_any("newer_contract"));
}

#[test]
fn a_component_that_lies_about_its_exports_does_not_load() {
    fails(ErrorKind::Plugin, "does not fit the contract", || {
        load_any("empty_promise")
    });
}

#[test]
fn two_worlds_in_one_component_are_refused() {
    fails(ErrorKind::Unsupported, "make it two components", || {
        load_any("two_worlds")
    });
}

#[test]
fn an_import_that_we_do_not_have_is_refused_by_name() {
    let words = "asks for wasi:sockets/tcp@0.2.0, which this host does not have";
    fails(ErrorKind::Invalid, words, || load_any("wants_sockets"));
    let imports = function_imports(&component("component", "wants_sockets")).expect("a component");
    assert_eq!(imports, ["wasi:sockets/tcp@0.2.0"]);
}

#[test]
fn a_format_may_not_even_log() {
    let words = "a chat format only computes and may import nothing";
    fails(ErrorKind::Invalid, words, || load_any("format_that_logs"));
}

#[test]
fn a_function_among_types_is_an_import() {
    let words = "asks for lapidary:plugin/types@0.1.0, but a chat format only computes";
    fails(ErrorKind::Invalid, words, || {
        load_any("function_among_types")
    });
}

#[test]
fn a_core_module_is_told_how_to_become_a_component() {
    let words = "found a core module; link it with wasm-component-ld";
    fails(ErrorKind::Invalid, words, || load_any("core_module"));
}

#[test]
fn what_is_no_wasm_is_told_so() {
    fails(ErrorKind::Invalid, "found nothing", || inspect("x", b""));
    fails(ErrorKind::Invalid, "found something else", || {
        inspect("x", b"\x7fELF, rather")
    });
}

#[test]
fn a_truncated_component_is_told_where_it_ends() {
    let bytes = decent("format", "chat-format");
    for length in [9, bytes.len() / 2, bytes.len() - 1] {
        fails(
            ErrorKind::Invalid,
            "found one that is broken at byte",
            || Format::load("truncated", &bytes[..length], &ENGINES),
        );
    }
}
