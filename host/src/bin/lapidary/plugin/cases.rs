//! Cases: what goes to a plugin, and what is expected of it.

use std::path::Path;

use lapidary::{
    ControlScanner, Format, Interrupt, Plugin, PromptStyle, StopReason, ToolCall, ToolPlugin,
};
use serde_json::{Map, Value, json};

use super::manifest::invalid;
use crate::{model, parse, render};

/// The file of cases in a plugin's folder.
pub const FILE: &str = "cases.jsonl";

/// One line of the file.
pub struct Case {
    /// Counted from 1.
    pub line: usize,
    fields: Value,
}

/// Every case of a file; empty lines are left out.
pub fn read(path: &Path) -> anyhow::Result<Vec<Case>> {
    let lines = json_lines(path)?.into_iter();
    Ok(lines.map(|(line, fields)| Case { line, fields }).collect())
}

/// Every line of a file of JSON objects, counted from 1; empty lines are left out.
pub fn json_lines(path: &Path) -> anyhow::Result<Vec<(usize, Value)>> {
    let bytes = model::read(path)?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let cases = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    cases
        .map(|(at, line)| {
            let parsed: Result<Map<String, Value>, _> = serde_json::from_slice(line);
            let line = at + 1;
            let subject = format!("{}:{line}", path.display());
            let fields = parsed.map_err(|error| {
                invalid(subject, format!("expected one JSON object a line: {error}"))
            })?;
            Ok((line, Value::Object(fields)))
        })
        .collect()
}

impl Case {
    /// Runs it; the error says what was expected and what came.
    pub fn run(&self, plugin: &Plugin) -> Result<(), String> {
        match plugin {
            Plugin::Tools(tools) => self.call(tools),
            Plugin::Format(format) => self.speak(format),
            Plugin::Agent(_) | Plugin::Logits(_) => {
                Err("expected a tool or a chat format, found another world".to_owned())
            }
        }
    }

    fn call(&self, tools: &ToolPlugin) -> Result<(), String> {
        let name = self.fields.get("call").and_then(Value::as_str);
        let call = ToolCall {
            id: "1".to_owned(),
            name: name.ok_or("expected call, a tool's name")?.to_owned(),
            arguments: self.fields.get("arguments").cloned().unwrap_or_default(),
        };
        let result = tools
            .call(&call, &Interrupt::new())
            .map_err(|error| error.to_string())?;
        let found = json!(result)["content"].take();
        match (self.fields.get("error"), result.is_error) {
            (Some(words), true) => contains(words, &found),
            (Some(words), false) => Err(format!("expected the error {words}, found {found}")),
            (None, true) => Err(format!("expected a result, found the error {found}")),
            (None, false) => self.expect(&found),
        }
    }

    fn speak(&self, format: &Format) -> Result<(), String> {
        let found = if let Some(request) = self.fields.get("render") {
            render::render(format, request, PromptStyle::Small, None)
        } else if let Some(request) = self.fields.get("parse") {
            let tokens = format.describe().control_tokens.clone();
            ControlScanner::new(tokens)
                .and_then(|scanner| parse::parse(format, &scanner, request, StopReason::EndOfTurn))
        } else {
            return Err("expected render or parse".to_owned());
        };
        self.expect(&found.map_err(|error| error.to_string())?)
    }

    fn expect(&self, found: &Value) -> Result<(), String> {
        let expected = self
            .fields
            .get("expect")
            .ok_or("expected expect or error")?;
        match fits(expected, found) {
            true => Ok(()),
            false => Err(format!("expected {expected}, found {found}")),
        }
    }
}

fn contains(words: &Value, found: &Value) -> Result<(), String> {
    let (Some(words), Some(text)) = (words.as_str(), found.as_str()) else {
        return Err(format!("expected the error {words}, found {found}"));
    };
    match text.contains(words) {
        true => Ok(()),
        false => Err(format!("expected an error with {words:?}, found {text:?}")),
    }
}

/// Equal, but for fields that the expectation leaves out.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| fits(value, found))),
        _ => expected == found,
    }
}
