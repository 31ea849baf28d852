//! The evaluation itself: its prompts are the trained ones, what is right counts, and what is wrong does not.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::Path;
use std::process::{Command, Output};

use lapidary::{
    Conversation, Engines, Format, Interrupt, Limits, Piece, RenderRequest, Thinking, ToolSpec,
};
use serde_json::{Value, json};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tiny/evaluation");

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(Path::new(CASES).join("cases.jsonl")).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str(line).unwrap());
    cases.collect()
}

/// What should be written at each turn, as an outputs file.
fn outputs(write: impl Fn(&str) -> String) -> String {
    let mut lines = String::new();
    for (number, case) in cases().iter().enumerate() {
        let segments = case["segments"].as_array().unwrap().iter();
        let targets = segments.filter(|segment| segment[1] == true);
        for (turn, target) in case["turns"].as_array().unwrap().iter().zip(targets) {
            let text = write(target[0].as_str().unwrap());
            lines += &format!("{}\n", json!({"case": number, "turn": turn, "text": text}));
        }
    }
    lines
}

fn evaluate(arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_evaluate"))
        .args(arguments)
        .output();
    command.unwrap()
}

fn scored(outputs: &str, skill: &str) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outputs.jsonl");
    std::fs::write(&file, outputs).unwrap();
    let file = file.to_str().unwrap();
    let output = evaluate(&["--json", "--skill", skill, "--outputs", file]);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap())
}

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["row"] == name).unwrap()
}

#[test]
fn what_should_be_written_counts_as_right_in_every_row() {
    let (code, report) = scored(&outputs(str::to_owned), "");
    for row in report["rows"].as_array().unwrap() {
        let expected = if row["bar"]["at-most"].is_number() || row["row"] == "commands" {
            &json!(0)
        } else {
            &row["of"]
        };
        assert_eq!(&row["count"], expected, "{row}");
    }
    assert_eq!(code, Some(0), "{report}");
}

#[test]
fn a_wrong_argument_and_an_open_end_count_as_wrong() {
    let (code, report) = scored(
        &outputs(|text| text.replace("<|\"|>}", "x<|\"|>}")),
        "tool_",
    );
    let calls = row(&report, "calls");
    assert!(calls["count"].as_u64() < calls["of"].as_u64(), "{calls}");
    assert_eq!(row(&report, "thinking")["met"], true);
    assert_eq!(code, Some(1));
    let (code, report) = scored(&outputs(|text| text.replace("<turn|>", "")), "no_");
    assert_eq!(row(&report, "well-formed")["met"], false);
    assert_eq!(code, Some(1));
}

#[test]
fn a_missing_output_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outputs.jsonl");
    std::fs::write(&file, "").unwrap();
    let output = evaluate(&["--outputs", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("expected an output of case 0"), "{errors}");
}

#[test]
fn the_embedded_model_is_evaluated_through_the_runtime() {
    let output = evaluate(&["--json", "--ungated", "--limit", "12", "--skill", "tool_"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["cases"], 12);
    assert_eq!(row(&report, "thinking")["met"], true, "{report}");
}

#[test]
fn the_documented_table_is_the_saved_one() {
    let table = evaluate(&["--ungated", "--report", &format!("{CASES}/table.json")]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("| | count |"), "{table}");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&table), "run models/tiny/evaluate.py table");
}

#[test]
fn prompts_are_written_as_in_training() {
    let cache = lapidary::onnxruntime::cache_folder()
        .unwrap()
        .join("plugins");
    // The other tests run beside this one: a busy machine is no fault of the format.
    let limits = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, Some(cache)).unwrap();
    let format = Format::builtin(&engines).unwrap();
    for case in cases() {
        let segments = case["segments"].as_array().unwrap();
        let targets = (0..segments.len()).filter(|&index| segments[index][1] == true);
        for (turn, target) in case["turns"].as_array().unwrap().iter().zip(targets) {
            let trained: String = segments[..target]
                .iter()
                .map(|segment| segment[0].as_str().unwrap())
                .collect();
            let turn = usize::try_from(turn.as_u64().unwrap()).unwrap();
            assert_eq!(rendered(&format, &case, turn), without_media(&trained));
        }
    }
}

fn rendered(format: &Format, case: &Value, turn: usize) -> String {
    let mut conversation = Conversation::from_json(&case["messages"]).unwrap();
    conversation.messages.truncate(turn);
    let tools = case["tools"].as_array().unwrap().iter();
    let tools: Vec<ToolSpec> = tools
        .map(|tool| ToolSpec::from_json(tool).unwrap())
        .collect();
    let request = RenderRequest {
        thinking: if case["thinking"] == true {
            Thinking::On
        } else {
            Thinking::Off
        },
        ..RenderRequest::new(&conversation, &tools)
    };
    let rendered = format.render(&request, &Interrupt::new()).unwrap();
    let text = |piece: &Piece| match piece {
        Piece::Control(text) | Piece::Data(text) => text.clone(),
        Piece::Media(_) => String::new(),
    };
    rendered.pieces.iter().map(text).collect()
}

/// The media of a prompt stand together: from the first opening, or a video's first time stamp, to the last end.
fn without_media(prompt: &str) -> String {
    let openings = ["00:00 <|image>", "<|image>", "<|audio>"];
    let start = openings.iter().filter_map(|token| prompt.find(token)).min();
    let ends = ["<image|>", "<audio|>"];
    let end = ends
        .iter()
        .filter_map(|token| Some(prompt.rfind(token)? + token.len()));
    match (start, end.max()) {
        (Some(start), Some(end)) => [&prompt[..start], &prompt[end..]].concat(),
        _ => prompt.to_owned(),
    }
}
