//! What an operator allows one plugin.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::info::PluginInfo;
use super::policy::OnFailure;
use super::world::{Interface, PREVIEW};
use crate::chat::Fallback;
use crate::error::{Error, Result};
use crate::limits::PluginLimits;

/// A capability that a tool plugin or an agent may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// The time, and the operator's offset from UTC.
    Clock,
    /// Settings: names and values.
    Config,
    /// Secrets: as settings, and blanked in the plugin's log.
    Secrets,
    /// A small store that outlives the call.
    KeyValue,
    /// The folders named with it.
    Files,
    /// Requests to the hosts named with it.
    Http,
    /// The host's model, metered.
    Inference,
}

impl Grant {
    /// Every grant there is.
    pub const ALL: [Self; 7] = [
        Self::Clock,
        Self::Config,
        Self::Secrets,
        Self::KeyValue,
        Self::Files,
        Self::Http,
        Self::Inference,
    ];

    /// The name of the interface that it opens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Config => "config",
            Self::Secrets => "secrets",
            Self::KeyValue => "key-value",
            Self::Files => "files",
            Self::Http => "http",
            Self::Inference => "inference",
        }
    }

    /// What opens the interface `import`: one of ours, or one of WASI that this host has.
    pub(super) fn opening(import: &str) -> Option<Self> {
        match Interface::ours(import) {
            Some(ours) if PREVIEW && ours.name == "concurrent-http" => Some(Self::Http),
            Some(ours) => Self::ALL
                .into_iter()
                .find(|grant| grant.name() == ours.name),
            None => wasi(import),
        }
    }

    /// How the operator writes it, with the details that it needs.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Config => "config:NAME=VALUE",
            Self::Secrets => "secret:NAME",
            Self::KeyValue => "key-value",
            Self::Files => "files:FOLDER",
            Self::Http => "http:HOST",
            Self::Inference => "inference",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|grant| grant.name() == text);
        named.ok_or_else(|| unknown(text))
    }
}

/// The same for WASI: of 0.2 every release adds only.
fn wasi(import: &str) -> Option<Grant> {
    let (name, version) = import.split_once('@')?;
    let is_there = cfg!(feature = "http") && version.starts_with("0.2.");
    match name {
        "wasi:http/types" | "wasi:http/outgoing-handler" => Some(Grant::Http),
        // They wait and read for wasi:http, and open nothing themselves.
        "wasi:io/error" | "wasi:io/poll" | "wasi:io/streams" => Some(Grant::Http),
        "wasi:clocks/monotonic-clock" => Some(Grant::Clock),
        _ => None,
    }
    .filter(|_| is_there)
}

fn unknown(text: &str) -> Error {
    let known = Grant::ALL.map(Grant::usage).join(", ");
    Error::invalid(
        format!("grant \"{text}\""),
        format!("expected one of: {known}"),
    )
}

/// What may be done in a granted folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Read, make and replace files.
    Write,
}

/// Which addresses a granted host may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// Also this machine and private networks. Never the addresses of cloud metadata.
    Private,
}

/// How much of the host's model one plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferenceGrant {
    /// Names of models; empty: whichever the host runs.
    pub models: Vec<String>,
    /// Tokens of prompts and answers in any minute.
    pub tokens_per_minute: u32,
    /// How deep the model may call plugins that call the model: 1 lets a plugin that the caller's chat called
    /// use the model, and no plugin that this use calls.
    pub depth_max: u32,
}

impl Default for InferenceGrant {
    /// Any model, 20,000 tokens a minute, one deep.
    fn default() -> Self {
        Self {
            models: Vec::new(),
            tokens_per_minute: 20_000,
            depth_max: 1,
        }
    }
}

/// What one plugin was granted. Nothing, unless said.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Grants {
    granted: Vec<Grant>,
    pub(super) config: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) folders: Vec<(PathBuf, Access)>,
    pub(super) hosts: Vec<(String, Reach)>,
    pub(super) key_value: Option<PathBuf>,
    pub(super) inference: InferenceGrant,
    pub(super) limits: PluginLimits,
    pub(super) on_failure: OnFailure,
    pub(super) fallback: Option<Fallback>,
}

impl Grants {
    /// No grants.
    pub fn none() -> Self {
        Self::default()
    }

    /// The clock alone.
    pub fn clock() -> Self {
        Self::none().with(Grant::Clock)
    }

    /// What a component asks for, as far as this host has it.
    pub fn asked_by(info: &PluginInfo) -> Self {
        Self::named_by(&info.imports)
    }

    /// The grants that bring these imports.
    pub(super) fn named_by(imports: &[String]) -> Self {
        let asked = imports.iter().filter_map(|import| Grant::opening(import));
        let asked: Vec<Grant> = asked.collect();
        let named = |grant: &Grant| asked.contains(grant);
        Grant::ALL.into_iter().filter(named).collect()
    }

    /// Each grant in it.
    pub fn iter(&self) -> impl Iterator<Item = Grant> {
        self.granted.iter().copied()
    }

    /// The same grants and one more, without any detail: `Files` and `Http` alone open nothing yet.
    pub fn with(mut self, grant: Grant) -> Self {
        if !self.has(grant) {
            self.granted.push(grant);
        }
        self
    }

    /// The same grants, and one setting.
    pub fn with_config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(name.into(), value.into());
        self.with(Grant::Config)
    }

    /// The same grants, and one secret.
    pub fn with_secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secrets.insert(name.into(), value.into());
        self.with(Grant::Secrets)
    }

    /// The same grants, and a folder, which the plugin knows by its last name.
    pub fn with_folder(mut self, folder: impl Into<PathBuf>, access: Access) -> Self {
        self.folders.push((folder.into(), access));
        self.with(Grant::Files)
    }

    /// The same grants, and a host: `api.example.com`, `*.example.com`, with a port where it is not the usual one.
    /// Over TLS, unless it is written `http://host`.
    pub fn with_host(mut self, host: impl Into<String>, reach: Reach) -> Self {
        self.hosts.push((host.into(), reach));
        self.with(Grant::Http)
    }

    /// The same grants, and a store; `file` keeps it over restarts.
    pub fn with_key_value(mut self, file: Option<PathBuf>) -> Self {
        self.key_value = file;
        self.with(Grant::KeyValue)
    }

    /// The same grants, and so much of the model.
    pub fn with_inference(mut self, inference: InferenceGrant) -> Self {
        self.inference = inference;
        self.with(Grant::Inference)
    }

    /// The same grants, within other limits.
    pub fn with_limits(mut self, limits: PluginLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same grants, with another policy for failures.
    pub fn with_on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// The same grants, and the host's own answer to calls of a tool, or runs of an agent, that fail.
    pub fn with_fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = Some(fallback);
        self
    }

    /// The same grants, and what `text` says: `clock`, `config:NAME=VALUE`, `secret:NAME` (the value of that
    /// environment variable) or `secret:NAME=VARIABLE`, `key-value` or `key-value:FILE`, `files:FOLDER` or
    /// `files:FOLDER:rw`, `http:HOST` or `http-private:HOST`, `inference` or `inference:TOKENS_PER_MINUTE` or
    /// `inference:TOKENS_PER_MINUTE/DEPTH`.
    ///
    /// ```
    /// use lapidary::{Grant, Grants};
    /// let grants = Grants::none().with_text("http:api.example.com")?.with_text("config:unit=metric")?;
    /// assert!(grants.has(Grant::Http) && grants.has(Grant::Config) && !grants.has(Grant::Files));
    /// # Ok::<(), lapidary::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` for anything else, and for a variable that is not set.
    pub fn with_text(self, text: &str) -> Result<Self> {
        let (name, detail) = match text.split_once(':') {
            Some((name, detail)) => (name, Some(detail)),
            None => (text, None),
        };
        match (name, detail) {
            ("clock", None) => Ok(self.with(Grant::Clock)),
            ("config", Some(detail)) => detail
                .split_once('=')
                .map(|(name, value)| self.with_config(name, value))
                .ok_or_else(|| unknown(text)),
            ("secret", Some(detail)) => self.with_variable(text, detail),
            ("key-value", file) => Ok(self.with_key_value(file.map(PathBuf::from))),
            ("files", Some(detail)) => Ok(match detail.strip_suffix(":rw") {
                Some(folder) => self.with_folder(folder, Access::Write),
                None => self.with_folder(detail, Access::Read),
            }),
            ("http", Some(host)) => Ok(self.with_host(host, Reach::Public)),
            ("http-private", Some(host)) => Ok(self.with_host(host, Reach::Private)),
            ("inference", None) => Ok(self.with_inference(InferenceGrant::default())),
            ("inference", Some(detail)) => inference(detail)
                .map(|grant| self.with_inference(grant))
                .ok_or_else(|| unknown(text)),
            _ => Err(unknown(text)),
        }
    }

    fn with_variable(self, text: &str, detail: &str) -> Result<Self> {
        let (name, variable) = detail.split_once('=').unwrap_or((detail, detail));
        let value = std::env::var(variable).map_err(|_| {
            let detail = format!("expected the environment variable {variable} to be set");
            Error::invalid(format!("grant \"{text}\""), detail)
        })?;
        Ok(self.with_secret(name, value))
    }

    /// Whether `grant` was given.
    pub fn has(&self, grant: Grant) -> bool {
        self.granted.contains(&grant)
    }

    /// The folders, for who wants to show them.
    pub fn folders(&self) -> impl Iterator<Item = (&Path, Access)> {
        self.folders
            .iter()
            .map(|(path, access)| (path.as_path(), *access))
    }
}

fn inference(detail: &str) -> Option<InferenceGrant> {
    let (tokens, depth) = detail.split_once('/').unwrap_or((detail, "1"));
    Some(InferenceGrant {
        models: Vec::new(),
        tokens_per_minute: tokens.parse().ok()?,
        depth_max: depth.parse().ok()?,
    })
}

/// Names alone: what is secret stays so.
impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("granted", &self.granted)
            .field("folders", &self.folders)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// Grants as the operator writes them, several with commas between them, or nothing.
impl FromStr for Grants {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let entries = text.split(',').map(str::trim);
        let mut entries = entries.filter(|entry| !entry.is_empty());
        entries.try_fold(Self::none(), Self::with_text)
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().fold(Self::none(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_writes_is_what_is_granted() {
        let text = "clock, files:/srv/notes:rw, http-private:http://localhost:80, inference:50/2";
        let grants: Grants = text.parse().expect("grants");
        assert_eq!(
            grants.folders,
            [(PathBuf::from("/srv/notes"), Access::Write)]
        );
        assert_eq!(
            grants.hosts,
            [("http://localhost:80".to_owned(), Reach::Private)]
        );
        assert_eq!(grants.inference.tokens_per_minute, 50);
        assert_eq!(grants.inference.depth_max, 2);
        assert_eq!(grants.iter().count(), 4);
    }

    #[test]
    fn what_is_no_grant_is_told_the_grants() {
        for text in [
            "clok",
            "files",
            "clock:now",
            "config:x",
            "inference:many",
            "secret:NOT_SET_AT_ALL",
        ] {
            let error = text.parse::<Grants>().expect_err("no grant");
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let grants = Grants::none().with_secret("KEY", "hush");
        assert!(!format!("{grants:?}").contains("hush"));
    }
}
