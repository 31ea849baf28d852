//! What a repository holds, as the hub tells it.

use serde_json::Value;

use super::client::Client;
use super::id::HubId;
use crate::error::{Error, Result};

/// A repository at one commit.
#[derive(Debug, PartialEq)]
pub(super) struct Listing {
    pub commit: String,
    pub files: Vec<RemoteFile>,
}

/// One file of a repository.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteFile {
    /// Relative to the repository, `/` between folders.
    pub path: String,
    pub size_bytes: u64,
    /// Of large files alone; the hub keeps none of the small ones.
    pub sha256: Option<String>,
}

/// A list of files is smaller than this.
const LISTING_BYTES_MAX: u64 = 16 << 20;

impl Listing {
    /// Asks the hub.
    pub fn ask(client: &Client, id: &HubId) -> Result<Self> {
        let revision = id.revision().replace('/', "%2F");
        let path = format!("/api/models/{}/revision/{revision}?blobs=true", id.path());
        let bytes = client.get_small(&path, LISTING_BYTES_MAX)?;
        let json = serde_json::from_slice(&bytes).map_err(|error| {
            Error::io(
                client.subject(),
                "expected a list of files as JSON, found none",
            )
            .with_source(error)
        })?;
        Self::of_json(&json).ok_or_else(|| {
            let detail =
                "expected a commit and files with sizes, found others; is HF_ENDPOINT a hub?";
            Error::io(client.subject(), detail)
        })
    }

    fn of_json(json: &Value) -> Option<Self> {
        let commit = json.get("sha")?.as_str()?.to_owned();
        let is_plain = commit.chars().all(|c| c.is_ascii_alphanumeric()) && !commit.is_empty();
        let files = json.get("siblings")?.as_array()?.iter().map(file);
        let files = files.collect::<Option<_>>()?;
        is_plain.then_some(Self { commit, files })
    }
}

fn file(json: &Value) -> Option<RemoteFile> {
    let large = json.get("lfs").filter(|large| large.is_object());
    let sha256 = large.map(|large| Some(large.get("sha256")?.as_str()?.to_lowercase()));
    Some(RemoteFile {
        path: json.get("rfilename")?.as_str()?.to_owned(),
        size_bytes: json.get("size")?.as_u64()?,
        sha256: sha256.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn large_files_have_a_checksum_and_small_ones_a_size() {
        let listing = Listing::of_json(&json!({"sha": "0a1b", "siblings": [
            {"rfilename": "config.json", "size": 5, "blobId": "x"},
            {"rfilename": "onnx/a.onnx_data", "size": 9, "lfs": {"sha256": "AB", "size": 9, "pointerSize": 1}},
        ]}));
        let listing = listing.unwrap();
        assert_eq!(listing.files[0].sha256, None);
        assert_eq!(listing.files[1].sha256.as_deref(), Some("ab"));
    }

    #[test]
    fn a_commit_that_could_leave_the_cache_is_no_listing() {
        assert_eq!(
            Listing::of_json(&json!({"sha": "../x", "siblings": []})),
            None
        );
        assert_eq!(Listing::of_json(&json!({"sha": "", "siblings": []})), None);
    }
}
