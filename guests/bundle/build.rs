//! Compiles the guests, a workspace of their own for another target, and hands over their bytes.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-unknown-unknown";
/// The packages that become components.
const GUESTS: [&str; 5] = [
    "gemma4-format",
    "jinja-format",
    "tool-calculator",
    "tool-clock",
    "tool-weather",
];
/// Those of the preview world, in a build of their own: what they need would make the others larger.
const PREVIEW: [&str; 1] = ["tool-stream"];
/// What the components are made of, seen from the guests' folder.
const SOURCES: [&str; 7] = [
    "lapidary-guest",
    "gemma4/src",
    "gemma4/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "../wit",
];
/// Settings that the inner cargo needs as well; every other one is about the outer build.
const KEPT: [&str; 6] = [
    "CARGO_HOME",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guests: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let guests = manifest
        .parent()
        .ok_or("expected the bundle inside the guests' folder")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let builds: &[&[&str]] = match env::var_os("CARGO_FEATURE_PREVIEW") {
        Some(_) => &[&GUESTS, &PREVIEW],
        None => &[&GUESTS],
    };
    watch(guests, &builds.concat());
    require_target()?;
    let target = target_folder(&out)?.join("guests");
    for packages in builds {
        compile(guests, &target, packages)?;
    }
    for guest in builds.concat() {
        let file = format!("{}.wasm", guest.replace('-', "_"));
        fs::copy(
            target.join(TARGET).join("release").join(&file),
            out.join(&file),
        )?;
    }
    Ok(())
}

/// Builds again when a source changes, and only then.
fn watch(guests: &Path, packages: &[&str]) {
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES.iter().chain(&["bundle/Cargo.toml"]) {
        println!("cargo::rerun-if-changed={}", guests.join(source).display());
    }
    for guest in packages {
        for part in ["src", "Cargo.toml"] {
            println!(
                "cargo::rerun-if-changed={}",
                guests.join(guest).join(part).display()
            );
        }
    }
}

/// The outer target folder, so that check, build, test and clippy share one build of the guests.
fn target_folder(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let tagged = out
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    // Without cargo's tag: target/PROFILE/build/PACKAGE/out.
    let folder = tagged.or_else(|| out.ancestors().nth(4));
    Ok(folder
        .ok_or("expected OUT_DIR inside a target folder")?
        .to_owned())
}

/// The standard library of the guests' target, fetched through rustup when it is missing.
fn require_target() -> Result<(), Box<dyn Error>> {
    if has_target() {
        return Ok(());
    }
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    if added.is_ok_and(|status| status.success()) && has_target() {
        return Ok(());
    }
    let way_out = format!("type: rustup target add {TARGET}");
    Err(format!("expected Rust's {TARGET} target, which is not installed; {way_out}").into())
}

fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Cargo reads `.cargo/config.toml` of the folder it runs in: the linker is named there.
fn compile(guests: &Path, target: &Path, packages: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(guests)
        .args(["build", "--release", "--locked", "--target", TARGET]);
    for guest in packages {
        cargo.args(["--package", guest]);
    }
    cargo.arg("--target-dir").arg(target);
    for (name, _) in env::vars_os() {
        if is_outer(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("expected the guests to compile, cargo ended with {status}; see above").into())
}

/// Whether a variable is about the build that runs this script.
fn is_outer(name: &str) -> bool {
    let cargo = name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept));
    cargo || name.starts_with("RUSTC") || ["RUSTFLAGS", "RUSTDOC", "RUSTDOCFLAGS"].contains(&name)
}
