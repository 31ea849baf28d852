//! `lapidary fetch`, and what it fetched under the name of the hub.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::hub::{Failure, Hub};
use super::{lapidary, lines, refused, text};

const DECODER: &str = "onnx/decoder_model_merged.onnx_data";

fn hub() -> Hub {
    let files = lapidary_tiny::files().iter().copied();
    Hub::new(files.map(|(name, bytes)| (name, bytes.to_vec())))
}

/// A command with a cache of its own, and the ONNX Runtime of the usual one.
fn at(hub: &Hub, cache: &TempDir, arguments: &[&str]) -> Command {
    let library = lapidary::onnxruntime::locate_or_fetch(&mut |_| {}).unwrap();
    let mut command = lapidary(arguments);
    command.env("ORT_DYLIB_PATH", library.path);
    command.env("LAPIDARY_CACHE", cache.path());
    command.env("HF_ENDPOINT", &hub.address);
    command
        .env_remove("HF_TOKEN")
        .env_remove("LAPIDARY_OFFLINE");
    command
}

fn fetch(hub: &Hub, cache: &TempDir, id: &str) -> Output {
    at(hub, cache, &["fetch", id]).output().unwrap()
}

#[test]
fn a_fetched_bundle_is_a_model_by_its_hub_id() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let chat = [
        "chat",
        "--model",
        "owner/name",
        "--greedy",
        "--max-tokens",
        "2",
        "Hi",
    ];
    let before = at(&hub, &cache, &chat).output().unwrap();
    refused(&before, 5, "run `lapidary fetch owner/name` first");
    let output = fetch(&hub, &cache, "owner/name");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = text(&output.stdout);
    assert!(fs::exists(format!("{}/{DECODER}", folder.trim())).unwrap());
    assert!(
        text(&output.stderr).contains("14 files to fetch"),
        "{}",
        text(&output.stderr)
    );
    let after = at(&hub, &cache, &chat).output().unwrap();
    assert!(after.status.success(), "{}", text(&after.stderr));
    let inspect = at(&hub, &cache, &["inspect", "owner/name", "--json"])
        .output()
        .unwrap();
    let report = &lines(&inspect)[0];
    assert_eq!(report["layout"], "onnx-community");
    assert!(report["memory"]["kv_1k_bytes"].as_u64().unwrap() > 100_000);
}

#[test]
fn the_exit_code_says_who_has_to_act() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    refused(
        &fetch(&hub, &cache, "owner/other"),
        2,
        "has no /api/models/owner/other",
    );
    refused(&fetch(&hub, &cache, "no id"), 2, "expected owner/name");
    let wrong = at(&hub, &cache, &["fetch", "owner/name", "--dtype", "q4"])
        .output()
        .unwrap();
    refused(&wrong, 5, "embed graph in q4, found fp32");
    hub.fail(DECODER, [Failure::Wrong]);
    refused(&fetch(&hub, &cache, "owner/name"), 1, "SHA-256");
    let mut offline = at(&hub, &cache, &["fetch", "owner/name"]);
    refused(
        &offline.env("LAPIDARY_OFFLINE", "1").output().unwrap(),
        1,
        "LAPIDARY_OFFLINE",
    );
    hub.require("secret");
    refused(&fetch(&hub, &cache, "owner/name"), 1, "set HF_TOKEN");
    let mut with_token = at(&hub, &cache, &["fetch", "owner/name"]);
    assert!(
        with_token
            .env("HF_TOKEN", "secret")
            .status()
            .unwrap()
            .success()
    );
}
