//! One plugin as an artefact: manifest, config and component.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::plugin::inspect;

pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT_TYPE: &str = "application/wasm";
/// Manifests and configs are small.
pub(super) const JSON_BYTES_MAX: usize = 1 << 20;

/// A plugin as an OCI artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefact {
    manifest: Vec<u8>,
    config: Vec<u8>,
    component: Vec<u8>,
}

/// What a manifest says of one blob.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Artefact {
    /// Packs a component. `name` and `version` are its author's.
    ///
    /// # Errors
    /// As [`inspect`]: what no host would take is not packed.
    pub fn new(name: &str, version: &str, component: Vec<u8>) -> Result<Self> {
        let info = inspect(name, &component)?;
        let layer = Descriptor::of(COMPONENT_TYPE, &component);
        let config = json!({
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.digest],
            "component": {"imports": info.imports, "exports": info.exports},
        });
        let config = config.to_string().into_bytes();
        let mut annotations = BTreeMap::from([
            ("org.opencontainers.image.title".to_owned(), name.to_owned()),
            (
                "org.opencontainers.image.version".to_owned(),
                version.to_owned(),
            ),
            ("lapidary.world".to_owned(), info.world.name().to_owned()),
            ("lapidary.contract".to_owned(), info.version),
        ]);
        if let Some(signer) = info.signer {
            annotations.insert("lapidary.signer".to_owned(), signer.to_string());
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE.to_owned(),
            config: Descriptor::of(CONFIG_TYPE, &config),
            layers: vec![layer],
            annotations,
        };
        let manifest = serde_json::to_vec(&manifest).map_err(|source| {
            Error::invalid(name, "cannot be described as JSON").with_source(source)
        })?;
        Ok(Self {
            manifest,
            config,
            component,
        })
    }

    /// The digest that names it: `sha256:` and hex, of the manifest.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// The component's bytes.
    pub fn component(&self) -> &[u8] {
        &self.component
    }

    /// The manifest's bytes.
    pub(super) fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Everything but the manifest, each with its digest.
    pub(super) fn blobs(&self) -> [(String, &[u8]); 2] {
        [&self.config, &self.component].map(|bytes| (digest(bytes), bytes.as_slice()))
    }

    /// The artefact of a manifest whose blobs `fetch` brings; `subject` is where it comes from. Each is checked.
    pub(super) fn assemble(
        subject: &str,
        manifest: Vec<u8>,
        fetch: &mut dyn FnMut(&Descriptor) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let said: Manifest = serde_json::from_slice(&manifest).map_err(|source| {
            Error::invalid(
                subject,
                "expected the manifest of an artefact, found something else",
            )
            .with_source(source)
        })?;
        let [layer] = said.layers.as_slice() else {
            let detail = format!("expected one component, found {} layers", said.layers.len());
            return Err(Error::invalid(subject, detail));
        };
        if layer.media_type != COMPONENT_TYPE {
            let detail = format!(
                "expected a layer of {COMPONENT_TYPE}, found {:?}",
                layer.media_type
            );
            return Err(Error::invalid(subject, detail));
        }
        let config = said.config.checked(subject, JSON_BYTES_MAX, fetch)?;
        let component = layer.checked(subject, Limits::default().component_bytes_max, fetch)?;
        Ok(Self {
            manifest,
            config,
            component,
        })
    }
}

impl Descriptor {
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }

    /// The blob, if it is as long as said and not longer than `bytes_max`, and has this digest.
    fn checked(
        &self,
        subject: &str,
        bytes_max: usize,
        fetch: &mut dyn FnMut(&Self) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        if self.size > bytes_max as u64 {
            let found = format!("{} bytes", self.size);
            return Err(Error::limit(
                "component_bytes_max",
                subject,
                bytes_max,
                found,
            ));
        }
        let bytes = fetch(self)?;
        if bytes.len() as u64 != self.size {
            let (said, found) = (self.size, bytes.len());
            let detail = format!("expected {said} bytes of {}, found {found}", self.digest);
            return Err(Error::invalid(subject, detail));
        }
        check_digest(subject, &self.digest, &bytes)?;
        Ok(bytes)
    }
}

/// Refuses bytes that are not what a digest names.
pub(super) fn check_digest(subject: &str, expected: &str, bytes: &[u8]) -> Result<()> {
    let found = digest(bytes);
    if found == expected {
        return Ok(());
    }
    let detail =
        format!("expected the content {expected}, found {found}: it was changed or is damaged");
    Err(Error::invalid(subject, detail))
}

/// `sha256:` and hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_as_long_as_said() {
        let bytes = b"all of it";
        let checked = |size| {
            let said = Descriptor {
                size,
                ..Descriptor::of(COMPONENT_TYPE, bytes)
            };
            said.checked("x", 100, &mut |_| Ok(bytes.to_vec()))
        };
        assert_eq!(checked(9).expect("it is"), bytes);
        for size in [8, 10, 101] {
            assert!(checked(size).is_err(), "{size}");
        }
    }

    #[test]
    fn the_config_names_what_goes_in_and_out() {
        let clock = Artefact::new("clock", "1", lapidary_guests::TOOL_CLOCK.to_vec());
        let config = clock.expect("a tool").config;
        let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
        let component = &config["component"];
        let text = |field: &str| component[field].to_string();
        assert!(
            text("imports").contains("lapidary:plugin/clock@0.1.0"),
            "{component}"
        );
        assert!(
            text("exports").contains("lapidary:plugin/tools@0.1.0"),
            "{component}"
        );
    }
}
