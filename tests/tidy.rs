//! What holds for the whole repository: the one-way module order, one module for each engine, sizes,
//! and words that do not belong in finished code. `planted` tries each check on violations.

#[path = "tidy/checks.rs"]
mod checks;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/rust.rs"]
mod rust;

use std::fs;

use files::{Source, is_test, library_sources, read, root, sources, tracked};

/// Documents whose paths, commands and limits must exist.
const DOCUMENTS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

#[test]
fn modules_name_only_modules_before_them() {
    let library = library_sources();
    assert!(library.len() > 20, "expected the library's files");
    report(
        library
            .iter()
            .flat_map(|file| checks::order(&file.path, &file.text)),
    );
}

#[test]
fn each_engine_is_named_in_one_module() {
    // Examples and the evaluation are programs of their own and choose their crates.
    let programs = ["examples/", "models/evaluate/"];
    let is_program = |file: &Source| programs.iter().any(|folder| file.path.starts_with(folder));
    let is_ours = |file: &Source| !is_test(&file.path) && !is_program(file);
    let sources = sources("rs").into_iter().filter(is_ours);
    report(sources.flat_map(|file| checks::homes(&file.path, &file.text)));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let all = sources("rs").into_iter().chain(sources("py"));
    report(all.flat_map(|file| checks::shape(&file.path, &file.text)));
}

#[test]
fn nothing_is_unfinished() {
    report(
        sources("rs")
            .iter()
            .flat_map(|file| checks::unfinished(&file.path, &file.text)),
    );
}

#[test]
fn the_root_holds_what_was_agreed_and_no_file_is_huge() {
    // Without git nobody can say what belongs to the repository.
    let tracked = tracked().unwrap_or_default();
    let sizes = tracked
        .iter()
        .filter_map(|path| Some((path, fs::metadata(root().join(path)).ok()?.len())));
    let huge = sizes.flat_map(|(path, bytes)| checks::size(path, bytes));
    report(
        tracked
            .iter()
            .flat_map(|path| checks::placement(path))
            .chain(huge),
    );
}

#[test]
fn documents_name_paths_commands_and_limits_that_exist() {
    let commands = documents::subcommands(&read("host/src/bin/lapidary/main.rs"));
    assert!(commands.contains(&"chat".to_owned()), "{commands:?}");
    let limits = read("host/src/limits.rs");
    let exists =
        |path: &str| root().join(path).exists() || root().join("host/src").join(path).exists();
    for document in DOCUMENTS {
        let text = read(document);
        report(documents::stale_paths(document, &text, &exists));
        report(documents::stale_commands(document, &text, &commands));
        report(documents::stale_limits(document, &text, &limits));
    }
    report(documents::unnamed_commands(
        "README.md",
        &read("README.md"),
        &commands,
    ));
}

#[test]
fn rust_in_the_readme_is_compiled_somewhere() {
    let places = ["host/src/lib.rs", "guests/lapidary-guest/src/lib.rs"].map(read);
    report(documents::uncompiled(&read("README.md"), &places));
}

fn report(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<String> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
