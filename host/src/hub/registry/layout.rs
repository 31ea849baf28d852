//! Artefacts in a folder: an OCI image layout.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::artefact::{Artefact, Descriptor, JSON_BYTES_MAX, MANIFEST_TYPE, check_digest};
use crate::error::{Error, Result};

const TAG: &str = "org.opencontainers.image.ref.name";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Descriptor>,
}

/// Adds an artefact to the layout in `folder` under `tag`, in place of one that had the tag. Makes the folder where
/// it is not there.
///
/// # Errors
/// `Io` when it cannot be written, `Invalid` when another thing is there.
pub fn write_layout(folder: &Path, tag: &str, artefact: &Artefact) -> Result<()> {
    let mut index = match folder.join("index.json").exists() {
        true => read_index(folder)?,
        false => Index {
            schema_version: 2,
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            manifests: Vec::new(),
        },
    };
    let mut descriptor = Descriptor::of(MANIFEST_TYPE, artefact.manifest());
    descriptor
        .annotations
        .insert(TAG.to_owned(), tag.to_owned());
    // What had the tag stays under its digest: somebody may have pinned it.
    for known in &mut index.manifests {
        if known.annotations.get(TAG).is_some_and(|name| name == tag) {
            known.annotations.remove(TAG);
        }
    }
    index
        .manifests
        .retain(|known| known.digest != descriptor.digest || known.annotations.contains_key(TAG));
    index.manifests.push(descriptor);
    for (digest, bytes) in artefact.blobs() {
        write(&blob(folder, &digest)?, bytes)?;
    }
    write(&blob(folder, &artefact.digest())?, artefact.manifest())?;
    write(
        &folder.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    let index = serde_json::to_vec(&index)
        .map_err(|source| Error::invalid(name(folder), "has no JSON").with_source(source))?;
    write(&folder.join("index.json"), &index)
}

/// The artefact that `tag` names in the layout in `folder`, or, where it begins with `sha256:`, the one with that
/// digest; without a tag, the last one.
///
/// # Errors
/// `Io` when it cannot be read, `Invalid` when there is no such artefact or it is damaged.
pub fn read_layout(folder: &Path, tag: Option<&str>) -> Result<Artefact> {
    let index = read_index(folder)?;
    let is_it = |found: &&Descriptor| {
        tag.is_none_or(|tag| match tag.starts_with("sha256:") {
            // A tag may be any text, another artefact's digest as well.
            true => found.digest == tag,
            false => found.annotations.get(TAG).is_some_and(|name| name == tag),
        })
    };
    let Some(found) = index.manifests.iter().rfind(is_it) else {
        let known: Vec<&str> = index
            .manifests
            .iter()
            .filter_map(|known| known.annotations.get(TAG))
            .map(String::as_str)
            .collect();
        let detail = format!(
            "expected {}, found {}",
            tag.unwrap_or("an artefact"),
            known.join(", ")
        );
        return Err(Error::invalid(name(folder), detail));
    };
    let manifest = read(&blob(folder, &found.digest)?, JSON_BYTES_MAX as u64)?;
    check_digest(&name(folder), &found.digest, &manifest)?;
    Artefact::assemble(&name(folder), manifest, &mut |wanted| {
        read(&blob(folder, &wanted.digest)?, wanted.size)
    })
}

fn read_index(folder: &Path) -> Result<Index> {
    let bytes = read(&folder.join("index.json"), JSON_BYTES_MAX as u64)?;
    serde_json::from_slice(&bytes).map_err(|source| {
        let detail = "expected index.json of an OCI layout, found something else";
        Error::invalid(name(folder), detail).with_source(source)
    })
}

/// Where a digest's bytes are. A digest that could lead out of the folder is none.
fn blob(folder: &Path, digest: &str) -> Result<PathBuf> {
    let hex = digest
        .strip_prefix("sha256:")
        .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let hex = hex.ok_or_else(|| {
        Error::invalid(
            name(folder),
            format!("expected a digest such as sha256:…, found {digest:?}"),
        )
    })?;
    Ok(folder.join("blobs").join("sha256").join(hex))
}

fn name(folder: &Path) -> String {
    format!("layout {}", folder.display())
}

/// A file of at most `bytes_max`. A pipe would wait for a writer, a device may never end.
fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let failed = |source| Error::reading(path, source);
    let refused = |detail: String| Error::invalid(path.display().to_string(), detail);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(refused("expected a file, found something else".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let mut file = file.take(bytes_max.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(refused(format!(
            "expected at most {bytes_max} bytes, found more"
        ))),
        false => Ok(bytes),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    written.map_err(|source| {
        let detail = format!("cannot be written: {source}");
        Error::io(path.display().to_string(), detail).with_source(source)
    })
}
