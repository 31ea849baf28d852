//! Bounds of each plugin's own, and what becomes of a plugin that meets them again and again.

use lapidary::Fallback;

use super::*;

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
fn fuel_of_a_plugins_own_is_refused_where_nobody_counts_it() {
    let limits = PluginLimits {
        fuel_max: Some(500),
        ..PluginLimits::default()
    };
    let (name, grants) = ("loop_in_call", Grants::none().with_limits(limits));
    let load = || ToolPlugin::load(name, &component("tools", name), &grants, &ENGINES);
    fails(ErrorKind::Invalid, "plugin_fuel_max is not set", load);
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
fn parsed_bytes_max() {
    let limits = Limits {
        parsed_bytes_max: 20_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, None).expect("engines");
    let bytes = component("format", "chatter");
    let format = Format::load("chatter", &bytes, &engines).expect("it misbehaves later");
    let mut parser = format
        .parser(&[], &[], &Interrupt::new())
        .expect("a parser");
    for _ in 0..4 {
        parser.push(&[]).expect("still within");
    }
    let error = parser.push(&[]).expect_err("one too many");
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().ends_with("raise parsed_bytes_max"));
    let mut next = format
        .parser(&[], &[], &Interrupt::new())
        .expect("a parser");
    assert_eq!(next.push(&[]).expect("it works").len(), 1);
}

#[test]
fn an_error_of_the_plugins_own_is_a_failure_too() {
    let tools = load_tools("error_in_call").expect("it misbehaves later");
    for _ in 0..3 {
        fails(ErrorKind::Plugin, "it broke", || call(&tools));
    }
    fails(ErrorKind::Plugin, "rests after 3 failures", || call(&tools));
    let metrics = tools.metrics();
    assert_eq!((metrics.failures, metrics.turned_away), (3, 1));
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
fn the_host_can_answer_for_a_failing_tool() {
    let grants = Grants::none().with_fallback(Fallback::new(|call| ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: Content::Text("from the host".into()),
        is_error: false,
    }));
    let name = "trap_in_call";
    let bytes = component("tools", name);
    let tools = ToolPlugin::load(name, &bytes, &grants, &ENGINES).expect("it misbehaves later");
    for _ in 0..5 {
        let result = call(&tools).expect("the host answers");
        assert_eq!(result.content, Content::Text("from the host".into()));
    }
    assert_eq!((tools.metrics().failures, tools.metrics().bypassed), (3, 5));
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
    let name = "hostile::bounds::loading_and_unloading_keeps_the_memory_flat";
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
    // Time is not what is measured here.
    let limits = Limits {
        format_call_ms_max: 60_000,
        tool_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, Some(cache.path().to_owned())).expect("engines");
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
        after < before + (2 << 20),
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
