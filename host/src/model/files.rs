//! Where a bundle's files are: a directory, or inside the program.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A bundle's files, by name relative to its root, `/` between folders.
#[derive(Clone, Debug)]
pub(crate) enum Files {
    Directory(PathBuf),
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "nothing is inside the program")
    )]
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl Files {
    /// The file's bytes, or `None` where there is no such file.
    pub fn find(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match self {
            Self::Directory(root) => match std::fs::read(root.join(name)) {
                Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Error::reading(&root.join(name), error)),
            },
            Self::Embedded(files) => Ok(embedded(files, name).map(Cow::Borrowed)),
        }
    }

    /// The file's bytes.
    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        self.find(name)?.ok_or_else(|| self.missing(name))
    }

    /// Whether the file is there.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::Directory(root) => root.join(name).is_file(),
            Self::Embedded(files) => embedded(files, name).is_some(),
        }
    }

    /// The file's size in bytes, or `None` where there is no such file.
    pub fn size_bytes(&self, name: &str) -> Option<u64> {
        match self {
            Self::Directory(root) => root.join(name).metadata().ok().map(|data| data.len()),
            Self::Embedded(files) => embedded(files, name).map(|bytes| bytes.len() as u64),
        }
    }

    /// How error messages and reports name the bundle.
    pub fn location(&self) -> String {
        match self {
            Self::Directory(root) => root.display().to_string(),
            Self::Embedded(_) => "the embedded model".to_owned(),
        }
    }

    /// The error for a file that has to be there.
    pub fn missing(&self, name: &str) -> Error {
        let detail =
            format!("expected a file {name}, found none; copy it from where the bundle came from");
        Error::bundle(format!("bundle {}", self.location()), detail)
    }
}

fn embedded(files: &'static [(&str, &[u8])], name: &str) -> Option<&'static [u8]> {
    files
        .iter()
        .find(|(file, _)| *file == name)
        .map(|(_, bytes)| *bytes)
}
