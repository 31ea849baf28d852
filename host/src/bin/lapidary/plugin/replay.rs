//! `lapidary plugin replay`: a recording against another version of a plugin.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{Engines, ErrorKind, Grants, Limits, Plugin, inspect};
use serde_json::{Map, Value};

use super::cases::json_lines;
use super::manifest::invalid;
use crate::model::{code_cache, file_name, read};
use crate::screen;

/// Do again what a recording says of a plugin, with another version of it, and print what changed.
///
/// The recording answers in the host's place: the clock stands where it stood, and nothing outside is asked. Secrets
/// are in no recording: grant those that are needed. Ends with 4 when something changed.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin replay run.jsonl build/count-words.wasm")]
pub struct Args {
    /// What `lapidary plugin record` wrote.
    recording: PathBuf,
    /// The new version, a component's file.
    component: PathBuf,
    /// The plugin's name in the recording. Without it, the component's file name.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// What the plugin may do, for secrets. May be given several times.
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let lines = json_lines(&args.recording)?;
    let plugin = load(args)?;
    let file = file_name(&args.component);
    let name = args.of.as_ref().unwrap_or(&file);
    let of_plugin = lines.iter().filter(|(_, line)| line["plugin"] == **name);
    let (mut count, mut changed) = (0, 0);
    for (number, before) in of_plugin {
        let after = plugin.replay(before)?;
        let differences = differences(before, &after);
        for difference in &differences {
            screen::result(&format!("line {number}{}{difference}\n", title(before)))?;
        }
        count += 1;
        changed += usize::from(!differences.is_empty());
    }
    if count == 0 {
        return Err(no_lines(args, name, &lines).into());
    }
    screen::result(&format!("{changed} of {count} changed\n"))?;
    Ok(match changed {
        0 => ExitCode::SUCCESS,
        _ => ErrorKind::Plugin.exit_code().into(),
    })
}

/// The new version, with what it asks for: it gets that from the recording.
fn load(args: &Args) -> anyhow::Result<Plugin> {
    let (name, bytes) = (file_name(&args.component), read(&args.component)?);
    let asked = Grants::asked_by(&inspect(&name, &bytes)?);
    let mut grants = args.grants.iter().flat_map(|texts| texts.split(','));
    let grants = grants.try_fold(asked, |all, text| all.with_text(text.trim()))?;
    // A recording is about what a plugin says; a busy machine must not decide it.
    let limits = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, code_cache())?;
    Ok(Plugin::load(&name, &bytes, &grants, &engines)?)
}

fn no_lines(args: &Args, name: &str, lines: &[(usize, Value)]) -> lapidary::Error {
    let names = lines.iter().filter_map(|(_, line)| line["plugin"].as_str());
    let names: BTreeSet<&str> = names.collect();
    let names: Vec<&str> = names.into_iter().collect();
    let detail = match (names.as_slice(), lines) {
        (_, []) => "expected what `lapidary plugin record` writes, found no line".to_owned(),
        ([], _) => format!("expected lines of {name}, found none that names a plugin"),
        (names, _) => format!(
            "expected lines of {name}, found those of {}; name one with --of",
            names.join(", ")
        ),
    };
    invalid(args.recording.display(), detail)
}

/// Which function it was, and of a tool its name.
fn title(line: &Value) -> String {
    let others = ["plugin", "host", "outcome"];
    let mut keys = line.as_object().into_iter().flat_map(Map::keys);
    let function = keys.find(|key| !others.contains(&key.as_str()));
    let tool = line["call"]["name"].as_str().unwrap_or_default();
    let words = [function.map_or("", String::as_str), tool];
    format!(", {}: ", words.join(" ").trim_end())
}

/// What of two lines is not the same, apart from the plugin's name.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let parts = ["host", "outcome"].into_iter();
    parts
        .flat_map(|part| compare(&format!("/{part}"), Some(&before[part]), Some(&after[part])))
        .collect()
}

fn compare(at: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let inside = |key: &str, before, after| compare(&format!("{at}/{key}"), before, after);
    match (before, after) {
        (before, after) if before == after => Vec::new(),
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|key| !before.contains_key(*key));
            let keys = before.keys().chain(added);
            keys.flat_map(|key| inside(key, before.get(key), after.get(key)))
                .collect()
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            (0..before.len().max(after.len()))
                .flat_map(|index| inside(&index.to_string(), before.get(index), after.get(index)))
                .collect()
        }
        (before, after) => vec![format!(
            "{at}: expected {}, found {}",
            shown(before),
            shown(after)
        )],
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}
