//! The grant `key-value`: bytes under names, for one plugin.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Refusal, RefusalKind};
use crate::error::{Error, Result};

/// A plugin's store. A new version of the plugin, under the same name, goes on with it.
#[derive(Default)]
pub(in crate::plugin) struct KeyValue {
    entries: Mutex<BTreeMap<String, Vec<u8>>>,
    file: Option<PathBuf>,
    bytes_max: usize,
}

impl KeyValue {
    /// A store of at most `bytes_max`, read from `file` and kept there.
    pub(in crate::plugin) fn open(file: Option<&Path>, bytes_max: usize) -> Result<Self> {
        let entries = file.map(read).transpose()?.unwrap_or_default();
        Ok(Self {
            entries: Mutex::new(entries),
            file: file.map(Path::to_owned),
            bytes_max,
        })
    }

    pub(in crate::plugin) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries().get(key).cloned()
    }

    pub(in crate::plugin) fn keys(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    pub(in crate::plugin) fn set(
        &self,
        key: String,
        value: Vec<u8>,
    ) -> std::result::Result<(), Refusal> {
        let mut entries = self.entries();
        let others = entries.iter().filter(|(name, _)| **name != key);
        let held: usize = others.map(|(name, value)| cost(name, value)).sum();
        if held.saturating_add(cost(&key, &value)) > self.bytes_max {
            return Err(Refusal::limit(
                "key-value.size",
                "key_value_bytes_max",
                self.bytes_max,
            ));
        }
        entries.insert(key, value);
        self.keep(&entries)
    }

    pub(in crate::plugin) fn delete(&self, key: &str) -> std::result::Result<(), Refusal> {
        let mut entries = self.entries();
        entries.remove(key);
        self.keep(&entries)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Readers of the file see the old state or the new one.
    fn keep(&self, entries: &BTreeMap<String, Vec<u8>>) -> std::result::Result<(), Refusal> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let encoded: BTreeMap<&str, String> = entries
            .iter()
            .map(|(key, value)| (key.as_str(), STANDARD.encode(value)))
            .collect();
        let text = serde_json::to_vec(&encoded).expect("texts are JSON");
        let partial = file.with_extension("partial");
        let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, file));
        written.map_err(|cause| {
            Refusal::new(
                RefusalKind::Unavailable,
                "key-value.failed",
                format!("cannot be kept: {}", cause.kind()),
            )
        })
    }
}

/// What an entry counts, so that empty ones count too.
fn cost(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + 32
}

fn read(file: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
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
