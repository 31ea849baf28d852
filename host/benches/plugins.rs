//! What plugins cost: loading, instantiating, calling and holding them, measured in one run.
//!
//! ```text
//! cargo bench --bench plugins
//! ```

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/hostile/component.rs"]
mod hostile;
mod timing;

use std::time::{Duration, Instant};

use timing::{report, time};

use lapidary::{
    Conversation, Engines, Format, Grants, Interrupt, Limits, RenderRequest, TokenPiece, ToolCall,
    ToolPlugin,
};

const ROUNDS: usize = 2_000;

fn main() -> lapidary::Result<()> {
    let cache = std::env::temp_dir().join(format!("lapidary-bench-{}", std::process::id()));
    let measured = measure(&cache);
    // What is left in the temporary folder is no failure of the measurement.
    let _ = std::fs::remove_dir_all(&cache);
    measured
}

fn measure(cache: &std::path::Path) -> lapidary::Result<()> {
    let engines = Engines::new(&patient(), Some(cache.to_owned()))?;
    loading(&engines)?;
    calling(&engines)?;
    parsing(&engines)?;
    stopping(&engines)?;
    holding(cache)?;
    cycling(&engines)
}

/// Whatever else the machine has to do, nothing here takes too long.
fn patient() -> Limits {
    Limits {
        format_call_ms_max: 60_000,
        tool_call_ms_max: 60_000,
        ..Limits::default()
    }
}

fn calculator(engines: &Engines) -> lapidary::Result<ToolPlugin> {
    let bytes = lapidary_guests::TOOL_CALCULATOR;
    ToolPlugin::load("tool-calculator", bytes, &Grants::none(), engines)
}

fn call_once(tools: &ToolPlugin, expression: &str) -> lapidary::Result<()> {
    let call = ToolCall {
        id: "1".into(),
        name: "calculator".into(),
        arguments: serde_json::json!({ "expression": expression }),
    };
    let result = tools.call(&call, &Interrupt::new())?;
    assert!(!result.is_error, "{result:?}");
    Ok(())
}

/// From bytes to a plugin that told its tools: compiled, and with machine code in the cache.
fn loading(engines: &Engines) -> lapidary::Result<()> {
    let started = Instant::now();
    calculator(engines)?;
    report("first load, compiled", &mut [started.elapsed()]);
    time("cached load, definitions read", 200, || {
        calculator(engines).map(drop)
    })?;
    let format = Format::builtin(engines)?;
    time("instantiate a chat format, open a parser", ROUNDS, || {
        format.parser(&[], &[], &Interrupt::new()).map(drop)
    })
}

/// Calls in an instance of their own each.
fn calling(engines: &Engines) -> lapidary::Result<()> {
    let tools = calculator(engines)?;
    let long = vec!["1"; 512].join("+");
    for (name, expression) in [
        ("tool call, instance included", "1"),
        ("tool call, 1 KB in", &long),
    ] {
        time(name, ROUNDS, || call_once(&tools, expression))?;
    }
    let format = Format::builtin(engines)?;
    let text = "word ".repeat(205);
    let conversation = Conversation::new().system(&text).user("Hello!");
    time("render, 1 KB in, a list of pieces out", ROUNDS, || {
        let request = RenderRequest::new(&conversation, &[]);
        format.render(&request, &Interrupt::new()).map(drop)
    })
}

/// Calls into an instance that lives.
fn parsing(engines: &Engines) -> lapidary::Result<()> {
    let format = Format::builtin(engines)?;
    let mut parser = format.parser(&[], &[], &Interrupt::new())?;
    time("call that does nothing, in a live instance", ROUNDS, || {
        parser.push(&[]).map(drop)
    })?;
    time("parser push, one token", 10 * ROUNDS, || {
        parser.push(&[TokenPiece::Data(" word".into())]).map(drop)
    })
}

/// How long a guest that would never end goes on when it is told to stop.
fn stopping(engines: &Engines) -> lapidary::Result<()> {
    let bytes = hostile::component("tools", "loop_in_call");
    let tools = ToolPlugin::load("endless", &bytes, &Grants::none(), engines)?;
    let call = ToolCall {
        id: "1".into(),
        name: "<end>".into(),
        arguments: serde_json::json!({}),
    };
    let mut late = Vec::new();
    for _ in 0..200 {
        let interrupt = Interrupt::new();
        let stop = interrupt.clone();
        let raiser = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            stop.raise();
            Instant::now()
        });
        let outcome = tools.call(&call, &interrupt);
        let ended = Instant::now();
        assert!(outcome.is_err(), "{outcome:?}");
        let raised = raiser.join().expect("it only raises");
        late.push(ended.saturating_duration_since(raised));
    }
    report("an endless call, told to stop", &mut late);
    Ok(())
}

/// Ten thousand parsers, each an instance with its memory, at one time.
fn holding(cache: &std::path::Path) -> lapidary::Result<()> {
    const COUNT: u32 = 10_000;
    let limits = Limits {
        plugin_instances_max: COUNT,
        plugin_memory_bytes_max: 8 << 20,
        ..patient()
    };
    let engines = Engines::new(&limits, Some(cache.to_owned()))?;
    let format = Format::builtin(&engines)?;
    let before = resident_bytes();
    let started = Instant::now();
    let parsers: lapidary::Result<Vec<_>> = (0..COUNT)
        .map(|_| format.parser(&[], &[], &Interrupt::new()))
        .collect();
    let (parsers, took) = (parsers?, started.elapsed());
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let each = after.saturating_sub(before) / parsers.len();
        println!(
            "{:<44} {each} bytes resident each, {took:?} to make all",
            "10,000 idle parsers"
        );
    }
    Ok(())
}

/// Ten thousand times, a tool and a format are loaded, used and dropped: what stays?
fn cycling(engines: &Engines) -> lapidary::Result<()> {
    let started = Instant::now();
    for cycle in 1..=10_000 {
        call_once(&calculator(engines)?, "1")?;
        let format = Format::builtin(engines)?;
        let mut parser = format.parser(&[], &[], &Interrupt::new())?;
        parser.push(&[TokenPiece::Data("word".into())])?;
        if let (1 | 100 | 1_000 | 5_000 | 10_000, Some(bytes)) = (cycle, resident_bytes()) {
            let (name, took) = (format!("{cycle} load and unload cycles"), started.elapsed());
            println!("{name:<44} {} KiB resident, {took:.1?}", bytes >> 10);
        }
    }
    Ok(())
}

fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
