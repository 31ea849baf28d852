//! `lapidary plugin new`: a folder that builds, with a plugin in it that works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::cases;
use super::manifest::{self, Language, Manifest, WorldName, check_name, invalid};
use crate::screen;

/// Start a plugin: a folder that builds, with something in it that works.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin new --lang python --world tool count-words")]
pub struct Args {
    /// The plugin's name, and the folder's.
    name: String,
    /// What it is written in.
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// What it is.
    #[arg(long, value_enum, default_value = "tool")]
    world: WorldName,
    /// Where to make the folder.
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    parent: PathBuf,
    /// The folder of lapidary-guest, for Rust. Without it, the one that this command was built beside, or the
    /// published crate.
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

/// A file's path in the folder, and its text.
type File = (&'static str, &'static str);

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    check_name(&args.name)?;
    let folder = args.parent.join(&args.name);
    if folder.exists() {
        let detail = "is already there; choose another name or remove it".to_owned();
        return Err(invalid(folder.display(), detail).into());
    }
    let manifest = Manifest {
        name: args.name.clone(),
        version: "0.1.0".to_owned(),
        world: args.world,
        language: args.lang,
        imports: imports(args.world),
        adopts: false,
    };
    write(&folder.join(manifest::FILE), &toml::to_string(&manifest)?)?;
    write(&folder.join(".gitignore"), "/build\n/target\n")?;
    if args.lang == Language::Rust {
        write(&folder.join("Cargo.toml"), &cargo_manifest(args)?)?;
    }
    for (path, text) in files(args.lang, args.world) {
        write(&folder.join(path), &filled(text, &args.name))?;
    }
    screen::progress("next: lapidary plugin build, then lapidary plugin test, in the folder");
    screen::result(&format!("{}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn files(language: Language, world: WorldName) -> Vec<File> {
    match world {
        WorldName::Tool => {
            let cases = include_str!("templates/tool_cases.jsonl.txt");
            vec![(cases::FILE, cases), tool_file(language)]
        }
        WorldName::Format => {
            let cases = include_str!("templates/format_cases.jsonl.txt");
            [vec![(cases::FILE, cases)], format_files(language)].concat()
        }
        WorldName::Agent => {
            let cases = include_str!("templates/agent_cases.jsonl.txt");
            vec![(cases::FILE, cases), agent_file(language)]
        }
        WorldName::Logits => {
            let cases = include_str!("templates/logits_cases.jsonl.txt");
            [vec![(cases::FILE, cases)], logits_files(language)].concat()
        }
    }
}

fn tool_file(language: Language) -> File {
    match language {
        Language::Rust => ("src/lib.rs", include_str!("templates/tool.rs.txt")),
        Language::Python => ("plugin.py", include_str!("templates/tool.py.txt")),
        Language::Js => ("plugin.js", include_str!("templates/tool.js.txt")),
        Language::C => ("plugin.c", include_str!("templates/tool.c.txt")),
    }
}

fn format_files(language: Language) -> Vec<File> {
    match language {
        Language::Rust => vec![("src/lib.rs", include_str!("templates/format.rs.txt"))],
        Language::Python => vec![
            ("plugin.py", include_str!("templates/format.py.txt")),
            ("parser.py", include_str!("templates/parser.py.txt")),
        ],
        Language::Js => vec![("plugin.js", include_str!("templates/format.js.txt"))],
        Language::C => vec![("plugin.c", include_str!("templates/format.c.txt"))],
    }
}

fn agent_file(language: Language) -> File {
    match language {
        Language::Rust => ("src/lib.rs", include_str!("templates/agent.rs.txt")),
        Language::Python => ("plugin.py", include_str!("templates/agent.py.txt")),
        Language::Js => ("plugin.js", include_str!("templates/agent.js.txt")),
        Language::C => ("plugin.c", include_str!("templates/agent.c.txt")),
    }
}

fn logits_files(language: Language) -> Vec<File> {
    match language {
        Language::Rust => vec![("src/lib.rs", include_str!("templates/logits.rs.txt"))],
        Language::Python => vec![
            ("plugin.py", include_str!("templates/logits.py.txt")),
            ("processor.py", include_str!("templates/processor.py.txt")),
        ],
        Language::Js => vec![("plugin.js", include_str!("templates/logits.js.txt"))],
        Language::C => vec![("plugin.c", include_str!("templates/logits.c.txt"))],
    }
}

/// What the template uses of the host.
fn imports(world: WorldName) -> Vec<String> {
    match world {
        WorldName::Agent => vec!["inference".to_owned()],
        WorldName::Tool | WorldName::Format | WorldName::Logits => Vec::new(),
    }
}

/// `{{name}}` is the plugin's name, `{{tool}}` the same as an identifier.
fn filled(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{tool}}", &name.replace('-', "_"))
}

fn cargo_manifest(args: &Args) -> anyhow::Result<String> {
    let text = include_str!("templates/Cargo.toml.txt");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/lapidary-guest");
    let sdk = match &args.sdk {
        Some(folder) => Some(folder.canonicalize()?),
        None => beside.canonicalize().ok(),
    };
    let features = match args.world {
        WorldName::Tool => "",
        WorldName::Format | WorldName::Agent | WorldName::Logits => ", default-features = false",
    };
    let dependency = match sdk {
        Some(folder) => format!("{{ path = {:?}{features} }}", folder.display().to_string()),
        None => format!(
            "{{ version = \"{}\"{features} }}",
            env!("CARGO_PKG_VERSION")
        ),
    };
    Ok(filled(text, &args.name).replace("{{sdk}}", &dependency))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}
