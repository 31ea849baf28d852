//! `lapidary plugin key`, `sign` and `verify`: who stands behind a component.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args as ClapArgs;
use lapidary::{PluginKey, Signer};

use super::manifest::invalid;
use crate::model::{file_name, read};
use crate::screen;

/// Make a key to sign plugins with, and print its public half.
///
/// The file is PKCS #8 in PEM; whoever has it can sign as you.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin key me.pem")]
pub struct KeyArgs {
    /// The file to write. One that is there is left alone.
    file: PathBuf,
}

/// Sign a component, and print who did.
///
/// The signature is a custom section at the component's end: everything before it is signed, and the digest stays.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin sign --key me.pem count-words.wasm")]
pub struct SignArgs {
    /// A component's file.
    file: PathBuf,
    /// The private key, as `lapidary plugin key` or `openssl genpkey -algorithm ed25519` makes one.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed component goes. Without it, the file itself is replaced.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Say who signed a component, if it is unchanged since.
///
/// Ends with 2 when nobody did, when it was changed, or when the signer is none of those asked for.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary plugin verify --signer ed25519:… count-words.wasm")]
pub struct VerifyArgs {
    /// A component's file.
    file: PathBuf,
    /// Who may have signed it. May be given several times; without it, anybody.
    #[arg(long = "signer", value_name = "SIGNER")]
    signers: Vec<Signer>,
}

pub fn key(args: &KeyArgs) -> anyhow::Result<ExitCode> {
    let key = PluginKey::generate()?;
    write_private(&args.file, &key.to_pem()?)
        .with_context(|| format!("{}: cannot be made", args.file.display()))?;
    screen::result(&format!("{}\n", key.signer()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a new file that nobody else can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

pub fn sign(args: &SignArgs) -> anyhow::Result<ExitCode> {
    let pem = String::from_utf8(read(&args.key)?)
        .map_err(|_| invalid(args.key.display(), "expected a key in PEM".to_owned()))?;
    let key = PluginKey::from_pem(&pem)?;
    let signed = key.sign(&file_name(&args.file), &read(&args.file)?)?;
    let out = args.out.as_ref().unwrap_or(&args.file);
    fs::write(out, signed).with_context(|| format!("{}: cannot be written", out.display()))?;
    screen::result(&format!("{}\n", key.signer()))?;
    Ok(ExitCode::SUCCESS)
}

pub fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let name = file_name(&args.file);
    let subject = format!("plugin {name:?}");
    let info = lapidary::inspect(&name, &read(&args.file)?)?;
    let Some(signer) = info.signer else {
        let detail = "is not signed, or something was put behind its signature";
        return Err(invalid(subject, detail.to_owned()).into());
    };
    if !args.signers.is_empty() && !args.signers.contains(&signer) {
        let detail = format!("is signed by {signer}, which is none of the signers asked for");
        return Err(invalid(subject, detail).into());
    }
    screen::result(&format!("{signer}\n"))?;
    Ok(ExitCode::SUCCESS)
}
