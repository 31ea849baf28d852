//! What the tests share: one runtime, and bundles to break.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lapidary::{
    Bundle, ChatOptions, GenerateRequest, Generated, Limits, Media, Runtime, RuntimeBuilder,
    Sampling, Segment, onnxruntime,
};
use serde_json::Value;
use tempfile::TempDir;

/// The embedded model with the built-in tools. Building it fetches ONNX Runtime when this machine has none.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    builder()
        .builtin_tools()
        .build()
        .expect("the embedded model")
});

/// A builder that finds ONNX Runtime and keeps the plugins' machine code between test runs.
pub fn builder() -> RuntimeBuilder {
    onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}")).expect("ONNX Runtime");
    Runtime::builder().code_cache(code_cache())
}

pub fn code_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins")
}

/// A runtime with other limits.
pub fn bounded(limits: Limits) -> Runtime {
    builder()
        .builtin_tools()
        .limits(limits)
        .build()
        .expect("the embedded model")
}

/// At most `tokens` of the likeliest.
pub fn greedy(tokens: usize) -> ChatOptions {
    ChatOptions {
        max_tokens: Some(tokens),
        sampling: Some(Sampling::greedy()),
        ..ChatOptions::default()
    }
}

/// Ids of trusted text, control tokens spelled out.
pub fn ids(text: &str) -> Vec<u32> {
    RUNTIME
        .tokenizer()
        .encode(&[Segment::Control(text)])
        .expect("ids")
}

/// The embedded bundle as files, to be broken.
pub fn bundle_on_disk() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in lapidary_tiny::files() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    folder
}

/// Loads a bundle from a folder.
pub fn load(folder: &TempDir) -> lapidary::Result<Runtime> {
    builder().bundle(Bundle::open(folder.path())?).build()
}

fn reference_file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny/reference/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// Ids of a prompt with a picture and a recording, and the two.
pub fn seen_and_heard() -> (Vec<u32>, Vec<Media>) {
    let (json, _) = lapidary_tiny::reference();
    let json: Value = serde_json::from_slice(json).unwrap();
    let case = &json["cases"]["image_audio"];
    let ids = serde_json::from_value(case["input_ids"].clone()).unwrap();
    let name = |kind: &str| case[kind][0].as_str().unwrap().to_owned();
    let image = Media::image(reference_file(&name("images")));
    (
        ids,
        vec![image, Media::audio(reference_file(&name("audio")))],
    )
}

/// Four greedy tokens with all logits.
pub fn request(ids: Vec<u32>, media: Vec<Media>) -> GenerateRequest {
    GenerateRequest {
        ids,
        media,
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(4),
        ignore_eos: true,
        logits: true,
        ..GenerateRequest::default()
    }
}

/// The same ids, and logits within what another order of summation changes.
pub fn assert_same(found: &Generated, expected: &Generated) {
    assert_eq!(found.ids, expected.ids);
    let rows = |generated: &Generated| {
        let prefill = generated.logits_prefill.clone().unwrap();
        let decode = generated.logits_decode.clone().unwrap();
        [prefill.into_data(), decode.into_data()].concat()
    };
    let (found, expected) = (rows(found), rows(expected));
    assert_eq!(found.len(), expected.len());
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    assert!(difference.fold(0.0, f32::max) <= 1e-4);
}
