//! What a model gets right of held-out conversations: one greedy answer for each turn of the model, through the same
//! runtime, chat format and parser that users have, compared by meaning.
//!
//! Each turn is asked for after the turns before it as they should have been.

mod cases;
mod heard;
mod report;
mod score;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use indicatif::{ProgressBar, ProgressIterator, ProgressStyle};
use lapidary::{Bundle, Runtime, onnxruntime};

use cases::{Case, Turn};
use heard::{Heard, Outputs, Source};
use report::{Report, Tallies};
use score::Mark;

/// The cases that are committed.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tiny/evaluation");

/// Evaluate a model on held-out conversations, greedily, through the runtime.
///
/// Prints a table. The exit code is 1 when a bar is missed.
#[derive(Parser)]
#[command(after_help = "Example:\n  cargo evaluate --failures --skill tool_")]
struct Args {
    /// The cases: `cases.jsonl` and the media files that it names. Without it, those of the repository.
    folder: Option<PathBuf>,
    /// A bundle's directory. Without it, the embedded model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Threads of one graph run.
    #[arg(long)]
    threads: Option<usize>,
    /// Only skills that begin so, such as tool_ or image_.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    skill: String,
    /// At most so many cases.
    #[arg(long, value_name = "CASES", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Constrain every call to its tool's schema, as `lapidary chat --strict` does.
    #[arg(long)]
    strict: bool,
    /// Score what another program wrote down, and run no model: one {"case", "turn", "text"} a line.
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// Score such a file as well, in a column of its own; more than half a point of difference in a row is a miss.
    #[arg(long, value_name = "FILE")]
    beside: Option<PathBuf>,
    /// Print each wrong turn on standard error.
    #[arg(long)]
    failures: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Exit with 0 whatever the bars say.
    #[arg(long)]
    ungated: bool,
    /// Print the table of a report that was saved with --json, and evaluate nothing.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let report = match &args.report {
        Some(path) => saved(path)?,
        None => evaluate(&args)?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    let fails = !(report.passes() || args.ungated);
    Ok(ExitCode::from(u8::from(fails)))
}

fn saved(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn evaluate(args: &Args) -> anyhow::Result<Report> {
    let mut cases = cases::read(args.folder.as_deref().unwrap_or(COMMITTED.as_ref()))?;
    cases.retain(|case| case.skill.starts_with(&args.skill));
    cases.truncate(args.limit);
    let source = match &args.outputs {
        Some(path) => Source::Outputs(Outputs::read(path)?),
        None => Source::Model {
            runtime: runtime(args)?,
            strict: args.strict,
        },
    };
    let tallies = run(&source, &cases, args.failures)?;
    let beside = match &args.beside {
        Some(path) => Some(run(&Source::Outputs(Outputs::read(path)?), &cases, false)?),
        None => None,
    };
    let turns = cases.iter().map(|case| case.turns.len()).sum();
    Ok(Report::new(cases.len(), turns, &tallies, beside.as_ref()))
}

fn runtime(args: &Args) -> anyhow::Result<Runtime> {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
    let mut builder = Runtime::builder()
        .limits(heard::limits())
        .code_cache(heard::code_cache()?);
    if let Some(folder) = &args.model {
        builder = builder.bundle(Bundle::open(folder)?);
    }
    if let Some(threads) = args.threads {
        builder = builder.threads(threads);
    }
    Ok(builder.build()?)
}

fn run(source: &Source, cases: &[Case], failures: bool) -> anyhow::Result<Tallies> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} cases, {eta} left")?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(cases.len() as u64).with_style(style);
    let mut tallies = Tallies::default();
    for case in cases.iter().progress_with(bar.clone()) {
        for turn in case.turns() {
            let heard = source.hear(&turn)?;
            let marks = score::marks(&turn, &heard)?;
            if failures && marks.iter().any(|mark| !mark.is_right()) {
                bar.suspend(|| eprintln!("{}", failure(&turn, &heard, &marks)));
            }
            tallies.add(&marks);
        }
    }
    Ok(tallies)
}

/// What went wrong, for a person.
fn failure(turn: &Turn<'_>, heard: &Heard, marks: &[Mark]) -> String {
    let wrong = marks.iter().filter(|mark| !mark.is_right());
    let rows: Vec<&str> = wrong.map(|mark| mark.row.name()).collect();
    let (case, expected) = (turn.case, turn.expected());
    format!(
        "case {}, turn {}, {}: {}\n  asked    {}\n  expected {} {:?}\n  found    {heard:?}",
        case.number,
        turn.index,
        case.skill,
        rows.join(", "),
        turn.asked().map(cases::text).unwrap_or_default(),
        cases::text(expected),
        expected.tool_calls,
    )
}
