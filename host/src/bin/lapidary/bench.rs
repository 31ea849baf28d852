//! `lapidary bench`: how fast this machine is with this bundle, and what Lapidary adds to it.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressDrawTarget};
use lapidary::{
    ChatOptions, Conversation, Event, Format, GenerateRequest, Generated, Interrupt, Limits,
    Runtime, Sampling, Segment, TokenPiece,
};
use serde_json::{Value, json};

use crate::format::FormatArgs;
use crate::model::ModelArgs;
use crate::screen;

const PROMPT: &str = "Hello!";
const PUSHES: usize = 1000;

/// Measure prefill, decode, first token, plugin overhead and cold start.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary bench --prompt-tokens 64,512 --tokens 128")]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Lengths of the prompts whose prefill is measured.
    #[arg(
        long,
        value_name = "TOKENS",
        value_delimiter = ',',
        default_value = "64,512"
    )]
    prompt_tokens: Vec<usize>,
    /// How many tokens each answer has.
    #[arg(long, value_name = "TOKENS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(2..))]
    tokens: u32,
    /// How often each figure is measured, after once for warmth.
    #[arg(long, value_name = "TIMES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// One figure, measured several times.
struct Row {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Row {
    fn new(name: impl Into<String>, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            name: name.into(),
            unit,
            values,
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let last = self.values.len() - 1;
        self.values[(last as f64 * share).round() as usize]
    }

    fn json(&self) -> Value {
        json!({"name": self.name, "unit": self.unit, "count": self.values.len(), "min": self.quantile(0.0),
            "median": self.quantile(0.5), "p99": self.quantile(0.99), "max": self.quantile(1.0)})
    }

    fn line(&self) -> String {
        let [min, median, max] = [0.0, 0.5, 1.0].map(|share| self.quantile(share));
        format!(
            "{:<34}{median:>12.2} {:<9}{min:>12.2}{max:>12.2}\n",
            self.name, self.unit
        )
    }
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let bar = progress(&args);
    let cold = repeat(&args, &bar, || cold_start(&args.model))?;
    let mut rows = vec![Row::new("process start to first token", "ms", cold)];
    let runtime = args.model.clone().builder()?.build()?;
    let first = repeat(&args, &bar, || first_token(&runtime))?;
    rows.push(Row::new("first token, warm", "ms", first));
    for length in &args.prompt_tokens {
        let speeds = repeat(&args, &bar, || prefill(&runtime, *length))?;
        rows.push(Row::new(format!("prefill of {length}"), "tokens/s", speeds));
    }
    rows.extend(decode(&args, &bar, &runtime)?);
    let step_us = rows.last().expect("decode gives rows").quantile(0.5);
    rows.extend(plugin(&args, &bar, step_us)?);
    bar.finish_and_clear();
    screen::result(&shown(&args, &runtime, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn progress(args: &Args) -> ProgressBar {
    let figures = args.prompt_tokens.len() as u64 + 5;
    let bar = ProgressBar::new(figures * u64::from(args.repeat + 1));
    if !screen::is_watched() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Measures once for warmth and then as often as asked for.
fn repeat<T>(
    args: &Args,
    bar: &ProgressBar,
    mut measure: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let mut measured = || {
        bar.inc(1);
        measure()
    };
    measured()?;
    (0..args.repeat).map(|_| measured()).collect()
}

/// From the start of a process of this very program to the first event of its answer, in ms.
fn cold_start(model: &ModelArgs) -> anyhow::Result<f64> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let mut command = Command::new(program);
    command.args([
        "chat",
        "--quiet",
        "--json",
        "--greedy",
        "--max-tokens",
        "8",
        PROMPT,
    ]);
    command.args(model.flags()).stdin(Stdio::null());
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut first = String::new();
    let out = child.stdout.take().expect("it is piped");
    let mut out = BufReader::new(out);
    out.read_line(&mut first)?;
    let time = millis(started.elapsed());
    std::io::copy(&mut out, &mut std::io::sink())?;
    anyhow::ensure!(
        child.wait()?.success() && !first.is_empty(),
        "`lapidary chat` as a process of its own gave no answer"
    );
    Ok(time)
}

/// From a prompt to the first thing that a runtime says, in ms.
fn first_token(runtime: &Runtime) -> anyhow::Result<f64> {
    let options = ChatOptions {
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(8),
        ..ChatOptions::default()
    };
    let started = Instant::now();
    let mut events = runtime.chat(Conversation::new().user(PROMPT), options)?;
    let first: Option<lapidary::Result<Event>> = events.next();
    let time = millis(started.elapsed());
    first.context("the answer has no event")??;
    Ok(time)
}

fn prefill(runtime: &Runtime, length: usize) -> anyhow::Result<f64> {
    let generated = generate(runtime, length, 1)?;
    Ok(length as f64 / generated.usage.prefill_ms * 1e3)
}

/// Speed, and the time of a step: within the graphs, and whole.
fn decode(args: &Args, bar: &ProgressBar, runtime: &Runtime) -> anyhow::Result<[Row; 3]> {
    let steps = f64::from(args.tokens - 1);
    let runs = repeat(args, bar, || {
        Ok(generate(runtime, 16, args.tokens as usize)?.usage)
    })?;
    let step_us = |whole_ms: f64| whole_ms * 1e3 / steps;
    let speeds = runs.iter().map(|run| steps / run.decode_ms * 1e3).collect();
    let graphs = runs.iter().map(|run| step_us(run.graph_ms)).collect();
    let whole = runs.iter().map(|run| step_us(run.decode_ms)).collect();
    Ok([
        Row::new("decode", "tokens/s", speeds),
        Row::new("decode step, in ONNX Runtime", "us", graphs),
        Row::new("decode step, whole", "us", whole),
    ])
}

fn generate(runtime: &Runtime, length: usize, tokens: usize) -> anyhow::Result<Generated> {
    let text = runtime.tokenizer().encode(&[Segment::Data(" a word")])?;
    let ids = text.into_iter().cycle().take(length).collect();
    Ok(runtime.generate(GenerateRequest {
        ids,
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(tokens),
        ignore_eos: true,
        ..GenerateRequest::default()
    })?)
}

/// What the chat format's component takes for one token, and how much of a decode step that is.
fn plugin(args: &Args, bar: &ProgressBar, step_us: f64) -> anyhow::Result<[Row; 2]> {
    let format = FormatArgs::default().load(None, &Limits::default())?;
    let pushes = repeat(args, bar, || parser_push(&format))?;
    let shares = pushes.iter().map(|push| push / step_us * 100.0).collect();
    Ok([
        Row::new("parser, one token", "us", pushes),
        Row::new("parser, of a decode step", "%", shares),
    ])
}

fn parser_push(format: &Format) -> anyhow::Result<f64> {
    let mut parser = format.parser(&[], &[], &Interrupt::new())?;
    let piece = [TokenPiece::Data(" word".into())];
    let started = Instant::now();
    for _ in 0..PUSHES {
        parser.push(&piece)?;
    }
    Ok(millis(started.elapsed()) * 1e3 / PUSHES as f64)
}

fn shown(args: &Args, runtime: &Runtime, rows: &[Row]) -> String {
    let (model, provider) = (args.model.model.as_deref(), runtime.provider());
    let model = model.unwrap_or("embedded");
    if args.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        return format!(
            "{}\n",
            json!({"model": model, "provider": provider, "rows": rows})
        );
    }
    let head = format!(
        "{:<34}{:>12} {:<9}{:>12}{:>12}\n",
        format!("{model}, on {provider}"),
        "median",
        "",
        "least",
        "most"
    );
    let lines = rows.iter().map(Row::line);
    std::iter::once(head).chain(lines).collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
