//! The checks of code: each takes a path and a text and returns one line for each violation.

use crate::files::is_test;
use crate::rust::{Word, code, module, named_modules, names_crate, supers, without_tests, words};

/// The library's modules by rank. Each may name those of lower ranks only.
const ORDER: [&[&str]; 6] = [
    &["error", "limits"],
    &["tensor", "chat"],
    &["media", "text", "graph", "sample"],
    &["model", "plugin", "constrain"],
    &["engine", "hub"],
    &["runtime"],
];

/// Allowed by rank, absent on purpose: plugins never see numbers, the engine never sees text or plugins.
const ABSENT: [(&str, &str); 8] = [
    ("plugin", "tensor"),
    ("plugin", "graph"),
    ("plugin", "media"),
    ("plugin", "sample"),
    ("plugin", "constrain"),
    ("engine", "media"),
    ("engine", "plugin"),
    ("engine", "text"),
];

/// Where each engine may be named: upgrading it touches that folder and nothing else.
const HOMES: [(&str, &[&str]); 8] = [
    ("host/src/plugin/capability/", &["cap_std"]),
    ("host/src/graph/", &["ort"]),
    (
        "host/src/plugin/",
        &["wasmtime", "wasmparser", "ed25519_dalek"],
    ),
    ("host/src/text/", &["tokenizers"]),
    ("host/src/constrain/", &["llguidance"]),
    (
        "host/src/media/",
        &["image", "hound", "rubato", "realfft", "symphonia"],
    ),
    (
        "host/src/bin/",
        &[
            "clap",
            "anyhow",
            "rustyline",
            "ctrlc",
            "toml",
            "indicatif",
            "rmcp",
            "hyper",
        ],
    ),
    ("guests/lapidary-guest/src/", &["wit_bindgen"]),
];

/// Every entry of the repository's root.
pub const ROOT: [&str; 19] = [
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "examples",
    "guests",
    "host",
    "models",
    "tests",
    "wit",
];

const LINES_MAX: usize = 600;
const FILE_BYTES_MAX: u64 = 12 << 20;

pub fn order(path: &str, text: &str) -> Vec<String> {
    let module = module(path);
    let Some(&here) = module.first().filter(|name| **name != "lib") else {
        return Vec::new();
    };
    let Some(rank) = rank(here) else {
        return vec![format!("{path}: module {here} has no place in the order")];
    };
    let code = code(text);
    let tokens = without_tests(words(&code));
    let mut violations = Vec::new();
    for (line, target) in named_modules(&tokens) {
        let reason = match self::rank(target) {
            _ if target == here => continue,
            None => format!("names crate::{target}; name the module it comes from"),
            Some(other) if other >= rank => format!("{here} names {target}, which comes after it"),
            Some(_) if ABSENT.contains(&(here, target)) => format!("{here} must not know {target}"),
            Some(_) => continue,
        };
        violations.push(format!("{path}:{line}: {reason}"));
    }
    let climbs = supers(&tokens).filter(|(_, count)| *count >= module.len());
    violations.extend(
        climbs.map(|(line, _)| {
            format!("{path}:{line}: reaches the root through super; write crate::")
        }),
    );
    violations
}

pub fn homes(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let tokens = words(&code);
    let strangers = HOMES.iter().filter(|(home, _)| !path.starts_with(home));
    let mut violations = Vec::new();
    for (home, engines) in strangers {
        for engine in engines.iter() {
            let named = names_crate(&tokens, engine);
            violations.extend(
                named.map(|line| format!("{path}:{line}: names {engine}; only {home} may")),
            );
        }
    }
    violations
}

pub fn shape(path: &str, text: &str) -> Vec<String> {
    let count = text.lines().count();
    let long = (count > LINES_MAX).then(|| format!("{path}: {count} lines, at most {LINES_MAX}"));
    let mute = (path.ends_with(".rs") && !text.starts_with("//!"))
        .then(|| format!("{path}: expected to open with //!"));
    long.into_iter().chain(mute).collect()
}

pub fn unfinished(path: &str, text: &str) -> Vec<String> {
    const NEVER: [&[&str]; 5] = [
        &["todo", "!"],
        &["unimplemented", "!"],
        &["dbg", "!"],
        &["#", "[", "ignore"],
        &["#", "[", "should_panic"],
    ];
    const OUTSIDE_TESTS: [&[&str]; 1] = [&[".", "unwrap", "(", ")"]];
    let code = code(text);
    let all = words(&code);
    let mut violations = Vec::new();
    let mut find = |tokens: &[Word<'_>], patterns: &[&[&str]]| {
        for pattern in patterns {
            let found = tokens.windows(pattern.len()).filter(|window| {
                window
                    .iter()
                    .zip(*pattern)
                    .all(|(word, wanted)| word.text == *wanted)
            });
            violations.extend(
                found.map(|window| format!("{path}:{}: {}", window[0].line, pattern.concat())),
            );
        }
    };
    find(&all, &NEVER);
    if !is_test(path) {
        find(&without_tests(all), &OUTSIDE_TESTS);
    }
    violations
}

pub fn placement(path: &str) -> Option<String> {
    let entry = path.split('/').next().unwrap_or(path);
    (!ROOT.contains(&entry)).then(|| format!("{entry}: has no place in the root folder"))
}

pub fn size(path: &str, bytes: u64) -> Option<String> {
    (bytes > FILE_BYTES_MAX).then(|| format!("{path}: {bytes} bytes, at most {FILE_BYTES_MAX}"))
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|modules| modules.contains(&module))
}
