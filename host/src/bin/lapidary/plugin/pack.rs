//! `lapidary plugin pack`, `push` and `pull`: plugins as OCI artefacts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args as ClapArgs;
use lapidary::{Artefact, Login, Reference, inspect, read_layout, write_layout};

use super::lock::{Lock, Pin};
use super::manifest::{Project, invalid};
use crate::model::{file_name, read};
use crate::screen;

/// Pack a plugin as an OCI artefact into a folder, an OCI layout, and print its digest.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin pack count-words")]
pub struct PackArgs {
    /// The folder with plugin.toml; its version becomes the tag.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The component. Without it, what `lapidary plugin build` made in the folder.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The layout's folder. Without it, build/oci in the folder.
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Push a packed plugin to a registry, and print its digest.
///
/// Where an account is needed: LAPIDARY_REGISTRY is the registry that it is for, such as ghcr.io, LAPIDARY_REGISTRY_USER
/// and LAPIDARY_REGISTRY_PASSWORD are the account. No other registry gets it.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin push build/oci ghcr.io/me/count-words:0.1.0")]
pub struct PushArgs {
    /// The folder of an OCI layout.
    layout: PathBuf,
    /// Where it goes: registry, repository and tag.
    reference: Reference,
    /// Which of the layout's artefacts. Without it, the last one.
    #[arg(long)]
    tag: Option<String>,
}

/// Pull a plugin from a registry or an OCI layout, and print its digest.
///
/// The lock file keeps the digest of what came: the next pull of the same name brings exactly that again, or nothing.
/// Accounts are as with `lapidary plugin push`.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary plugin pull ghcr.io/me/count-words:0.1.0 --out count-words.wasm"
)]
pub struct PullArgs {
    /// A registry's ghcr.io/me/count-words:0.1.0, or oci:FOLDER:TAG.
    reference: String,
    /// Where the component goes.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// The lock file.
    #[arg(long, value_name = "FILE", default_value = "lapidary.lock")]
    lock: PathBuf,
    /// Take what the tag names now, and pin that.
    #[arg(long)]
    update: bool,
}

pub fn pack(args: &PackArgs) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.folder)?;
    let component = project.built(args.component.as_deref())?;
    let manifest = &project.manifest;
    let artefact = Artefact::new(&manifest.name, &manifest.version, read(&component)?)?;
    let layout = args
        .out
        .clone()
        .unwrap_or_else(|| args.folder.join("build").join("oci"));
    write_layout(&layout, &manifest.version, &artefact)?;
    screen::progress(&format!("oci:{}:{}", layout.display(), manifest.version));
    screen::result(&format!("{}\n", artefact.digest()))?;
    Ok(ExitCode::SUCCESS)
}

pub fn push(args: &PushArgs) -> anyhow::Result<ExitCode> {
    let artefact = read_layout(&args.layout, args.tag.as_deref())?;
    let login = login(&args.reference.registry);
    lapidary::push(&args.reference, &artefact, login.as_ref())?;
    screen::result(&format!("{}\n", artefact.digest()))?;
    Ok(ExitCode::SUCCESS)
}

pub fn pull(args: &PullArgs) -> anyhow::Result<ExitCode> {
    let mut lock = Lock::read(&args.lock)?;
    let pinned = lock.digest(&args.reference).filter(|_| !args.update);
    let artefact = fetch(&args.reference, pinned)?;
    let found = artefact.digest();
    if let Some(pinned) = pinned.filter(|pinned| **pinned != found) {
        let detail = format!("pins {} to {pinned}, found {found}", args.reference);
        return Err(invalid(args.lock.display(), detail).into());
    }
    let info = inspect(&file_name(&args.out), artefact.component())?;
    lock.pin(Pin {
        reference: args.reference.clone(),
        digest: found.clone(),
        component: info.digest,
        signer: info.signer.map(|signer| signer.to_string()),
    });
    lock.write(&args.lock)?;
    fs::write(&args.out, artefact.component())
        .with_context(|| format!("{}: cannot be written", args.out.display()))?;
    screen::result(&format!("{found}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The artefact that a reference names, or the one that was pinned.
fn fetch(reference: &str, pinned: Option<&str>) -> anyhow::Result<Artefact> {
    if let Some(place) = reference.strip_prefix("oci:") {
        let (folder, tag) = match place.rsplit_once(':') {
            Some((folder, tag)) if !tag.contains(['/', '\\']) => (folder, Some(tag)),
            _ => (place, None),
        };
        return Ok(read_layout(Path::new(folder), pinned.or(tag))?);
    }
    let mut reference: Reference = reference.parse()?;
    if let Some(pinned) = pinned {
        reference.digest = Some(pinned.to_owned());
    }
    let login = login(&reference.registry);
    Ok(lapidary::pull(&reference, login.as_ref())?)
}

/// The environment's account, if it is one at `registry`.
fn login(registry: &str) -> Option<Login> {
    let owner = std::env::var("LAPIDARY_REGISTRY").ok()?;
    if !owner.eq_ignore_ascii_case(registry) {
        return None;
    }
    let user = std::env::var("LAPIDARY_REGISTRY_USER").ok()?;
    let password = std::env::var("LAPIDARY_REGISTRY_PASSWORD").ok()?;
    Some(Login { user, password })
}
