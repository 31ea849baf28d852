//! Components that misbehave, one named test per way. Each must end in one clear error, in bounded time, and
//! leave the next call unharmed.

#[path = "../hostile/component.rs"]
pub mod component;

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
const CONTAINED: Duration = Duration::from_millis(CALL_MS_MAX + 4_800);

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
        include_str!("capabilities.rs"),
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
    fails(
        ErrorKind::Plugin,
        "its log ends: <end> | <end> | <end>",
        || call(&tools),
    );
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

/// The tools in `name`, within limits of their own.
fn load_within(name: &str, limits: PluginLimits, engines: &Engines) -> ToolPlugin {
    let grants = Grants::none().with_limits(limits);
    let tools = ToolPlugin::load(name, &component("tools", name), &grants, engines);
    tools.expect("it misbehaves later")
}

#[test]
fn a_plugin_may_have_less_than_the_others() {
    let limits = PluginLimits {
        memory_bytes_max: Some(1 << 20),
        call_ms_max: Some(50),
        ..PluginLimits::default()
    };
    let bomb = load_within("memory_bomb", limits, &ENGINES);
    fails(ErrorKind::Plugin, "at most 1048576 bytes", || call(&bomb));
    let endless = load_within("loop_in_call", limits, &ENGINES);
    fails(ErrorKind::Plugin, "within 50 ms", || call(&endless));
    assert!(bomb.metrics().memory_bytes_max <= 1 << 20);
    assert_eq!(bomb.metrics().stopped, 1);
}

#[test]
fn calls_of_the_host_are_counted_and_bounded() {
    let limits = PluginLimits {
        host_calls_max: Some(1_000),
        ..PluginLimits::default()
    };
    let tools = load_within("log_flood", limits, &ENGINES);
    let words = "expected at most 1000 calls of the host";
    fails(ErrorKind::Plugin, words, || call(&tools));
    assert_eq!(tools.metrics().host_calls, 1_001);
}

#[test]
fn fuel_ends_a_call_at_the_same_place_each_time() {
    let limits = Limits {
        plugin_fuel_max: Some(1_000_000),
        ..Limits::default()
    };
    let engines = Engines::new(&limits, None).expect("engines");
    let endless = load_within("loop_in_call", PluginLimits::default(), &engines);
    let words = "expected at most 1000000 units of fuel, found more; raise plugin_fuel_max";
    fails(ErrorKind::Plugin, words, || call(&endless));
    let once = endless.metrics().fuel;
    fails(ErrorKind::Plugin, words, || call(&endless));
    let definitions = load_within("loop_in_call", PluginLimits::default(), &engines);
    let loading = definitions.metrics().fuel;
    assert_eq!(endless.metrics().fuel - once, once - loading);
    let less = PluginLimits {
        fuel_max: Some(500),
        ..PluginLimits::default()
    };
    let endless = load_within("loop_in_call", less, &engines);
    fails(ErrorKind::Plugin, "at most 500 units", || call(&endless));
}

#[test]
fn a_plugin_that_keeps_failing_rests() {
    let tools = load_tools("trap_in_call").expect("it misbehaves later");
    for _ in 0..3 {
        fails(ErrorKind::Plugin, "panicked", || call(&tools));
    }
    let words = "rests after 3 failures in a row; try again in";
    fails(ErrorKind::Plugin, words, || call(&tools));
    let metrics = tools.metrics();
    assert_eq!((metrics.failures, metrics.turned_away), (3, 1));
    std::thread::sleep(Duration::from_millis(1_100));
    fails(ErrorKind::Plugin, "panicked", || call(&tools));
}

#[test]
fn a_failing_tool_can_be_passed_over() {
    let grants = Grants::none().with_on_failure(OnFailure::Bypass);
    let name = "trap_in_call";
    let bytes = component("tools", name);
    let tools = ToolPlugin::load(name, &bytes, &grants, &ENGINES).expect("it misbehaves later");
    for _ in 0..5 {
        let result = call(&tools).expect("the model is told");
        assert!(result.is_error);
        let text = Content::Text("the tool <end> is not available now".into());
        assert_eq!(result.content, text);
    }
}

#[test]
fn only_so_many_calls_run_at_once() {
    let limits = PluginLimits {
        calls_max: Some(1),
        ..PluginLimits::default()
    };
    let tools = load_within("loop_in_call", limits, &ENGINES);
    let words = "expected at most 1 calls at once";
    std::thread::scope(|scope| {
        let first = scope.spawn(|| call(&tools));
        std::thread::sleep(Duration::from_millis(CALL_MS_MAX / 4));
        let error = call(&tools).expect_err("one runs");
        assert_eq!(
            error.kind(),
            ErrorKind::Limit("plugin_calls_max"),
            "{error}"
        );
        assert!(error.to_string().contains(words), "{error}");
        assert!(first.join().expect("no panic").is_err());
    });
}

/// Loads, calls and drops plugins again and again: a few hundred times, or `LAPIDARY_CYCLES`. In a process of
/// its own, where no other test takes memory.
#[test]
#[cfg(target_os = "linux")]
fn loading_and_unloading_keeps_the_memory_flat() {
    const ALONE: &str = "LAPIDARY_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return load_and_unload();
    }
    let name = "hostile::loading_and_unloading_keeps_the_memory_flat";
    let program = std::env::current_exe().expect("a program");
    let mut alone = std::process::Command::new(program);
    let output = alone
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .output();
    let output = output.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("cycles:"),
        "{told}"
    );
    eprintln!("{told}");
}

#[cfg(target_os = "linux")]
fn load_and_unload() {
    let cycles = std::env::var("LAPIDARY_CYCLES").map_or(300, |n| n.parse().expect("a number"));
    let cache = tempfile::tempdir().expect("a folder");
    let engines = Engines::new(&Limits::default(), Some(cache.path().to_owned())).expect("engines");
    let (tools, format) = (
        decent("tools", "tool-provider"),
        decent("format", "chat-format"),
    );
    let cycle = || {
        let tools = ToolPlugin::load("decent", &tools, &Grants::none(), &engines).expect("tools");
        assert!(!call(&tools).expect("a result").is_error);
        let format = Format::load("decent", &format, &engines).expect("a format");
        assert_eq!(push(&mut parser(&format)).expect("no events"), []);
    };
    (0..100).for_each(|_| cycle());
    let before = resident_bytes();
    (0..cycles).for_each(|_| cycle());
    let after = resident_bytes();
    eprintln!("{cycles} cycles: {before} bytes resident before, {after} after");
    assert!(
        after < before + (8 << 20),
        "{before} bytes before, {after} after"
    );
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
        << 10
}

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

#[test]
fn a_component_too_large_is_a_limit() {
    let limits = Limits {
        component_bytes_max: 100,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, None).expect("engines");
    let bytes = decent("format", "chat-format");
    fails(
        ErrorKind::Limit("component_bytes_max"),
        "expected at most 100",
        || Format::load("large", &bytes, &engines),
    );
}

#[test]
fn more_instances_than_there_are_places_is_a_limit() {
    let engines = Engines::new(&Limits::default(), None).expect("engines");
    let format =
        Format::load("decent", &decent("format", "chat-format"), &engines).expect("decent");
    let parsers: Vec<Parser> = (0..1_000).map(|_| parser(&format)).collect();
    fails(
        ErrorKind::Limit("plugin_instances_max"),
        "expected at most 1000",
        || render(&format),
    );
    drop(parsers);
    assert!(render(&format).is_ok());
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

/// What a chat with this format ends with.
fn chat_with(name: &str) -> Result<lapidary::Reply> {
    let runtime = builder()
        .format(name, component("constraint", name))
        .build()
        .expect("it misbehaves later");
    let options = ChatOptions {
        response_format: ResponseFormat::Regex("a".into()),
        ..greedy(16)
    };
    runtime.chat("hello", options)?.finish()
}

#[test]
fn a_grammar_that_is_too_large_is_refused() {
    let error = chat_with("huge_grammar").expect_err("3 MiB of grammar");
    assert_eq!(error.kind(), ErrorKind::Limit("constraint_bytes_max"));
}

#[test]
fn a_grammar_that_is_none_is_refused() {
    let error = chat_with("no_grammar").expect_err("no grammar");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn a_grammar_that_explodes_ends_in_an_error_or_an_answer_in_bounded_time() {
    let start = Instant::now();
    if let Err(error) = chat_with("exploding_grammar") {
        let kinds = [
            ErrorKind::Unsupported,
            ErrorKind::Limit("constraint_mask_ms_max"),
            ErrorKind::Limit("constraint_compile_ms_max"),
        ];
        assert!(kinds.contains(&error.kind()), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_grammar_that_never_ends_is_cut_at_the_token_limit() {
    let reply = chat_with("endless_grammar").expect("text");
    assert_eq!(reply.reason, FinishReason::Length);
    assert_eq!(reply.usage.output_tokens, 16);
}

#[test]
fn rules_inside_rules_do_not_overflow_the_hosts_stack() {
    let reply = chat_with("deep_grammar");
    match reply {
        Ok(reply) => assert_eq!(reply.usage.output_tokens, 2),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Limit("constraint_compile_ms_max")),
    }
}

#[test]
fn a_format_that_never_says_what_may_come_is_stopped() {
    let error = chat_with("constrains_forever").expect_err("it loops");
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    assert!(error.to_string().contains("found none"), "{error}");
}

#[test]
fn a_format_without_a_constraint_still_chats_and_refuses_only_what_needs_one() {
    let parts = component::read("constraint", "no_grammar");
    let plain = parts.split("(func $constrain").next().expect("a beginning");
    let bytes = component::altered("format", "chat-format", plain);
    let runtime = builder().format("plain", bytes).build().expect("a format");
    assert!(runtime.chat("hello", greedy(4)).unwrap().finish().is_ok());
    let strict = ChatOptions {
        response_format: ResponseFormat::Regex("a".into()),
        ..greedy(4)
    };
    let error = runtime.chat("hello", strict).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("constraint"), "{error}");
}
