//! `lapidary plugin build`: a component from the author's folder, by the language's own tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::Args as ClapArgs;

use super::manifest::{Language, Project, WorldName};
use super::{c, contract, tool};
use crate::screen;

/// Build a component from a plugin's folder, by the language's own tool.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin build count-words")]
pub struct Args {
    /// The folder with plugin.toml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the component goes. Without it, build/NAME.wasm in the folder.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let project = Project::open(&args.folder)?;
    let out = match &args.out {
        Some(file) => std::path::absolute(file)?,
        None => std::path::absolute(project.component())?,
    };
    build(&project, &out)?;
    let bytes = fs::metadata(&out)?.len();
    let seconds = start.elapsed().as_secs_f64();
    screen::progress(&format!("{bytes} bytes in {seconds:.1} s"));
    screen::result(&format!(
        "{}\n",
        args.out
            .clone()
            .unwrap_or_else(|| project.component())
            .display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the component into the file `out`; what comes about on the way lies beside it.
fn build(project: &Project, out: &Path) -> anyhow::Result<()> {
    let folder = out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let source = std::path::absolute(&project.folder)?;
    match project.manifest.language {
        Language::Rust => rust(project, &source, folder, out),
        Language::Python => python(&source, &contract::write(&project.manifest, folder)?, out),
        Language::Js => {
            let wit = contract::write(&project.manifest, folder)?;
            javascript(project.manifest.world, &source, &wit, out)
        }
        Language::C => c::build(&source, &contract::write(&project.manifest, folder)?, out),
    }
}

fn rust(project: &Project, source: &Path, folder: &Path, out: &Path) -> anyhow::Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let cargo = tool::find(&["cargo"], "see https://rustup.rs")?;
    let shared = std::env::var_os("CARGO_TARGET_DIR").map(std::path::absolute);
    let target = shared.transpose()?.unwrap_or_else(|| folder.join("target"));
    let mut command = Command::new(cargo);
    // The linker comes with Rust and makes a component of the module.
    command.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
        "wasm-component-ld",
    );
    let arguments = ["build", "--release", "--target", TARGET, "--target-dir"];
    let arguments = arguments.map(Into::into).into_iter();
    tool::run_seen(
        &mut command,
        source,
        arguments.chain([target.clone().into_os_string()]),
    )?;
    let file = format!("{}.wasm", project.manifest.name.replace('-', "_"));
    fs::copy(target.join(TARGET).join("release").join(file), out)?;
    Ok(())
}

fn python(source: &Path, wit: &Path, out: &Path) -> anyhow::Result<()> {
    let tool = tool::find(&["componentize-py"], "pip install componentize-py")?;
    let wit = ["--quiet".as_ref(), "--wit-path".as_ref(), wit.as_os_str()];
    let rest = [
        "--world",
        contract::WORLD,
        "componentize",
        "--stub-wasi",
        "--output",
    ];
    let arguments = wit.into_iter().chain(rest.map(AsRef::as_ref));
    let arguments = arguments.chain([out.as_os_str(), "plugin".as_ref()]);
    tool::run(&mut Command::new(tool), source, arguments)
}

fn javascript(world: WorldName, source: &Path, wit: &Path, out: &Path) -> anyhow::Result<()> {
    let (name, install, kept): (_, _, &[&str]) = match world {
        // componentize-qjs 0.4.5 does not give back the scores that a step borrows, which ends the call. The other
        // brings ten times as much.
        WorldName::Logits => (
            "componentize-js",
            "npm install --global @bytecodealliance/componentize-js",
            &[
                "plugin.js",
                "--disable",
                "random",
                "stdio",
                "clocks",
                "http",
                "fetch-event",
                "--world-name",
            ],
        ),
        WorldName::Tool | WorldName::Format | WorldName::Agent => (
            "componentize-qjs",
            "npm install --global componentize-qjs",
            &[
                "--js",
                "plugin.js",
                "--sync",
                "--stub-wasi",
                "--opt-size",
                "--world",
            ],
        ),
    };
    let tool = tool::find(&[name], install)?;
    let arguments = kept.iter().copied().chain([contract::WORLD, "--wit"]);
    let paths = [wit.as_os_str(), "-o".as_ref(), out.as_os_str()];
    let arguments = arguments.map(AsRef::as_ref).chain(paths);
    tool::run(&mut Command::new(tool), source, arguments)
}
