//! Bundles from a hub, and everything that goes wrong on the way.

use std::fs;
use std::path::{Path, PathBuf};

use lapidary::{Bundle, Error, ErrorKind, FetchProgress, FetchRequest, cached, fetch};
use tempfile::TempDir;

use crate::hub::{COMMIT, Failure, Hub};
use crate::support::{builder, greedy};

/// The embedded bundle on a hub, with another dtype and other things that nobody needs.
fn tiny_hub() -> Hub {
    let files = lapidary_tiny::files().iter().copied();
    let files = files.map(|(name, bytes)| (name, bytes.to_vec()));
    let others = [
        ("onnx/decoder_model_merged_fp16.onnx", vec![1; 10]),
        ("onnx/decoder_model_merged_fp16.onnx_data", vec![2; 10]),
        ("README.md", b"# Read me".to_vec()),
    ];
    Hub::new(files.chain(others))
}

/// A small hub of bytes without meaning.
fn small_hub() -> Hub {
    let data: Vec<u8> = (0..200_000).map(|index| (index % 251) as u8).collect();
    Hub::new([
        ("config.json", b"{}".to_vec()),
        ("onnx/embed_tokens_q4.onnx", vec![1; 100]),
        ("onnx/decoder_model_merged_q4.onnx", vec![2; 100]),
        (DATA, data),
    ])
}

const DATA: &str = "onnx/decoder_model_merged_q4.onnx_data";

fn request(hub: &Hub, cache: &TempDir) -> FetchRequest {
    FetchRequest::new("owner/name".parse().unwrap(), cache.path()).endpoint(&hub.address)
}

fn fetched(hub: &Hub, cache: &TempDir) -> lapidary::Result<PathBuf> {
    fetch(&request(hub, cache), &mut |_| {})
}

fn refusal(hub: &Hub) -> Error {
    let cache = tempfile::tempdir().unwrap();
    let error = fetched(hub, &cache).unwrap_err();
    assert_eq!(cached(&"owner/name".parse().unwrap(), cache.path()), None);
    error
}

fn data_in(folder: &Path) -> Vec<u8> {
    fs::read(folder.join(DATA)).unwrap()
}

fn expected_data() -> Vec<u8> {
    (0..200_000).map(|index| (index % 251) as u8).collect()
}

#[test]
fn a_fetched_file_is_whole_and_the_next_fetch_asks_for_none() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    let folder = fetched(&hub, &cache).unwrap();
    assert_eq!(data_in(&folder), expected_data());
    assert!(folder.ends_with(COMMIT));
    assert_eq!(
        cached(&"owner/name".parse().unwrap(), cache.path()),
        Some(folder)
    );
    let before = hub.seen().len();
    let mut needed = None;
    fetch(&request(&hub, &cache), &mut |progress| {
        if let FetchProgress::Needed { file_count, .. } = progress {
            needed = Some(file_count);
        }
    })
    .unwrap();
    assert_eq!((needed, hub.seen().len()), (Some(0), before + 1));
}

#[test]
fn progress_never_goes_back_and_ends_with_all_bytes() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    let (mut last, mut total) = (0, 0);
    fetch(&request(&hub, &cache), &mut |progress| match progress {
        FetchProgress::Needed { total_bytes, .. } => total = total_bytes,
        FetchProgress::Here { bytes, .. } => {
            assert!(bytes >= last);
            last = bytes;
        }
        FetchProgress::Waiting { .. } => {}
    })
    .unwrap();
    assert_eq!((last, total), (200_202, 200_202));
}

#[test]
fn a_file_that_is_cut_off_goes_on_where_it_stopped() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    hub.fail(DATA, [Failure::CutAfter(70_000), Failure::CutAfter(30_000)]);
    let folder = fetched(&hub, &cache).unwrap();
    assert_eq!(data_in(&folder), expected_data());
    let ranges: Vec<_> = hub
        .seen_of(DATA)
        .into_iter()
        .map(|seen| seen.range)
        .collect();
    let from = |byte: &str| Some(format!("bytes={byte}-"));
    assert_eq!(ranges, [None, from("70000"), from("100000")]);
}

#[test]
fn what_an_earlier_run_left_is_not_fetched_again() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    let cut = std::iter::once(Failure::CutAfter(50_000)).chain([Failure::Status(403, "Forbidden")]);
    hub.fail(DATA, cut);
    assert_eq!(fetched(&hub, &cache).unwrap_err().kind(), ErrorKind::Io);
    let folder = fetched(&hub, &cache).unwrap();
    assert_eq!(data_in(&folder), expected_data());
    let last = hub.seen_of(DATA).pop().unwrap();
    assert_eq!(last.range.as_deref(), Some("bytes=50000-"));
}

#[test]
fn a_hub_that_knows_no_ranges_sends_the_file_again() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    hub.fail(DATA, [Failure::CutAfter(70_000), Failure::NoRange]);
    assert_eq!(data_in(&fetched(&hub, &cache).unwrap()), expected_data());
}

#[test]
fn a_file_with_a_wrong_checksum_is_thrown_away_and_said() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    hub.fail(DATA, [Failure::Wrong]);
    let error = fetched(&hub, &cache).unwrap_err();
    assert_eq!(
        (error.kind(), error.subject()),
        (ErrorKind::Io, format!("file {DATA}").as_str())
    );
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(data_in(&fetched(&hub, &cache).unwrap()), expected_data());
}

#[test]
fn a_connection_that_is_always_cut_is_given_up() {
    let hub = small_hub();
    hub.fail(DATA, [Failure::CutAfter(0); 9]);
    let error = refusal(&hub);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("cut"), "{error}");
}

#[test]
fn a_gated_repository_asks_for_a_token_and_opens_with_it() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    hub.require("secret");
    let error = refusal(&hub);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    let wrong = fetch(&request(&hub, &cache).token("guess"), &mut |_| {}).unwrap_err();
    assert!(wrong.to_string().contains("does not open it"), "{wrong}");
    assert!(!format!("{wrong:?}").contains("guess"));
    assert!(fetch(&request(&hub, &cache).token("secret"), &mut |_| {}).is_ok());
}

#[test]
fn a_repository_that_is_not_there_is_the_callers_mistake() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    let request = FetchRequest::new("owner/other".parse().unwrap(), cache.path());
    let error = fetch(&request.endpoint(&hub.address), &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says() {
    let (hub, cache) = (small_hub(), tempfile::tempdir().unwrap());
    hub.fail(
        DATA,
        [Failure::Status(429, "1"), Failure::Status(503, "Busy")],
    );
    let mut waits = Vec::new();
    fetch(&request(&hub, &cache), &mut |progress| {
        if let FetchProgress::Waiting { wait } = progress {
            waits.push(wait.as_millis());
        }
    })
    .unwrap();
    assert_eq!(waits, [1_000, 2_000]);
}

#[test]
fn the_token_never_goes_to_another_host() {
    let (hub, storage) = (small_hub(), small_hub());
    let cache = tempfile::tempdir().unwrap();
    hub.require("secret");
    hub.store_at(&storage);
    let folder = fetch(&request(&hub, &cache).token("secret"), &mut |_| {}).unwrap();
    assert_eq!(data_in(&folder), expected_data());
    let elsewhere = storage.seen();
    assert_eq!(elsewhere.len(), 3);
    assert!(
        elsewhere.iter().all(|seen| seen.token.is_none()),
        "{elsewhere:?}"
    );
}

#[test]
fn a_file_name_that_leaves_the_folder_is_refused() {
    let hub = Hub::new([
        ("onnx/embed_tokens_q4.onnx", vec![1]),
        ("onnx/decoder_model_merged_q4.onnx", vec![1]),
        ("onnx/decoder_model_merged_q4.onnx_data/../../../x", vec![1]),
    ]);
    assert!(refusal(&hub).to_string().contains("stay in the folder"));
}

#[test]
fn a_hub_that_is_not_there_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let request = FetchRequest::new("owner/name".parse().unwrap(), cache.path());
    let error = fetch(&request.endpoint("http://127.0.0.1:1"), &mut |_| {}).unwrap_err();
    assert_eq!(
        (error.kind(), error.subject()),
        (ErrorKind::Io, "hub http://127.0.0.1:1")
    );
}

#[test]
fn a_fetched_bundle_chats_and_nothing_else_was_fetched() {
    let (hub, cache) = (tiny_hub(), tempfile::tempdir().unwrap());
    let request = request(&hub, &cache).dtype("fp32".parse().unwrap());
    let folder = fetch(&request, &mut |_| {}).unwrap();
    assert!(hub.seen_of("README.md").is_empty() && hub.seen_of("_fp16.onnx").is_empty());
    let runtime = builder()
        .bundle(Bundle::open(folder).unwrap())
        .build()
        .unwrap();
    assert!(runtime.chat("Hi", greedy(2)).unwrap().finish().is_ok());
}
