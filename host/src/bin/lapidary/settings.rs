//! `lapidary.toml`: defaults for flags that were not given.

use std::collections::BTreeMap;
use std::path::Path;

use lapidary::{Fallback, Grants, OnFailure, PluginLimits};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::read_if_there;

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
    /// What plugins may do, by the name of their file.
    #[serde(default)]
    pub plugins: BTreeMap<String, PluginSettings>,
}

/// What one plugin may do.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginSettings {
    /// As `--grant` takes them.
    pub grants: Vec<String>,
    /// In place of the general limits.
    pub limits: PluginLimits,
    /// `fail` or `bypass`.
    pub on_failure: OnFailure,
    /// What a tool or an agent that fails is answered for with; `native` for a chat format.
    pub fallback: Option<String>,
    /// What a logits processor is told.
    pub config: Option<Map<String, Value>>,
}

impl PluginSettings {
    /// The grants with their limits and policy.
    pub fn grants(&self) -> lapidary::Result<Grants> {
        let none = Grants::none()
            .with_limits(self.limits)
            .with_on_failure(self.on_failure);
        let answered = match &self.fallback {
            Some(text) => none.with_fallback(Fallback::text(text.as_str())),
            None => none,
        };
        self.grants
            .iter()
            .try_fold(answered, |all, one| all.with_text(one))
    }
}

/// Reads `lapidary.toml` in the working directory, where there is one.
pub fn read() -> anyhow::Result<Settings> {
    let path = Path::new("lapidary.toml");
    let Some(text) = read_if_there(path)? else {
        return Ok(Settings::default());
    };
    toml::from_str(&text).map_err(|error| {
        let detail = format!(
            "expected model, provider, dtype or plugins: {}",
            error.message()
        );
        lapidary::Error::new(lapidary::ErrorKind::Invalid, "lapidary.toml", detail).into()
    })
}
