//! What grants open: the things behind the imports, one set for each plugin.

mod files;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod io;
mod key_value;
mod meter;
#[cfg(feature = "http")]
mod reach;
mod redact;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::files::Folders;
#[cfg(feature = "http")]
pub(super) use self::http::{Client, Held, HttpRequest, HttpResponse, Patience, is_hosts_header};
#[cfg(feature = "http")]
pub(super) use self::io::Io;
pub(super) use self::key_value::KeyValue;
pub(super) use self::meter::{Meter, Open};
#[cfg(feature = "http")]
use self::reach::Allowed;
use self::redact::Redactor;
use super::engine::Engines;
use super::grants::{Grant, Grants};
use super::subject;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Everything that one plugin may use.
pub(super) struct Capabilities {
    pub config: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, String>,
    redactor: Redactor,
    pub folders: Folders,
    pub key_value: Arc<KeyValue>,
    /// Whether `key_value` was granted.
    pub keeps: bool,
    pub meter: Arc<Meter>,
    /// None without the grant.
    #[cfg(feature = "http")]
    pub http: Option<Arc<Client>>,
}

impl Capabilities {
    /// Opens what `grants` name for the plugin called `name`.
    pub(super) fn open(name: &str, grants: &Grants, engines: &Engines) -> Result<Self> {
        let limits = engines.limits();
        let named = |reason| Error::invalid(subject(name), reason);
        let key_value = match grants.has(Grant::KeyValue) {
            true => engines.key_value(name, grants.key_value.as_deref())?,
            false => Arc::default(),
        };
        check_hosts(name, grants)?;
        Ok(Self {
            config: grants.config.clone(),
            secrets: grants.secrets.clone(),
            redactor: Redactor::new(&grants.secrets).map_err(named)?,
            folders: Folders::open(&grants.folders, limits.file_bytes_max).map_err(named)?,
            key_value,
            keeps: grants.has(Grant::KeyValue),
            meter: Arc::new(Meter::new(grants.inference.clone())),
            #[cfg(feature = "http")]
            http: match grants.has(Grant::Http) {
                true => {
                    let network = engines.io()?.handle().clone();
                    let client = Client::new(&grants.hosts, limits, network).map_err(named)?;
                    Some(Arc::new(client))
                }
                false => None,
            },
        })
    }

    /// Refuses what [`Self::open`] would refuse, and keeps nothing of it.
    pub(super) fn check(name: &str, grants: &Grants, limits: &Limits) -> Result<()> {
        Folders::open(&grants.folders, limits.file_bytes_max)
            .map_err(|reason| Error::invalid(subject(name), reason))?;
        KeyValue::open(grants.key_value.as_deref(), limits.key_value_bytes_max)?;
        check_hosts(name, grants)
    }

    /// The same, on a copy of what the plugin keeps.
    pub(super) fn apart(self) -> Self {
        let key_value = Arc::new(self.key_value.copy());
        Self { key_value, ..self }
    }

    /// `text` without this plugin's secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// The same of everything in `value`.
    pub(super) fn without_secrets(&self, value: Value) -> Value {
        self.redactor.value(value)
    }
}

/// Refuses hosts that are none.
#[cfg(feature = "http")]
fn check_hosts(name: &str, grants: &Grants) -> Result<()> {
    let allowed = Allowed::new(&grants.hosts).map(drop);
    allowed.map_err(|reason| Error::invalid(subject(name), reason))
}

/// Refuses all of them.
#[cfg(not(feature = "http"))]
fn check_hosts(name: &str, grants: &Grants) -> Result<()> {
    let reason = "is granted http, which this build leaves out; build with the feature http";
    match grants.has(Grant::Http) {
        true => Err(Error::unsupported(subject(name), reason)),
        false => Ok(()),
    }
}

/// Why a plugin did not get what it asked a capability for. It is told, and may go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub kind: RefusalKind,
    /// Stable and dotted: `files.outside`.
    pub code: Cow<'static, str>,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RefusalKind {
    Invalid,
    Denied,
    Limit,
    Cancelled,
    Unavailable,
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, code: &'static str, message: impl Into<String>) -> Self {
        let (code, message) = (Cow::Borrowed(code), message.into());
        Self {
            kind,
            code,
            message,
        }
    }

    fn denied(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Denied, code, message)
    }

    fn limit(code: &'static str, field: &str, max: impl std::fmt::Display) -> Self {
        let message = format!("expected at most {max}, found more ({field})");
        Self::new(RefusalKind::Limit, code, message)
    }
}
