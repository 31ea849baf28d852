//! The grant `key-value`: bytes under names, for one plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Refusal, RefusalKind};
use crate::error::{Error, Result};

/// A plugin's store. A new version of the plugin, under the same name, goes on with it, or with a copy that it
/// changed.
#[derive(Default)]
pub(in crate::plugin) struct KeyValue {
    held: Mutex<Held>,
    bytes_max: usize,
}

#[derive(Default)]
struct Held {
    entries: Entries,
    /// Where they are kept, unless another version's are.
    file: Option<PathBuf>,
}

type Entries = BTreeMap<String, Vec<u8>>;

impl KeyValue {
    /// A store of at most `bytes_max`, read from `file` and kept there.
    pub(in crate::plugin) fn open(file: Option<&Path>, bytes_max: usize) -> Result<Self> {
        let entries = file.map(read).transpose()?.unwrap_or_default();
        let file = file.map(Path::to_owned);
        Ok(Self {
            held: Mutex::new(Held { entries, file }),
            bytes_max,
        })
    }

    /// The same entries, kept nowhere.
    pub(in crate::plugin) fn copy(&self) -> Self {
        let entries = self.held().entries.clone();
        Self {
            held: Mutex::new(Held {
                entries,
                file: None,
            }),
            bytes_max: self.bytes_max,
        }
    }

    /// Is kept where `other` was, which is kept nowhere from now on.
    pub(in crate::plugin) fn replace(&self, other: &Self) -> std::result::Result<(), Refusal> {
        let mut other = other.held();
        let mut held = self.held();
        if let Some(file) = &other.file {
            keep(file, &held.entries)?;
        }
        held.file = other.file.take();
        Ok(())
    }

    pub(in crate::plugin) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.held().entries.get(key).cloned()
    }

    pub(in crate::plugin) fn keys(&self) -> Vec<String> {
        self.held().entries.keys().cloned().collect()
    }

    pub(in crate::plugin) fn set(
        &self,
        key: String,
        value: Vec<u8>,
    ) -> std::result::Result<(), Refusal> {
        let mut held = self.held();
        let others = held.entries.iter().filter(|(name, _)| **name != key);
        let others: usize = others.map(|(name, value)| cost(name, value)).sum();
        if others.saturating_add(cost(&key, &value)) > self.bytes_max {
            return Err(Refusal::limit(
                "key-value.size",
                "key_value_bytes_max",
                self.bytes_max,
            ));
        }
        let before = held.entries.insert(key.clone(), value);
        held.keep_or(key, before)
    }

    pub(in crate::plugin) fn delete(&self, key: &str) -> std::result::Result<(), Refusal> {
        let mut held = self.held();
        let before = held.entries.remove(key);
        held.keep_or(key.to_owned(), before)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Keeps a change, or takes it back.
    fn keep_or(
        &mut self,
        key: String,
        before: Option<Vec<u8>>,
    ) -> std::result::Result<(), Refusal> {
        self.keep().inspect_err(|_| {
            match before {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        })
    }

    fn keep(&self) -> std::result::Result<(), Refusal> {
        match &self.file {
            Some(file) => keep(file, &self.entries),
            None => Ok(()),
        }
    }
}

/// Readers of the file see the old state or the new one.
fn keep(file: &Path, entries: &Entries) -> std::result::Result<(), Refusal> {
    let encoded: BTreeMap<&str, String> = entries
        .iter()
        .map(|(key, value)| (key.as_str(), STANDARD.encode(value)))
        .collect();
    let text = serde_json::to_vec(&encoded).expect("texts are JSON");
    let mut partial = file.to_owned().into_os_string();
    partial.push(".partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, file));
    written.map_err(|cause| {
        Refusal::new(
            RefusalKind::Unavailable,
            "key-value.failed",
            format!("cannot be kept: {}", cause.kind()),
        )
    })
}

/// What an entry counts, so that empty ones count too.
fn cost(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + 32
}

fn read(file: &Path) -> Result<Entries> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Entries::new()),
        Err(error) => return Err(Error::reading(file, error)),
    };
    let damaged = || {
        let detail =
            "expected a plugin's store, found something else; remove it or name another file";
        Error::invalid(file.display().to_string(), detail)
    };
    let encoded: BTreeMap<String, String> = serde_json::from_slice(&text).map_err(|_| damaged())?;
    let decoded = encoded.into_iter().map(|(key, value)| {
        let value = STANDARD.decode(value).map_err(|_| damaged())?;
        Ok((key, value))
    });
    decoded.collect()
}
