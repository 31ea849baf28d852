//! `lapidary plugin check`: whether a host would take a component, told from its bytes alone.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{Engines, Grants, Limits, PluginCheck};
use serde_json::{Value, json};

use crate::model::{code_cache, file_name, read};
use crate::{listing, screen};

/// Say whether a host would take a component, and why not, without running it.
///
/// Ends with 0 when it would, with the error's exit code when not.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin check --grant clock tool_clock.wasm")]
pub struct Args {
    /// A component's file.
    file: PathBuf,
    /// What the host would grant. May be given several times.
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let grants = args.grants.join(",").parse::<Grants>()?;
    let engines = Engines::new(&Limits::default(), code_cache())?;
    let bytes = read(&args.file)?;
    let found = lapidary::check(&file_name(&args.file), &bytes, &grants, &engines);
    let report = report(&found);
    let text = match args.json {
        true => format!("{report}\n"),
        false => listing::lines(&report, ""),
    };
    screen::result(&text)?;
    let code = found.refusal.map(|error| error.kind().exit_code());
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn report(found: &PluginCheck) -> Value {
    let refusal = found.refusal.as_ref();
    json!({
        "name": found.name,
        "verdict": if refusal.is_some() { "refused" } else { "fits" },
        "reason": refusal.map(|error| json!({"kind": error.kind().name(), "message": error.to_string()})),
        "world": found.world.map(|world| world.name()),
        "version": found.version,
        "exports": found.exports,
        "imports": found.imports,
        "grants": found.asks.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "adopts": found.adopts,
        "digest": found.digest,
        "size_bytes": found.size_bytes,
        "signer": found.signer,
        "cached_code": found.is_cached,
    })
}
