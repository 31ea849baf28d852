//! One file, in as many requests as it takes, checked before it gets its name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::cache::writing;
use super::client::Client;
use super::listing::RemoteFile;
use crate::error::{Error, Result};

/// Hears how a download gets on.
pub(super) trait Listener {
    /// So many bytes of the file are here.
    fn here(&mut self, bytes: u64);
    /// The hub asked for patience.
    fn waiting(&mut self, wait: Duration);
}

/// Cut-offs in a row without one new byte, before we give up.
const STALLS_MAX: u32 = 5;

/// Brings `file`, which is at `address`, to `goal`, from where an earlier try stopped.
///
/// # Errors
/// `Io` when the hub cuts it off for good, when it is not what its checksum says, or when it cannot be written.
pub(super) fn download(
    client: &Client,
    address: &str,
    file: &RemoteFile,
    goal: &Path,
    listener: &mut dyn Listener,
) -> Result<()> {
    let mut part = Part::open(goal, file)?;
    let mut stalls = 0;
    while part.written < file.size_bytes {
        let before = part.written;
        let Some(cut_off) = read_on(client, address, &mut part, listener)? else {
            continue;
        };
        stalls = if part.written > before { 0 } else { stalls + 1 };
        if stalls == STALLS_MAX {
            return Err(cut_off);
        }
    }
    part.finish(goal)
}

/// One request for what is still missing. Being cut off is an answer, since the next request goes on from there.
fn read_on(
    client: &Client,
    address: &str,
    part: &mut Part<'_>,
    listener: &mut dyn Listener,
) -> Result<Option<Error>> {
    let asked_from = part.written;
    let answer = client.get(address, asked_from, &mut |wait| listener.waiting(wait))?;
    // All of the file, or none of it: this hub knows no ranges, or not this one.
    if answer.status() != StatusCode::PARTIAL_CONTENT && asked_from > 0 {
        part.restart()?;
    }
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        let detail = format!("has no byte {asked_from} of {address}; run it again");
        return Ok(Some(Error::io(client.subject(), detail)));
    }
    let mut reader = answer.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) if part.is_whole() => return Ok(None),
            Ok(0) => return Ok(Some(cut_off(client, address))),
            Ok(count) => part.append(&buffer[..count])?,
            Err(cause) => return Ok(Some(cut_off(client, address).with_source(cause))),
        }
        listener.here(part.written);
    }
}

fn cut_off(client: &Client, address: &str) -> Error {
    let detail = format!("cut {address} off again and again; run it again, it goes on from there");
    Error::io(client.subject(), detail)
}

/// The beginning of a file, beside its goal.
struct Part<'f> {
    expected: &'f RemoteFile,
    path: PathBuf,
    file: File,
    hash: Sha256,
    written: u64,
}

impl<'f> Part<'f> {
    /// What an earlier try left, or nothing.
    fn open(goal: &Path, expected: &'f RemoteFile) -> Result<Self> {
        let path = goal.with_added_extension("part");
        let parent = goal.parent().unwrap_or(Path::new(""));
        let opened = fs::create_dir_all(parent).and_then(|()| {
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true).open(&path)
        });
        let file = opened.map_err(|cause| writing(&path, cause))?;
        let mut part = Self {
            expected,
            path,
            file,
            hash: Sha256::new(),
            written: 0,
        };
        part.read_back()?;
        if part.written > expected.size_bytes {
            part.restart()?;
        }
        Ok(part)
    }

    /// The checksum covers what was fetched before, too.
    fn read_back(&mut self) -> Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = self.file.read(&mut buffer);
            match read.map_err(|cause| Error::reading(&self.path, cause))? {
                0 => return Ok(()),
                count => {
                    self.hash.update(&buffer[..count]);
                    self.written += count as u64;
                }
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.written == self.expected.size_bytes
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.written + bytes.len() as u64;
        if written > self.expected.size_bytes {
            return Err(self.discard(&format!("{written} bytes and more")));
        }
        let added = self.file.write_all(bytes);
        added.map_err(|cause| writing(&self.path, cause))?;
        self.hash.update(bytes);
        self.written = written;
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0);
        emptied.map_err(|cause| writing(&self.path, cause))?;
        (self.hash, self.written) = (Sha256::new(), 0);
        Ok(())
    }

    /// Gives the file its name, if it is what it should be.
    fn finish(mut self, goal: &Path) -> Result<()> {
        let found = hex(&self.hash.finalize_reset());
        if let Some(expected) = &self.expected.sha256
            && *expected != found
        {
            return Err(self.discard(&format!("SHA-256 {found}")));
        }
        let named = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, goal));
        named.map_err(|cause| writing(goal, cause))
    }

    /// A file that went wrong is of no use to the next try.
    fn discard(&self, found: &str) -> Error {
        // If it stays, the next try finds it wrong again and says so again.
        let _ = fs::remove_file(&self.path);
        let RemoteFile {
            path,
            size_bytes,
            sha256,
            ..
        } = self.expected;
        let sum = sha256
            .as_deref()
            .map_or(String::new(), |sum| format!(" with SHA-256 {sum}"));
        let detail = format!("expected {size_bytes} bytes{sum}, found {found}; run it again");
        Error::io(format!("file {path}"), detail)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
