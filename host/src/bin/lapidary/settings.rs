//! `lapidary.toml`: defaults for flags that were not given.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// What the file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A bundle's directory.
    pub model: Option<String>,
    /// Such as `cpu` or `cuda:0,cpu`.
    pub provider: Option<String>,
    /// Such as `q4` or `embed=q4,decoder=q4f16`.
    pub dtype: Option<String>,
}

/// Reads `lapidary.toml` in the working directory, where there is one.
pub fn read() -> anyhow::Result<Settings> {
    let path = Path::new("lapidary.toml");
    if !path.exists() {
        return Ok(Settings::default());
    }
    let text = std::fs::read_to_string(path).context("lapidary.toml cannot be read")?;
    toml::from_str(&text).map_err(|error| {
        let detail = format!("expected model, provider or dtype: {}", error.message());
        lapidary::Error::new(lapidary::ErrorKind::Invalid, "lapidary.toml", detail).into()
    })
}
