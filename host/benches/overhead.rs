//! What Lapidary adds around ONNX Runtime: three figures, measured in one run.
//!
//! ```text
//! cargo bench --bench overhead
//! ```

use std::time::{Duration, Instant};

use lapidary::{
    ChatOptions, Engines, Event, Format, GenerateRequest, Interrupt, Limits, Runtime, Sampling,
    Segment, TokenPiece, onnxruntime,
};

fn main() -> lapidary::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let cache = onnxruntime::cache_folder()?.join("plugins");
    // Once before, so that the code cache is filled: a cold start is not a first start.
    drop(builder(&cache).build()?);
    cold_start(&cache)?;
    let runtime = builder(&cache).build()?;
    decode_step(&runtime)?;
    parser_push(&cache)
}

fn builder(cache: &std::path::Path) -> lapidary::RuntimeBuilder {
    Runtime::builder().builtin_tools().code_cache(cache)
}

/// From nothing loaded but the library to the first event of an answer.
fn cold_start(cache: &std::path::Path) -> lapidary::Result<()> {
    let mut times = Vec::new();
    for _ in 0..11 {
        let started = Instant::now();
        let runtime = builder(cache).build()?;
        let options = ChatOptions {
            replay: vec![hello(&runtime)?],
            ..ChatOptions::default()
        };
        let first = runtime
            .chat("Hello!", options)?
            .find(|event| matches!(event, Ok(Event::Text { .. })));
        times.push(started.elapsed());
        first.expect("an event")?;
    }
    report("build a runtime and get the first event", &mut times);
    Ok(())
}

fn hello(runtime: &Runtime) -> lapidary::Result<Vec<u32>> {
    runtime
        .tokenizer()
        .encode(&[Segment::Control("Hello there, how are you?<turn|>")])
}

/// A decode step of the engine, sampling and the hand-over between threads included, beside the time that
/// the same step spends in the two graphs.
fn decode_step(runtime: &Runtime) -> lapidary::Result<()> {
    const STEPS: usize = 512;
    let request = GenerateRequest {
        ids: runtime
            .tokenizer()
            .encode(&[Segment::Control("<bos><|turn>user\nHello<turn|>\n")])?,
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(STEPS),
        ignore_eos: true,
        ..GenerateRequest::default()
    };
    let (mut whole, mut graphs) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let generated = runtime.generate(request.clone())?;
        let steps = u32::try_from(STEPS - 1).expect("it is small");
        whole.push(Duration::from_secs_f64(generated.usage.decode_ms / 1e3) / steps);
        graphs.push(Duration::from_secs_f64(generated.usage.graph_ms / 1e3) / steps);
    }
    let (whole, graphs) = (
        report("decode step, whole", &mut whole),
        report("decode step, in Session::run", &mut graphs),
    );
    let added = whole.saturating_sub(graphs);
    println!(
        "{:<44} {:>9.2} us, {:.2} %",
        "decode step, added by the engine",
        micros(added),
        1e2 * ratio(added, graphs)
    );
    Ok(())
}

/// One token through the parser component, conversions on both sides included.
fn parser_push(cache: &std::path::Path) -> lapidary::Result<()> {
    let format = Format::builtin(&Engines::new(&Limits::default(), Some(cache.to_owned()))?)?;
    let mut parser = format.parser(&[], &[], &Interrupt::new())?;
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let piece = [TokenPiece::Data(" word".into())];
        let started = Instant::now();
        parser.push(&piece)?;
        times.push(started.elapsed());
    }
    report("parser push, one token", &mut times);
    Ok(())
}

/// Prints median and 99th percentile; returns the median.
fn report(name: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{name:<44} {:>9.2} us median, {:>9.2} us p99",
        micros(median),
        micros(late)
    );
    median
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}
