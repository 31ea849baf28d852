//! `lapidary plugin test`: the plugin's own cases, or the conformance corpus.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use lapidary::{Engines, Error, ErrorKind, Grants, Inference, InferenceGrant, Limits, Plugin};

use super::cases;
use super::conform::{self, ConformArgs};
use super::manifest::{Project, invalid};
use super::script::Script;
use crate::model::{code_cache, file_name, read};
use crate::screen;

/// Run the plugin's own cases, the lines of cases.jsonl in its folder.
///
/// A case is a call of a tool, {"call":NAME,"arguments":{…},"expect":CONTENT} or {…,"error":WORDS} for a failure
/// that the model hears of; for a chat format it is {"render":REQUEST,"expect":{…}} or
/// {"parse":REQUEST,"expect":{…}}, as `lapidary render` and `lapidary parse` read and print them; for an agent
/// {"run":TASK,"model":[ANSWER,…],"expect":ANSWER}, the model's answers made up; for a logits processor
/// {"config":{…},"logits":[[…],…],"tokens":[ID,…],"expect":[[…],…]}, the scores before and after each step, null
/// for what cannot come. Ends with 4 when one fails.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin test count-words")]
pub struct Args {
    /// The folder with plugin.toml and cases.jsonl. With --conformance also a chat format's file, or gemma4 for
    /// the built-in one.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The component. Without it, what `lapidary plugin build` made in the folder.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// What the plugin may do. May be given several times.
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    #[command(flatten)]
    conform: ConformArgs,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.conform.conformance {
        return conform::run(&args.conform, &args.folder);
    }
    let cases = cases::read(&cases_file(&args.folder)?)?;
    let component = match &args.component {
        Some(file) => file.clone(),
        None => Project::open(&args.folder)?.built(None)?,
    };
    let grants = args.grants.join(",").parse::<Grants>()?;
    // The model is the cases' own: nobody has to grant it.
    let grants = grants.with_inference(InferenceGrant::default());
    let engines = Engines::new(&Limits::default(), code_cache())?;
    let script = Arc::new(Script::default());
    let model: Arc<dyn Inference> = script.clone();
    engines.provide(&model);
    let (name, bytes) = (file_name(&component), read(&component)?);
    tell_of_compiling(&name, &bytes, &engines);
    let plugin = Plugin::load(&name, &bytes, &grants, &engines)?;
    let mut failed = 0;
    for case in &cases {
        if let Err(reason) = case.run(&plugin, &script) {
            failed += 1;
            screen::result(&format!("line {}: {reason}\n", case.line))?;
        }
    }
    let count = cases.len();
    screen::result(&format!("{} of {count} cases passed\n", count - failed))?;
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(ErrorKind::Plugin.exit_code()),
    })
}

fn cases_file(folder: &Path) -> anyhow::Result<PathBuf> {
    if !folder.is_dir() {
        let detail =
            "expected a plugin's folder, found none; a component is named with --component";
        return Err(invalid(folder.display(), detail.to_owned()).into());
    }
    let file = folder.join(cases::FILE);
    if !file.is_file() {
        let detail = "is not there; its lines are the plugin's cases, as `lapidary plugin test --help` shows them";
        return Err(Error::new(ErrorKind::Io, file.display().to_string(), detail).into());
    }
    Ok(file)
}

/// A whole Python takes so long that somebody would give up.
fn tell_of_compiling(name: &str, bytes: &[u8], engines: &Engines) {
    const LARGE_MIB: usize = 4;
    let mib = bytes.len() >> 20;
    if mib >= LARGE_MIB && !lapidary::check(name, bytes, &Grants::none(), engines).is_cached {
        let line = format!("compiling {mib} MiB for this machine: once, about a minute");
        screen::progress(&line);
    }
}
