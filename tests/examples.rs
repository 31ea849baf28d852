//! Every example runs, on the embedded model.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::PathBuf;
use std::process::Command;

/// Built by the same `cargo test`; where only this test was asked for, built now.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--example", name])
            .status()
            .unwrap();
        assert!(build.success(), "{name} does not build");
    }
    path
}

fn names() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_example_runs_and_says_something() {
    let names = names();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let output = Command::new(example(&name)).output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty(), "{name} printed nothing");
    }
}

#[test]
fn every_example_is_short() {
    for name in names() {
        let path = format!("{}/../examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= 80, "{name} has {lines} lines");
    }
}

#[test]
fn the_pipeline_reports_every_file_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in lapidary_tiny::demo() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    std::fs::write(folder.path().join("broken.png"), "no picture").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not asked about").unwrap();
    let output = Command::new(example("pipeline"))
        .arg(folder.path())
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = report.as_array().unwrap();
    assert_eq!(report.len(), 4, "{report:?}");
    assert!(report[0]["error"].as_str().unwrap().contains("image 1"));
    assert!(report[1..].iter().all(|entry| entry["answer"].is_string()));
}
