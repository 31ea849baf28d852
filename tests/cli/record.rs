//! `lapidary plugin record` and `replay`: what a plugin did in a chat, and what another version of it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::{refused, run, text};

/// A recording of a chat in which a component of these bytes, under the name `tool.wasm`, may be called.
struct Recording {
    folder: PathBuf,
}

impl Recording {
    fn of(name: &str, component: &[u8], flags: &[&str], prompt: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("record")
            .join(name);
        fs::create_dir_all(&folder).unwrap();
        let recording = Self { folder };
        let (out, tool) = (
            recording.path("run.jsonl"),
            recording.file("tool.wasm", component),
        );
        let arguments = [
            "plugin", "record", "--out", &out, "--greedy", "--plugin", &tool,
        ];
        let output = run(&[&arguments, flags, &[prompt]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        recording
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("run.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn replay(&self, component: &str, flags: &[&str]) -> Output {
        let recording = self.path("run.jsonl");
        let arguments = ["plugin", "replay", &recording, component];
        run(&[&arguments, flags].concat())
    }

    /// The same file, each `from` in it a `to`.
    fn change(&self, from: &str, to: &str) {
        let path = self.path("run.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

fn unchanged(output: &Output, count: usize) {
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(said, format!("0 of {count} changed\n"), "{errors}");
    assert!(output.status.success());
}

fn changed(output: &Output, lines: &[&str]) {
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    for line in lines {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn what_changed_in_a_tool_is_printed() {
    let calculator = lapidary_guests::TOOL_CALCULATOR;
    let prompt = "What is 17 times 23?";
    let recording = Recording::of("tool", calculator, &[], prompt);
    let tool = recording.path("tool.wasm");
    // What it offers, and the call.
    unchanged(&recording.replay(&tool, &[]), 2);
    let calls = recording.lines();
    let call = calls
        .iter()
        .find(|line| line["plugin"] == "tool.wasm" && line["call"].is_object())
        .unwrap();
    assert_eq!(call["outcome"]["content"], "391");
    // As if the version that was recorded had counted otherwise.
    recording.change("\"391\"", "\"392\"");
    let line = ", call calculator: /outcome/content: expected \"392\", found \"391\"\n";
    changed(&recording.replay(&tool, &[]), &[line, "1 of 2 changed\n"]);
    let other = recording.file("other.wasm", lapidary_guests::TOOL_WEATHER);
    refused(&recording.replay(&other, &[]), 2, "name one with --of");
    changed(
        &recording.replay(&other, &["--of", "tool.wasm"]),
        &[
            ", definitions: /outcome/definitions/0/name: expected \"calculator\", found \"weather\"\n",
            "/outcome/error: expected nothing, found",
            "has no tool",
            "2 of 2 changed\n",
        ],
    );
}

#[test]
fn the_clock_stands_where_it_stood() {
    let clock = lapidary_guests::TOOL_CLOCK;
    let flags = ["--grant", "clock"];
    let recording = Recording::of("clock", clock, &flags, "What time is it?");
    let tool = recording.path("tool.wasm");
    unchanged(&recording.replay(&tool, &[]), 2);
    let lines = recording.lines();
    let call = lines
        .iter()
        .find(|line| line["plugin"] == "tool.wasm" && line["call"].is_object());
    let asked = &call.unwrap()["host"][0];
    assert_eq!(asked["import"], "clock.now");
    let seconds = asked["answer"][0].to_string();
    recording.change(&format!("[{seconds},"), "[0,");
    changed(&recording.replay(&tool, &[]), &["call", "/outcome/content"]);
    recording.change("clock.now", "clock.then");
    changed(
        &recording.replay(&tool, &[]),
        &["asks clock.now[], to which the recording has no answer"],
    );
}

#[test]
fn a_chat_format_renders_and_reads_again() {
    let calculator = lapidary_guests::TOOL_CALCULATOR;
    let prompt = "What is 17 times 23?";
    let recording = Recording::of("format", calculator, &["--think"], prompt);
    let format = recording.file("gemma4-format", lapidary_guests::GEMMA4_FORMAT);
    // What it is, and two turns: the one that calls, and the one that answers.
    unchanged(&recording.replay(&format, &[]), 7);
    recording.change("\"type\":\"thought\"", "\"type\":\"text\"");
    changed(
        &recording.replay(&format, &[]),
        &[
            ", parse: /outcome/events/0/type: expected \"text\", found \"thought\"\n",
            " of 7 changed\n",
        ],
    );
    recording.change("<|channel>", "<|chanel>");
    changed(
        &recording.replay(&format, &[]),
        &[
            ", describe: /outcome/control_tokens/",
            ", constrain: /outcome/thought/open: expected \"<|chanel>\", found \"<|channel>\"\n",
        ],
    );
}

#[test]
fn what_is_no_recording_is_said() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record");
    fs::create_dir_all(&folder).unwrap();
    let (recording, tool) = (folder.join("no.jsonl"), folder.join("no.wasm"));
    fs::write(&tool, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let replay = |line: &str| {
        fs::write(&recording, line).unwrap();
        let paths = [&recording, &tool].map(|path| path.to_str().unwrap());
        run(&["plugin", "replay", paths[0], paths[1]])
    };
    refused(&replay(""), 2, "record` writes, found no line");
    refused(&replay("{}"), 2, "expected lines of no.wasm, found none");
    refused(&replay("[]"), 2, "expected one JSON object a line");
    let line = r#"{"plugin":"no.wasm","host":[],"render":{}}"#;
    refused(&replay(line), 2, "recording, \"call\"");
}

#[test]
fn a_recording_destroys_nothing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record-destroys");
    fs::create_dir_all(&folder).unwrap();
    let tool = folder.join("tool.wasm");
    fs::write(&tool, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let before = folder.join("before.jsonl");
    fs::write(&before, "kept").unwrap();
    let record = |out: &Path, plugin: &Path| {
        let paths = [out, plugin].map(|path| path.to_str().unwrap());
        run(&[
            "plugin", "record", "--out", paths[0], "--plugin", paths[1], "Hi",
        ])
    };
    refused(&record(&tool, &tool), 2, "found a component");
    refused(
        &record(&folder.join("none/run.jsonl"), &tool),
        2,
        "make the folder",
    );
    assert_eq!(fs::read(&tool).unwrap(), lapidary_guests::TOOL_CALCULATOR);
    refused(&record(&before, &folder.join("nope.wasm")), 1, "nope.wasm");
    assert_eq!(fs::read_to_string(&before).unwrap(), "kept");
}
