//! A bundle from a hub: what it holds, what of it is needed, and each file in turn.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cache;
use super::client::Client;
use super::download::{Listener, download};
use super::id::HubId;
use super::listing::{Listing, RemoteFile};
use crate::error::{Error, Result};
use crate::model::{DtypeChoice, needed_files};

/// The hub, where no other is named.
const ENDPOINT: &str = "https://huggingface.co";

/// What to fetch, and from where.
///
/// ```no_run
/// use lapidary::{Bundle, FetchRequest, onnxruntime};
/// let request = FetchRequest::new("onnx-community/gemma-4-E2B-it-ONNX".parse()?, onnxruntime::cache_folder()?)
///     .dtype("q4".parse()?)
///     .environment();
/// let folder = lapidary::fetch(&request, &mut |progress| eprintln!("{progress:?}"))?;
/// let bundle = Bundle::open(folder)?;
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone)]
pub struct FetchRequest {
    id: HubId,
    cache: PathBuf,
    dtype: DtypeChoice,
    endpoint: String,
    token: Option<String>,
    offline: bool,
}

/// How a fetch gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchProgress<'a> {
    /// What is needed, known before the first byte of it is fetched.
    Needed {
        /// Files that are not here yet.
        file_count: usize,
        /// Bytes of all that is needed, what is here included.
        total_bytes: u64,
    },
    /// So many bytes of all that is needed are here.
    Here {
        /// The file at work.
        file: &'a str,
        /// Of `total_bytes`.
        bytes: u64,
    },
    /// The hub asked for patience, or could not be reached.
    Waiting {
        /// Until the next try.
        wait: Duration,
    },
}

impl FetchRequest {
    /// Everything of `id` that a bundle needs, from huggingface.co into `cache`, without a token.
    pub fn new(id: HubId, cache: impl Into<PathBuf>) -> Self {
        Self {
            id,
            cache: cache.into(),
            dtype: DtypeChoice::default(),
            endpoint: ENDPOINT.to_owned(),
            token: None,
            offline: false,
        }
    }

    /// Which dtype of each graph. Without it the smallest exact enough: q4 where there is one.
    pub fn dtype(mut self, dtype: DtypeChoice) -> Self {
        self.dtype = dtype;
        self
    }

    /// Another hub, such as a mirror.
    pub fn endpoint(mut self, address: impl Into<String>) -> Self {
        self.endpoint = address.into();
        self
    }

    /// Who asks. The token goes to the hub alone, never where the hub sends us on to.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Takes `HF_ENDPOINT`, `HF_TOKEN` and `LAPIDARY_OFFLINE` from the environment, where they are set.
    pub fn environment(mut self) -> Self {
        let set = |name| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.trim().is_empty())
        };
        if let Some(endpoint) = set("HF_ENDPOINT") {
            self.endpoint = endpoint;
        }
        self.token = set("HF_TOKEN")
            .map(|token| token.trim().to_owned())
            .or(self.token);
        self.offline = set("LAPIDARY_OFFLINE").is_some_and(|value| value != "0");
        self
    }
}

impl std::fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No token.
        f.debug_struct("FetchRequest")
            .field("id", &self.id)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Fetches what the request's dtypes need and is not here yet. Returns the bundle's folder.
///
/// A fetch that was cut off is taken up where it stopped. Files appear under their names only when they are whole
/// and their checksum is right.
///
/// # Errors
/// `Invalid` when there is no such repository, or no ONNX bundle in it; `Bundle` when it lacks the dtype; `Io` for
/// the network, the token and the disk.
pub fn fetch(
    request: &FetchRequest,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<PathBuf> {
    let subject = format!("fetching {}", request.id);
    if request.offline {
        let detail = "is forbidden by LAPIDARY_OFFLINE; unset it once";
        return Err(Error::io(subject, detail));
    }
    let client = Client::new(&request.endpoint, request.token.clone())?;
    let listing = Listing::ask(&client, &request.id)?;
    let needed = needed(&listing, &request.dtype, &subject)?;
    let folder = cache::make(&request.id, &request.cache, &listing.commit)?;
    let _one_at_a_time = lock(&folder)?;
    let (here, missing): (Vec<_>, Vec<_>) =
        needed.into_iter().partition(|file| is_here(&folder, file));
    let bytes = |files: &[&RemoteFile]| files.iter().map(|file| file.size_bytes).sum::<u64>();
    progress(FetchProgress::Needed {
        file_count: missing.len(),
        total_bytes: bytes(&here) + bytes(&missing),
    });
    let mut before = bytes(&here);
    for file in missing {
        let mut reporter = Reporter {
            file: &file.path,
            before,
            progress: &mut *progress,
        };
        let address = format!(
            "/{}/resolve/{}/{}",
            request.id.path(),
            listing.commit,
            escaped(&file.path)
        );
        download(
            &client,
            &address,
            file,
            &folder.join(&file.path),
            &mut reporter,
        )?;
        before += file.size_bytes;
    }
    cache::remember(&request.id, &request.cache, &listing.commit)?;
    Ok(folder)
}

/// The files that are needed, none of which may lead out of the folder.
fn needed<'l>(
    listing: &'l Listing,
    dtype: &DtypeChoice,
    subject: &str,
) -> Result<Vec<&'l RemoteFile>> {
    let names: Vec<&str> = listing
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let needed = needed_files(&names, dtype, subject)?;
    let is_plain = |name: &str| {
        name.split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':']))
    };
    if let Some(name) = needed.iter().find(|name| !is_plain(name)) {
        let detail = format!("expected file names that stay in the folder, found {name:?}");
        return Err(Error::io(subject, detail));
    }
    Ok(listing
        .files
        .iter()
        .filter(|file| needed.contains(&file.path.as_str()))
        .collect())
}

/// A file has its name only once it was checked.
fn is_here(folder: &Path, file: &RemoteFile) -> bool {
    let found = fs::metadata(folder.join(&file.path));
    found.is_ok_and(|found| found.is_file() && found.len() == file.size_bytes)
}

/// Held while a folder is filled, so that two fetches do not write one file; the system lets go of it when we end.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|cause| cache::writing(&path, cause))
}

/// A path in an address.
fn escaped(path: &str) -> String {
    let escape = |byte: u8| match byte {
        b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    path.bytes().map(escape).collect()
}

struct Reporter<'a> {
    file: &'a str,
    /// Bytes of the files before.
    before: u64,
    progress: &'a mut dyn FnMut(FetchProgress<'_>),
}

impl Listener for Reporter<'_> {
    fn here(&mut self, bytes: u64) {
        let bytes = self.before + bytes;
        (self.progress)(FetchProgress::Here {
            file: self.file,
            bytes,
        });
    }

    fn waiting(&mut self, wait: Duration) {
        (self.progress)(FetchProgress::Waiting { wait });
    }
}
