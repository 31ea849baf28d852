//! Where fetched bundles are: `hub/<owner>/<name>/<commit>/` in the cache folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::id::HubId;
use crate::error::{Error, Result};

/// The folder of a repository's fetched files, if `id` was fetched into `cache`.
///
/// `cache` is what [`cache_folder`](crate::onnxruntime::cache_folder) gives, unless the fetch named another.
///
/// ```
/// let nowhere = std::path::Path::new("/nowhere");
/// assert_eq!(lapidary::cached(&"owner/name".parse()?, nowhere), None);
/// # Ok::<(), lapidary::Error>(())
/// ```
pub fn cached(id: &HubId, cache: &Path) -> Option<PathBuf> {
    let repository = repository(id, cache);
    let commit = fs::read_to_string(reference(id, &repository)).ok();
    let commit = commit.as_deref().map_or(id.revision(), str::trim);
    let folder = repository.join(commit);
    // Not a folder that holds nothing but the beginning of a file.
    let is_bundle = |name: &str| folder.join(name).is_file();
    (is_bundle("config.json") || is_bundle("genai_config.json")).then_some(folder)
}

/// The folder for the files of `commit`; made if it is not there.
pub(super) fn make(id: &HubId, cache: &Path, commit: &str) -> Result<PathBuf> {
    let folder = repository(id, cache).join(commit);
    fs::create_dir_all(&folder).map_err(|cause| writing(&folder, cause))?;
    Ok(folder)
}

/// Remembers which commit a revision was when it was fetched.
pub(super) fn remember(id: &HubId, cache: &Path, commit: &str) -> Result<()> {
    let path = reference(id, &repository(id, cache));
    let parent = path.parent().unwrap_or(cache);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, commit))
        .map_err(|cause| writing(&path, cause))
}

/// A file or folder of the cache that cannot be written.
pub(super) fn writing(path: &Path, cause: std::io::Error) -> Error {
    let detail = format!(
        "cannot be written: {cause}; make room, or set LAPIDARY_CACHE to a folder that has some"
    );
    Error::io(path.display().to_string(), detail).with_source(cause)
}

fn repository(id: &HubId, cache: &Path) -> PathBuf {
    cache.join("hub").join(id.path())
}

fn reference(id: &HubId, repository: &Path) -> PathBuf {
    // A branch may have slashes in its name; no name may begin with a dot.
    repository
        .join(".refs")
        .join(id.revision().replace('/', "%2F"))
}
