//! `lapidary inspect`: what a bundle or a plugin is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{DtypeChoice, Grants};
use serde_json::{Value, json};

use crate::model::{self, read};
use crate::{listing, screen};

/// Say what a bundle or a plugin is.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary inspect gemma-4-E2B-it-ONNX")]
pub struct Args {
    /// A bundle's directory, a hub id that was fetched, or a component's file. Without it, the embedded model.
    path: Option<PathBuf>,
    /// Which dtype of the bundle to estimate: q4, q4f16, …, or one for each graph.
    #[arg(long)]
    dtype: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let report = match &args.path {
        Some(path) if is_plugin(path) => plugin(path)?,
        Some(path) => bundle(path.to_str(), args.dtype.as_deref())?,
        None => bundle(None, args.dtype.as_deref())?,
    };
    let text = if args.json {
        report.to_string()
    } else {
        listing::lines(&report, "")
    };
    screen::result(&format!("{}\n", text.trim_end()))?;
    Ok(ExitCode::SUCCESS)
}

/// A file, or what would be one if it were there.
fn is_plugin(path: &Path) -> bool {
    path.is_file()
        || path
            .extension()
            .is_some_and(|extension| extension == "wasm")
}

fn bundle(name: Option<&str>, dtype: Option<&str>) -> anyhow::Result<Value> {
    let choice = dtype.map(str::parse::<DtypeChoice>).transpose()?;
    let report = model::bundle(name)?.report_for(&choice.unwrap_or_default())?;
    Ok(serde_json::to_value(report)?)
}

fn plugin(path: &Path) -> anyhow::Result<Value> {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let info = lapidary::inspect(&name, &read(path)?)?;
    let grants = Grants::asked_by(&info);
    let mut report = serde_json::to_value(info)?;
    report["kind"] = json!("plugin");
    report["grants"] = json!(grants.iter().map(|grant| grant.name()).collect::<Vec<_>>());
    Ok(report)
}
