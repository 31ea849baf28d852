//! The grant `files`: folders that no path leads out of.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::{Refusal, RefusalKind};
use crate::plugin::Check;
use crate::plugin::grants::Access;

/// Folders by their name. `cap_std` resolves every path inside them, link by link.
pub(in crate::plugin) struct Folders {
    folders: BTreeMap<String, (Dir, Access)>,
    bytes_max: usize,
}

/// Names that one listing may have.
const NAMES_MAX: usize = 10_000;

impl Folders {
    pub(super) fn open(granted: &[(PathBuf, Access)], bytes_max: usize) -> Check<Self> {
        let folders = granted.iter().map(|(path, access)| {
            let (name, folder) = open(path)?;
            Ok((name, (folder, *access)))
        });
        let folders: BTreeMap<_, _> = folders.collect::<Check<_>>()?;
        if folders.len() < granted.len() {
            return Err("is granted two folders of the same last name; rename one".into());
        }
        Ok(Self { folders, bytes_max })
    }

    pub(in crate::plugin) fn read(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let (folder, _, inner) = self.resolve(path)?;
        let told = |cause| refusal(path, &cause);
        // A pipe would wait for a writer.
        if !folder.metadata(inner).map_err(told)?.is_file() {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                "files.no-file",
                format!("{path}: expected a file"),
            ));
        }
        let mut bytes = Vec::new();
        let file = folder.open(inner).map_err(told)?;
        let most = self.bytes_max as u64 + 1;
        file.take(most).read_to_end(&mut bytes).map_err(told)?;
        self.check_size(bytes.len())?;
        Ok(bytes)
    }

    pub(in crate::plugin) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Refusal> {
        use std::io::Write;
        let (folder, access, inner) = self.resolve(path)?;
        if access != Access::Write {
            return Err(Refusal::denied(
                "files.read-only",
                format!("{path}: its folder was granted for reading; grant it with :rw"),
            ));
        }
        self.check_size(bytes.len())?;
        let told = |cause| refusal(path, &cause);
        let is_other = |meta: cap_std::fs::Metadata| !meta.is_file();
        if folder.metadata(inner).is_ok_and(is_other) {
            return Err(refusal(path, &ErrorKind::AlreadyExists.into()));
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let mut file = folder.open_with(inner, &options).map_err(told)?;
        file.write_all(bytes).map_err(told)
    }

    pub(in crate::plugin) fn names(&self, path: &str) -> Result<Vec<String>, Refusal> {
        let (folder, _, inner) = self.resolve(path)?;
        let told = |cause| refusal(path, &cause);
        let mut names = Vec::new();
        for entry in folder.read_dir(inner).map_err(told)? {
            let entry = entry.map_err(told)?;
            if names.len() == NAMES_MAX {
                let message = format!("{path}: expected at most {NAMES_MAX} names, found more");
                return Err(Refusal::new(RefusalKind::Limit, "files.names", message));
            }
            let slash = if entry.file_type().map_err(told)?.is_dir() {
                "/"
            } else {
                ""
            };
            names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The folder that the path begins with, and the rest of the path.
    fn resolve<'a>(&self, path: &'a str) -> Result<(&Dir, Access, &'a Path), Refusal> {
        let (name, inner) = path.split_once('/').unwrap_or((path, ""));
        let Some((folder, access)) = self.folders.get(name) else {
            let known: Vec<&str> = self.folders.keys().map(String::as_str).collect();
            let known = known.join(", ");
            let message = format!("{path}: expected a path that begins with one of: {known}");
            return Err(Refusal::denied("files.not-granted", message));
        };
        let inner = if inner.is_empty() { "." } else { inner };
        Ok((folder, *access, Path::new(inner)))
    }

    fn check_size(&self, bytes: usize) -> Result<(), Refusal> {
        match bytes > self.bytes_max {
            true => Err(Refusal::limit(
                "files.size",
                "file_bytes_max",
                self.bytes_max,
            )),
            false => Ok(()),
        }
    }
}

fn open(path: &Path) -> Check<(String, Dir)> {
    let told = |cause| {
        format!(
            "is granted {}, which cannot be opened: {cause}",
            path.display()
        )
    };
    let whole = path.canonicalize().map_err(told)?;
    let name = whole
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let folder = Dir::open_ambient_dir(&whole, ambient_authority()).map_err(told)?;
    Ok((name, folder))
}

fn refusal(path: &str, cause: &std::io::Error) -> Refusal {
    let (kind, code) = match cause.kind() {
        ErrorKind::NotFound => (RefusalKind::Invalid, "files.not-found"),
        // What `cap_std` says of a path that leads out.
        ErrorKind::PermissionDenied if cause.raw_os_error().is_none() => {
            (RefusalKind::Denied, "files.outside")
        }
        _ => (RefusalKind::Unavailable, "files.failed"),
    };
    // Without the system's own words: they may name paths outside.
    Refusal::new(kind, code, format!("{path}: {}", cause.kind()))
}
