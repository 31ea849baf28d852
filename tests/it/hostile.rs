//! Components that misbehave, one named test per way. Each must end in one clear error, in bounded time, and
//! leave the next call unharmed.

#[path = "../hostile/component.rs"]
pub mod component;

mod admission;
mod bounds;
mod grammar;
mod ticks;

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::support::{builder, greedy};
use component::{component, crowded, decent};
use lapidary::{
    ChatOptions, Content, Conversation, Engines, ErrorKind, FinishReason, Format, Grants,
    Interrupt, Limits, OnFailure, ParsedEvent, Parser, Piece, Plugin, PluginLimits, RenderRequest,
    Rendered, ResponseFormat, Result, StopReason, TokenPiece, ToolCall, ToolPlugin, ToolResult,
    function_imports, inspect,
};

/// Long enough for a decent call on a machine with much else to do.
const CALL_MS_MAX: u64 = 200;

/// A guest is stopped a tick or two after its deadline. The rest is for the same machine.
const CONTAINED: Duration = Duration::from_millis(CALL_MS_MAX + 1_800);

static ENGINES: LazyLock<Engines> = LazyLock::new(|| {
    let limits = Limits {
        format_call_ms_max: CALL_MS_MAX,
        tool_call_ms_max: CALL_MS_MAX,
        ..Limits::default()
    };
    Engines::new(&limits, None).expect("engines")
});

static DECENT_FORMAT: LazyLock<Format> = LazyLock::new(|| {
    let bytes = decent("format", "chat-format");
    Format::load("decent", &bytes, &ENGINES).expect("a decent format")
});

static DECENT_TOOLS: LazyLock<ToolPlugin> = LazyLock::new(|| {
    let bytes = decent("tools", "tool-provider");
    ToolPlugin::load("decent", &bytes, &Grants::none(), &ENGINES).expect("decent tools")
});

fn load_format(name: &str) -> Result<Format> {
    Format::load(name, &component("format", name), &ENGINES)
}

fn format(name: &str) -> Format {
    load_format(name).expect("it misbehaves later")
}

fn load_tools(name: &str) -> Result<ToolPlugin> {
    ToolPlugin::load(name, &component("tools", name), &Grants::none(), &ENGINES)
}

fn load_any(name: &str) -> Result<Plugin> {
    Plugin::load(
        name,
        &component("component", name),
        &Grants::none(),
        &ENGINES,
    )
}

fn render(format: &Format) -> Result<Rendered> {
    let conversation = Conversation::from("hello");
    format.render(&RenderRequest::new(&conversation, &[]), &Interrupt::new())
}

fn parser(format: &Format) -> Parser {
    format
        .parser(&[], &[], &Interrupt::new())
        .expect("it misbehaves later")
}

fn push(parser: &mut Parser) -> Result<Vec<ParsedEvent>> {
    parser.push(&[TokenPiece::Data("hello".into())])
}

fn call(tools: &ToolPlugin) -> Result<ToolResult> {
    let arguments = serde_json::json!({});
    let call = ToolCall {
        id: "1".into(),
        name: "<end>".into(),
        arguments,
    };
    tools.call(&call, &Interrupt::new())
}

/// `misbehave` fails as told and in time, and decent plugins in the same engines still work.
fn fails<T: Debug>(kind: ErrorKind, words: &str, misbehave: impl FnOnce() -> Result<T>) {
    decent_plugins_work();
    let start = Instant::now();
    let error = misbehave().expect_err("it misbehaves");
    let took = start.elapsed();
    assert_eq!(error.kind(), kind, "{error:#}");
    assert!(error.to_string().contains(words), "{error:#}");
    assert!(took < CONTAINED, "{error} took {took:?}");
    decent_plugins_work();
}

fn decent_plugins_work() {
    let rendered = render(&DECENT_FORMAT).expect("a prompt");
    assert_eq!(rendered.pieces, [Piece::Data("<end>".into())]);
    assert_eq!(push(&mut parser(&DECENT_FORMAT)).expect("no events"), []);
    assert!(!call(&DECENT_TOOLS).expect("a result").is_error);
}

/// As [`fails`], of a format that renders badly.
fn render_fails(name: &str, words: &str) {
    let format = format(name);
    fails(ErrorKind::Plugin, words, || render(&format));
}

#[test]
fn every_hostile_file_has_a_test() {
    let tests = [
        include_str!("hostile.rs"),
        include_str!("hostile/admission.rs"),
        include_str!("hostile/bounds.rs"),
        include_str!("hostile/grammar.rs"),
        include_str!("capabilities.rs"),
        include_str!("failure.rs"),
        include_str!("reload.rs"),
        include_str!("wasi.rs"),
        include_str!("worlds.rs"),
    ]
    .concat();
    for file in component::files() {
        let name = file.split('/').next_back().expect("a path has an end");
        assert!(
            tests.contains(&format!("\"{name}\"")),
            "tests/hostile/{file}.wat has no test"
        );
    }
}

#[test]
fn a_format_that_never_describes_itself_is_stopped() {
    let name = "loop_in_describe";
    fails(
        ErrorKind::Plugin,
        "expected an answer within 200 ms, found none",
        || load_format(name),
    );
}

#[test]
fn a_loop_at_the_start_is_stopped() {
    fails(ErrorKind::Plugin, "within 200 ms", || {
        load_format("loop_in_start")
    });
}

#[test]
fn a_trap_at_the_start_is_a_panic_of_the_plugin() {
    fails(ErrorKind::Plugin, "panicked", || {
        load_format("trap_in_start")
    });
}

#[test]
fn a_loop_in_render_is_stopped() {
    render_fails(
        "loop_in_render",
        "it loops, or format_call_ms_max must be raised",
    );
}

#[test]
fn a_loop_while_taking_the_request_is_stopped() {
    render_fails("loop_in_realloc", "within 200 ms");
}

#[test]
fn a_loop_while_cleaning_up_is_stopped() {
    render_fails("loop_in_post_return", "within 200 ms");
}

#[test]
fn a_loop_in_push_is_stopped_and_ends_the_parser() {
    let mut parser = parser(&format("loop_in_push"));
    fails(ErrorKind::Plugin, "within 200 ms", || push(&mut parser));
    fails(ErrorKind::Plugin, "found one that ended", || {
        push(&mut parser)
    });
}

#[test]
fn a_loop_in_finish_is_stopped() {
    let mut parser = parser(&format("loop_in_finish"));
    fails(ErrorKind::Plugin, "within 200 ms", || {
        parser.finish(StopReason::EndOfTurn)
    });
}

#[test]
fn a_trap_in_push_ends_the_parser_and_not_the_format() {
    let format = format("trap_in_push");
    let mut first = parser(&format);
    fails(ErrorKind::Plugin, "panicked", || push(&mut first));
    fails(ErrorKind::Plugin, "found one that ended", || {
        push(&mut first)
    });
    assert!(parser(&format).finish(StopReason::EndOfTurn).is_ok());
}

#[test]
fn a_trap_in_render_is_a_panic_of_the_plugin() {
    render_fails("trap_in_render", "panicked");
}

#[test]
fn a_memory_bomb_ends_at_its_limit() {
    render_fails(
        "memory_bomb",
        "expected at most 67108864 bytes of memory, found 67174400",
    );
}

#[test]
fn a_guest_too_large_to_begin_with_is_refused_by_limit() {
    fails(ErrorKind::Plugin, "plugin_memory_bytes_max", || {
        load_format("memory_from_the_start")
    });
}

#[test]
fn a_table_bomb_ends_at_its_limit() {
    render_fails("table_bomb", "expected at most 100000 elements in a table");
}

#[test]
fn four_gigabytes_by_aliasing_are_not_copied() {
    let words = "expected at most 4194304 bytes to be handed over, found more";
    render_fails("aliased_list", words);
}

#[test]
fn four_gigabytes_of_definitions_are_not_copied() {
    fails(ErrorKind::Plugin, "plugin_copy_bytes_max", || {
        load_tools("aliased_definitions")
    });
}

#[test]
fn a_stack_overflow_is_told_as_one() {
    render_fails(
        "stack_overflow",
        "expected at most 512 KiB of stack (plugin_stack_bytes_max), found more",
    );
}

#[test]
fn bytes_that_are_no_text_do_not_become_text() {
    render_fails("invalid_utf8", "broke the contract: ");
}

#[test]
fn a_string_beyond_the_memory_is_not_read() {
    render_fails("string_beyond_memory", "broke the contract: ");
}

#[test]
fn an_answer_beyond_the_memory_is_not_read() {
    render_fails("result_beyond_memory", "broke the contract: ");
}

#[test]
fn a_piece_of_an_unknown_kind_is_refused() {
    render_fails("unknown_case", "broke the contract: ");
}

#[test]
fn a_format_cannot_place_media_that_nobody_sent() {
    render_fails(
        "foreign_media",
        "expected one of 0 media items, found media 7",
    );
}

#[test]
fn an_open_turn_lies_within_the_prompt() {
    render_fails("open_turn_outside", "found 9");
}

#[test]
fn a_stop_token_is_a_control_token() {
    fails(ErrorKind::Plugin, "found <end>", || {
        load_format("stray_stop_token")
    });
}

#[test]
fn arguments_of_a_call_are_an_object() {
    let mut parser = parser(&format("call_without_object"));
    fails(
        ErrorKind::Plugin,
        "expected a JSON object, found a number",
        || push(&mut parser),
    );
}

#[test]
fn a_session_cannot_be_forged() {
    let format = format("forged_session");
    fails(ErrorKind::Plugin, "broke the contract: ", || {
        format.parser(&[], &[], &Interrupt::new()).map(|_| ())
    });
}

#[test]
fn a_tool_that_never_answers_is_stopped() {
    let tools = load_tools("loop_in_call").expect("it misbehaves later");
    fails(ErrorKind::Plugin, "tool_call_ms_max must be raised", || {
        call(&tools)
    });
}

#[test]
fn an_endless_log_is_cut_and_the_tool_stopped() {
    let tools = load_tools("log_flood").expect("it misbehaves later");
    fails(ErrorKind::Plugin, " raise", || {
        call(&tools).inspect_err(|error| {
            let causes = format!("{error:#}");
            assert!(causes.contains("its log ends: <end> | <end> | <end>"));
        })
    });
}

#[test]
fn a_log_line_beyond_the_memory_is_not_read() {
    let tools = load_tools("log_beyond_memory").expect("it misbehaves later");
    fails(ErrorKind::Plugin, "broke the contract: ", || call(&tools));
}

#[test]
fn the_clock_is_only_for_those_it_was_granted_to() {
    let name = "clock_without_grant";
    fails(
        ErrorKind::Invalid,
        "which is not granted; pass --grant clock",
        || load_tools(name),
    );
    let granted = Grants::none().with("clock".parse().expect("a grant"));
    let tools = ToolPlugin::load(name, &component("tools", name), &granted, &ENGINES);
    assert!(call(&tools.expect("it may have it")).is_ok());
}

#[test]
fn a_schema_is_an_object() {
    let words = "expected a JSON object, found an array";
    fails(ErrorKind::Plugin, words, || {
        load_tools("schema_is_no_object")
    });
}

#[test]
fn a_tool_has_a_name_of_its_own() {
    fails(ErrorKind::Plugin, "found <end> twice", || {
        load_tools("same_name_twice")
    });
}

#[test]
fn a_tool_cannot_answer_with_media() {
    let tools = load_tools("media_out_of_nothing").expect("it misbehaves later");
    fails(ErrorKind::Plugin, "expected text, found media 3", || {
        call(&tools)
    });
}

#[test]
fn tools_that_never_say_what_they_are_are_stopped() {
    fails(ErrorKind::Plugin, "within 200 ms", || {
        load_tools("loop_in_definitions")
    });
}

#[test]
fn a_session_that_never_opens_is_stopped() {
    let format = format("loop_in_open");
    fails(ErrorKind::Plugin, "within 200 ms", || {
        format.parser(&[], &[], &Interrupt::new()).map(|_| ())
    });
}

#[test]
fn a_loop_in_a_drop_is_stopped_and_the_host_never_waits_for_one() {
    let format = format("loop_in_drop");
    let mut broken = parser(&format);
    fails(ErrorKind::Plugin, "within 200 ms", || push(&mut broken));
    let start = Instant::now();
    drop(parser(&format));
    assert!(start.elapsed() < CONTAINED);
}

#[test]
fn a_log_that_is_no_text_is_not_read() {
    let tools = load_tools("log_that_is_no_text").expect("it misbehaves later");
    fails(ErrorKind::Plugin, "broke the contract: ", || call(&tools));
}

#[test]
fn a_component_that_lies_about_its_version_does_not_load() {
    fails(ErrorKind::Plugin, "does not fit the contract", || {
        load_any("lying_version")
    });
}

#[test]
fn an_instance_bomb_ends_at_its_limit() {
    let bytes = crowded(&decent("tools", "tool-provider"), 140);
    fails(ErrorKind::Plugin, "raise plugin_parts_max", || {
        ToolPlugin::load("crowd", &bytes, &Grants::none(), &ENGINES)
    });
}

#[test]
fn a_panic_is_told_with_its_place() {
    let tools = load_tools("trap_in_call").expect("it misbehaves later");
    fails(ErrorKind::Plugin, "trap_in_call.wat:", || call(&tools));
}

#[test]
fn an_interrupt_stops_a_running_call_and_later_ones() {
    let limits = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, None).expect("engines");
    let bytes = component("format", "loop_in_push");
    let format = Format::load("slow", &bytes, &engines).expect("it misbehaves later");
    let interrupt = Interrupt::new();
    let mut parser = format.parser(&[], &[], &interrupt).expect("a parser");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            interrupt.raise();
        });
        fails(ErrorKind::Cancelled, "cancelled", || push(&mut parser));
    });
    fails(ErrorKind::Cancelled, "cancelled", || {
        let conversation = Conversation::from("hello");
        format.render(&RenderRequest::new(&conversation, &[]), &interrupt)
    });
}
