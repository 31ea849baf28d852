//! `--watch`: which plugins' files changed since somebody last looked.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files, and what they looked like.
pub struct Watch {
    files: Vec<(PathBuf, Look)>,
}

/// When it was written and how long it is; `None` while there is no such file.
type Look = Option<(SystemTime, u64)>;

impl Watch {
    /// Looks at `files` for the first time.
    pub fn new(files: impl Iterator<Item = PathBuf>) -> Self {
        let files = files.map(|file| (file.clone(), look(&file)));
        Self {
            files: files.collect(),
        }
    }

    /// The files that changed since the last look. One that is gone for now is none of them.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for (file, last) in &mut self.files {
            let now = look(file);
            if now.is_some() && now != *last {
                *last = now;
                changed.push(file.clone());
            }
        }
        changed
    }
}

fn look(file: &Path) -> Look {
    let meta = file.metadata().ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_told_once_for_each_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.wasm");
        fs::write(&path, "1").expect("writable");
        let mut watch = Watch::new([path.clone()].into_iter());
        assert!(watch.changed().is_empty());
        fs::remove_file(&path).expect("it is there");
        assert!(watch.changed().is_empty());
        fs::write(&path, "22").expect("writable");
        assert_eq!(watch.changed(), [path]);
        assert!(watch.changed().is_empty());
    }
}
