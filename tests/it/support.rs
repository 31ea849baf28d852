//! What the tests share: one runtime, and bundles to break.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lapidary::{
    Bundle, ChatOptions, Limits, Runtime, RuntimeBuilder, Sampling, Segment, onnxruntime,
};
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
