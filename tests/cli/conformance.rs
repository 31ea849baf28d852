//! Chat formats against the conformance corpus, and the templates that run in the sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{run, text, with_input};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conformance");

fn report(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(&[&["plugin", "test", "--conformance", "--json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        report.unwrap_or_else(|_| panic!("{}", text(&output.stderr))),
    )
}

fn own_template(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("templates/{name}.jinja"))
}

/// The prompts, null for what is refused.
fn prompts(flags: &[&str], requests: &[Value]) -> Vec<Value> {
    let lines: String = requests
        .iter()
        .map(|request| format!("{request}\n"))
        .collect();
    let output = with_input(&[&["render", "--jsonl"], flags].concat(), lines);
    let answers = text(&output.stdout);
    let answers = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let prompts = answers.map(|answer| match answer["error"]["kind"].as_str() {
        None | Some("invalid") => answer["text"].clone(),
        Some(_) => answer["error"].clone(),
    });
    prompts.collect()
}

fn greeting() -> Value {
    serde_json::json!({"messages": [{"role": "user", "content": "Hi"}]})
}

#[test]
fn the_builtin_format_passes_every_case() {
    let (code, report) = report(&["gemma4"]);
    assert_eq!((code, &report["failed"]), (Some(0), &0.into()), "{report}");
    assert!(report["passed"].as_u64() > Some(1_500), "{report}");
}

#[test]
fn the_corpus_may_be_a_folder() {
    let (code, of_folder) = report(&["gemma4", "--corpus", FOLDER]);
    let (_, embedded) = report(&["gemma4"]);
    assert_eq!((code, of_folder), (Some(0), embedded));
}

#[test]
fn a_format_that_differs_is_told_where() {
    let template = own_template("turns");
    let (code, report) = report(&["--template", template.to_str().unwrap()]);
    assert_eq!(code, Some(4));
    assert!(report["failed"].as_u64() > Some(0), "{report}");
    let failure = &report["failures"][0];
    assert_eq!(failure["stage"], "render");
    assert_ne!(failure["expected"], failure["found"]);
    // The parser is Gemma 4's own.
    let stages = report["failures"].as_array().unwrap().iter();
    assert!(stages.clone().all(|failure| failure["stage"] == "render"));
}

#[test]
fn templates_render_in_the_sandbox_as_transformers_renders_them() {
    let cases = fs::read_to_string(Path::new(FOLDER).join("templates.jsonl")).unwrap();
    let cases: Vec<Value> = cases
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for name in ["turns", "python"] {
        let cases = || cases.iter().filter(|case| case["template"] == name);
        let requests: Vec<Value> = cases().map(|case| case["request"].clone()).collect();
        let template = own_template(name);
        let found = prompts(&["--template", template.to_str().unwrap()], &requests);
        assert_eq!(found.len(), requests.len());
        for (case, found) in cases().zip(&found) {
            assert_eq!(found, &case["text"], "{name}: {}", case["request"]);
        }
    }
}

/// The official templates are not part of this repository: LAPIDARY_TEMPLATES names a folder that has them.
#[test]
fn the_official_templates_pass_every_case_in_the_sandbox() {
    let Some(folder) = std::env::var_os("LAPIDARY_TEMPLATES") else {
        return;
    };
    for variant in ["small", "large"] {
        let name = format!("gemma-4-{variant}.2026-07-09.chat_template.jinja");
        let template = Path::new(&folder).join(name);
        let (_, report) = report(&[
            "--template",
            template.to_str().unwrap(),
            "--variant",
            variant,
        ]);
        let failures = report["failures"].as_array().unwrap().iter();
        // A text iterated with `loop.last`, in a schema whose list is a text: the engine does not know the last.
        let unknown = failures.filter(|failure| {
            let case = failure["case"].as_str().unwrap();
            !case.starts_with("tools/tools-required-text")
        });
        assert_eq!(unknown.count(), 0, "{variant}: {report}");
    }
}

#[test]
fn a_bundle_speaks_by_its_own_template() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-template");
    for (name, bytes) in lapidary_tiny::files() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let folder = folder.to_str().unwrap();
    let native = prompts(&[], &[greeting()]);
    let template = Path::new(folder).join("chat_template.jinja");
    fs::write(
        &template,
        "<bos><|turn>user\n{{ messages[0].content }} there<turn|>\n<|turn>model",
    )
    .unwrap();
    let own = prompts(&["--model", folder], &[greeting()]);
    assert_eq!(own, ["<bos><|turn>user\nHi there<turn|>\n<|turn>model"]);
    assert_eq!(
        prompts(&["--model", folder, "--format", "gemma4"], &[greeting()]),
        native
    );
    let inspected = text(&run(&["inspect", folder]).stdout);
    let revision =
        "chat_template: Gemma 4 before 2026-07-09, the first: without OpenAI's tool history";
    assert!(inspected.contains(revision), "{inspected}");
    let asked = [
        "chat",
        "--model",
        folder,
        "--greedy",
        "--max-tokens",
        "4",
        "Hi",
    ];
    let answer = run(&asked);
    assert!(answer.status.success(), "{}", text(&answer.stderr));
    fs::write(&template, "{% if %}").unwrap();
    let broken = run(&asked);
    assert_eq!(broken.status.code(), Some(2), "{}", text(&broken.stderr));
    assert!(
        text(&broken.stderr).contains("the template fails"),
        "{}",
        text(&broken.stderr)
    );
}
