//! `plugin.toml`: what the author's folder says of the plugin.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lapidary::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The manifest's file name.
pub const FILE: &str = "plugin.toml";

/// A plugin's folder and what its `plugin.toml` says.
pub struct Project {
    /// Where it is.
    pub folder: PathBuf,
    /// What it says.
    pub manifest: Manifest,
}

/// `plugin.toml`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In lower case, with `-` between words.
    pub name: String,
    /// Such as `0.1.0`.
    pub version: String,
    /// What it exports.
    pub world: WorldName,
    /// What it is written in.
    pub language: Language,
    /// The interfaces of the host that it uses, such as `clock`: requests for grants. Rust tells them from the
    /// code; the other languages import what is named here.
    #[serde(default)]
    pub imports: Vec<String>,
    /// It takes over what its older versions kept: it exports `handover`. Rust tells that from the code, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopts: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a plugin is, as its author says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum WorldName {
    /// Tools for the model: the world `tool-provider`.
    #[value(alias = "tool-provider")]
    Tool,
    /// A template and a parser: the world `chat-format`.
    #[value(alias = "chat-format")]
    Format,
    /// A program that drives the model: the world `agent`.
    Agent,
    /// What leans on the choice of tokens: the world `logits-processor`.
    #[value(alias = "logits-processor")]
    Logits,
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// With the crate `lapidary-guest`.
    Rust,
    /// Through componentize-py.
    Python,
    /// Through componentize-qjs.
    Js,
    /// Through zig cc or wasi-sdk's clang.
    C,
}

impl Project {
    /// Reads the manifest in `folder`.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| {
            let detail = "cannot be read; `lapidary plugin new` makes one";
            Error::new(ErrorKind::Io, path.display().to_string(), detail).with_source(source)
        })?;
        let manifest: Manifest = toml::from_str(&text)
            .map_err(|error| invalid(path.display(), error.message().to_owned()))?;
        check_name(&manifest.name)?;
        let folder = folder.to_owned();
        Ok(Self { folder, manifest })
    }

    /// Where `lapidary plugin build` puts the component unless it is told otherwise.
    pub fn component(&self) -> PathBuf {
        let file = format!("{}.wasm", self.manifest.name);
        self.folder.join("build").join(file)
    }

    /// `component`, or else what `lapidary plugin build` made.
    pub fn built(&self, component: Option<&Path>) -> anyhow::Result<PathBuf> {
        if let Some(file) = component {
            return Ok(file.to_owned());
        }
        let file = self.component();
        if file.is_file() {
            return Ok(file);
        }
        let detail = "is not there; run `lapidary plugin build` first";
        Err(Error::new(ErrorKind::Io, file.display().to_string(), detail).into())
    }
}

/// A name that is a crate's, a file's and part of a reference at once.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && !name.ends_with('-') && name.chars().all(is_part) {
        return Ok(());
    }
    let detail = "expected lower-case letters, digits and - between them, beginning with a letter";
    Err(invalid(format!("plugin name {name:?}"), detail.to_owned()).into())
}

/// The author's input cannot be used.
pub fn invalid(subject: impl ToString, detail: String) -> Error {
    Error::new(ErrorKind::Invalid, subject.to_string(), detail)
}
