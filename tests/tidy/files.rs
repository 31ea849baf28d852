//! The repository's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file, by its path from the root with `/` between parts.
pub struct Source {
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files of the repository: what git has, and what it would take.
pub fn tracked() -> Option<Vec<String>> {
    let listing = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let output = Command::new("git")
        .current_dir(root())
        .args(listing)
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.split('\0').filter(|name| !name.is_empty());
    Some(names.map(str::to_owned).collect())
}

pub fn sources(extension: &str) -> Vec<Source> {
    let paths = tracked().unwrap_or_else(walked);
    assert!(paths.len() > 50, "expected the repository's files");
    let suffix = format!(".{extension}");
    let wanted = paths.into_iter().filter(|path| path.ends_with(&suffix));
    // Deleted but still in git's index: not there to be read.
    wanted
        .filter_map(|path| {
            let text = fs::read_to_string(root().join(&path)).ok()?;
            Some(Source { path, text })
        })
        .collect()
}

/// The same without git: the folders that hold code.
fn walked() -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<String> = ["host", "guests", "models", "tests", "examples"]
        .map(str::to_owned)
        .into();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root().join(&folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}/{name}");
            if entry.path().is_file() {
                found.push(path);
            } else if !["target", "work", "venv"].contains(&name.as_str()) {
                open.push(path);
            }
        }
    }
    found
}

pub fn library_sources() -> Vec<Source> {
    let is_library = |file: &Source| {
        file.path.starts_with("host/src/") && !file.path.starts_with("host/src/bin/")
    };
    sources("rs").into_iter().filter(is_library).collect()
}

pub fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}
