//! A folder of numbered pictures as a video.

use std::fs;
use std::path::{Path, PathBuf};

use super::image::{self, Pixels};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Names of frames end in one of these.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"];

/// The pictures of `folder` in the order of their names, numbers in names by value.
///
/// # Errors
/// `Io` for a folder that cannot be read; `Invalid` for one without pictures.
pub(super) fn list(folder: &Path, subject: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| Error::reading(folder, error))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(|error| Error::reading(folder, error))?;
    paths.retain(|path| is_picture(path));
    paths.sort_by_cached_key(|path| name_key(path));
    if paths.is_empty() {
        let endings = EXTENSIONS.join(", ");
        let detail = format!("expected a folder of pictures ({endings}), found none in it");
        return Err(Error::invalid(subject, detail));
    }
    Ok(paths)
}

/// One frame.
///
/// # Errors
/// `Io` for a file that cannot be read; as for an image otherwise.
pub(super) fn read(path: &Path, subject: &str, limits: &Limits) -> Result<Pixels> {
    let bytes = super::read_file(path, subject, limits)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    image::decode(&bytes, &format!("{subject} frame \"{name}\""), limits)
}

fn is_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    EXTENSIONS.contains(&extension.as_str()) && path.is_file()
}

/// The name with its runs of digits made comparable: a run's length, then the run.
fn name_key(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let mut key = String::new();
    let mut rest = name.as_ref() as &str;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (text, tail) = rest.split_at(start);
        let end = tail
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(tail.len());
        let digits = tail[..end].trim_start_matches('0');
        key.push_str(&format!("{text}{:04}{digits}", digits.len()));
        rest = &tail[end..];
    }
    key + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_ten_comes_after_frame_two() {
        let mut names = ["f10.png", "f2.png", "f002b.png", "f1.png", "g0.png"].map(PathBuf::from);
        names.sort_by_cached_key(|path| name_key(path));
        let sorted = ["f1.png", "f2.png", "f002b.png", "f10.png", "g0.png"];
        assert_eq!(names, sorted.map(PathBuf::from));
    }
}
