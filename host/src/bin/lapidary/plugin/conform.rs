//! `lapidary plugin test --conformance`: a chat format against the corpus.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{ErrorKind, Limits, PromptStyle};

use super::manifest::Project;
use crate::conformance::Corpus;
use crate::format::FormatArgs;
use crate::render::Variant;
use crate::screen;

/// Which format, and which part of the corpus.
#[derive(ClapArgs)]
pub struct ConformArgs {
    /// Run the conformance corpus against a chat format: prompts as transformers renders them, and outputs with
    /// what they mean.
    #[arg(long)]
    pub conformance: bool,
    /// With --conformance: a chat template in Jinja, in place of a component.
    #[arg(long, value_name = "FILE.jinja", requires = "conformance")]
    template: Option<PathBuf>,
    /// With --conformance: render as for small or for large models. Without it, both.
    #[arg(long, value_enum, requires = "conformance")]
    variant: Option<Variant>,
    /// With --conformance: another corpus, a folder with renders/*.jsonl and outputs/*.jsonl.
    #[arg(long, value_name = "FOLDER", requires = "conformance")]
    corpus: Option<PathBuf>,
    /// With --conformance: print one JSON object.
    #[arg(long, requires = "conformance")]
    json: bool,
}

/// Runs the corpus against the template, the component at `path`, or the one that was built in that folder.
pub fn run(args: &ConformArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let corpus = match &args.corpus {
        Some(folder) => Corpus::open(folder)?,
        None => Corpus::embedded(),
    };
    let styles = match args.variant {
        Some(variant) => vec![PromptStyle::from(variant)],
        None => vec![PromptStyle::Small, PromptStyle::Large],
    };
    // Cases are about what a format says; a busy machine must not decide them.
    let limits = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let report = corpus.run(&format(args, path)?.load(None, &limits)?, &styles)?;
    let text = match args.json {
        true => format!("{}\n", report.json()),
        false => report.lines(),
    };
    screen::result(&text)?;
    Ok(match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ErrorKind::Plugin.exit_code().into(),
    })
}

fn format(args: &ConformArgs, path: &Path) -> anyhow::Result<FormatArgs> {
    let component = match (&args.template, path.is_dir()) {
        (Some(_), _) => None,
        (None, true) => Some(Project::open(path)?.component()),
        (None, false) => Some(path.to_owned()),
    };
    Ok(FormatArgs::new(component, args.template.clone()))
}
