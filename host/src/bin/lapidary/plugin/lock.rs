//! `lapidary.lock`: which plugin exactly each reference was.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::manifest::invalid;
use crate::model::read_if_there;

/// The file.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default, rename = "plugin")]
    pins: Vec<Pin>,
}

/// One reference and what it was.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// As it was asked for.
    pub reference: String,
    /// The artefact's digest.
    pub digest: String,
    /// The component's digest, as `lapidary plugin check` shows it.
    pub component: String,
    /// Who signed it, for people to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

impl Lock {
    /// The lock file, or an empty one where there is none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let Some(text) = read_if_there(path)? else {
            return Ok(Self::default());
        };
        toml::from_str(&text)
            .map_err(|error| invalid(path.display(), error.message().to_owned()).into())
    }

    /// The digest that `reference` is pinned to.
    pub fn digest(&self, reference: &str) -> Option<&str> {
        let pin = self.pins.iter().find(|pin| pin.reference == reference)?;
        Some(&pin.digest)
    }

    /// Keeps a pin in place of one for the same reference.
    pub fn pin(&mut self, pin: Pin) {
        self.pins.retain(|known| known.reference != pin.reference);
        self.pins.push(pin);
        self.pins
            .sort_by(|one, other| one.reference.cmp(&other.reference));
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, toml::to_string(self)?)
            .with_context(|| format!("{}: cannot be written", path.display()))
    }
}
