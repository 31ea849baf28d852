//! The conformance corpus, run against any chat format: what transformers renders, and what outputs mean.

use std::path::Path;

use anyhow::Context;
use lapidary::{ControlScanner, Format, PromptStyle, StopReason};
use serde_json::{Value, json};

use crate::parse::parse;
use crate::render::render;

/// A file of cases: its topic, and one case a line.
type Topic = (String, String);

/// `(topic, cases)` of files beside each other in the corpus.
macro_rules! topics {
    ($folder:literal: $($name:literal)*) => {
        [$((
            $name,
            include_str!(concat!("../../../../tests/conformance/", $folder, "/", $name, ".jsonl")),
        )),*]
    };
}

const RENDERS: [(&str, &str); 7] = topics!("renders":
    "turns" "calls" "tools" "continued" "habits" "issues" "random");
const OUTPUTS: [(&str, &str); 8] = topics!("outputs":
    "text" "thought" "prefix" "call" "typed" "repair" "malformed" "issues");

/// The cases, by what they are about.
pub struct Corpus {
    renders: Vec<Topic>,
    outputs: Vec<Topic>,
}

/// What became of the cases.
#[derive(Default)]
pub struct Report {
    passed: usize,
    failures: Vec<Value>,
}

impl Corpus {
    /// The one inside the program.
    pub fn embedded() -> Self {
        let owned = |(name, cases): (&str, &str)| (name.to_owned(), cases.to_owned());
        Self {
            renders: RENDERS.map(owned).into(),
            outputs: OUTPUTS.map(owned).into(),
        }
    }

    /// The files in the folders `renders` and `outputs`.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            renders: topics(&folder.join("renders"))?,
            outputs: topics(&folder.join("outputs"))?,
        })
    }

    /// Runs the cases; `styles` are the prompt styles to render in.
    pub fn run(&self, format: &Format, styles: &[PromptStyle]) -> anyhow::Result<Report> {
        let scanner = ControlScanner::new(format.describe().control_tokens.clone())?;
        let mut report = Report::default();
        for (name, case) in cases(&self.renders)? {
            for style in styles {
                let found = rendered(format, &case["request"], *style);
                report.note(
                    "render",
                    &format!("{name} {}", style.name()),
                    &case[style.name()],
                    found,
                );
            }
        }
        for (name, case) in cases(&self.outputs)? {
            for chunks in [None, Some(characters(&case["request"]))] {
                let how = if chunks.is_some() {
                    "by character"
                } else {
                    "whole"
                };
                let found = parsed(format, &scanner, &case, chunks);
                report.note("parse", &format!("{name} {how}"), &case["expect"], found);
            }
        }
        Ok(report)
    }
}

fn topics(folder: &Path) -> anyhow::Result<Vec<Topic>> {
    let mut topics = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            topics.push((stem.into_owned(), std::fs::read_to_string(&path)?));
        }
    }
    topics.sort();
    Ok(topics)
}

/// Every case with its full name.
fn cases(topics: &[Topic]) -> anyhow::Result<Vec<(String, Value)>> {
    let mut cases = Vec::new();
    for (topic, lines) in topics {
        for (index, line) in lines.lines().enumerate() {
            let case: Value = serde_json::from_str(line)
                .with_context(|| format!("{topic}.jsonl, line {}: expected JSON", index + 1))?;
            let name = case["name"].as_str().unwrap_or("unnamed");
            cases.push((format!("{topic}/{name}"), case));
        }
    }
    Ok(cases)
}

/// The prompt's text, null where the request is refused. A format that breaks refuses nothing.
fn rendered(format: &Format, request: &Value, style: PromptStyle) -> Value {
    match render(format, request, style, None) {
        Ok(mut result) => result["text"].take(),
        Err(error) if error.kind().exit_code() == CALLERS_FAULT => Value::Null,
        Err(error) => json!({"error": error.to_string()}),
    }
}

/// The exit code of errors in a request.
const CALLERS_FAULT: u8 = 2;

fn characters(request: &Value) -> Value {
    let text = request["input_text"].as_str().unwrap_or_default();
    text.chars().map(String::from).collect()
}

/// The summary of an output, in the fields that the case expects.
fn parsed(format: &Format, scanner: &ControlScanner, case: &Value, chunks: Option<Value>) -> Value {
    let mut request = case["request"].clone();
    if let Some(chunks) = chunks {
        request["chunks"] = chunks;
    }
    let reason = match case["reason"].as_str() {
        Some("length") => StopReason::Length,
        Some("stop") => StopReason::Stop,
        Some("cancelled") => StopReason::Cancelled,
        _ => StopReason::EndOfTurn,
    };
    match parse(format, scanner, &request, reason) {
        Ok(found) => like(&found, &case["expect"]),
        Err(error) => json!({"error": error.to_string()}),
    }
}

/// `found` without the fields that the expectation leaves open.
fn like(found: &Value, expected: &Value) -> Value {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let asked = |(key, value): (&String, &Value)| match key.as_str() {
                // A tool's arguments are compared as a whole.
                "arguments" => Some((key.clone(), value.clone())),
                _ => Some((key.clone(), like(value, expected.get(key)?))),
            };
            found.iter().filter_map(asked).collect()
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected);
            pairs
                .map(|(found, expected)| like(found, expected))
                .collect()
        }
        _ => found.clone(),
    }
}

impl Report {
    fn note(&mut self, stage: &str, name: &str, expected: &Value, found: Value) {
        if found == *expected {
            self.passed += 1;
        } else {
            self.failures
                .push(json!({"stage": stage, "case": name, "expected": expected, "found": found}));
        }
    }

    /// Whether every case passed.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// `{"passed":…,"failed":…,"failures":[…]}`.
    pub fn json(&self) -> Value {
        json!({"passed": self.passed, "failed": self.failures.len(), "failures": self.failures})
    }

    /// For people: each failure, then the counts.
    pub fn lines(&self) -> String {
        let line = |failure: &Value| {
            let text = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
            let (expected, found) = (&failure["expected"], &failure["found"]);
            format!(
                "{} {}\n  expected {expected}\n  found    {found}\n",
                text("stage"),
                text("case")
            )
        };
        let failures: String = self.failures.iter().map(line).collect();
        format!(
            "{failures}{} passed, {} failed\n",
            self.passed,
            self.failures.len()
        )
    }
}
