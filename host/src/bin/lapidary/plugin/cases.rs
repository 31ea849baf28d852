//! Cases: what goes to a plugin, and what is expected of it.

use std::path::Path;

use lapidary::{
    AgentPlugin, ControlScanner, Conversation, Format, Interrupt, LogitsPlugin, LogitsSession,
    Plugin, PromptStyle, StopReason, ToolCall, ToolPlugin,
};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::manifest::invalid;
use super::script::Script;
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
    /// Runs it; the error says what was expected and what came. `model` says what the case has its model say.
    pub fn run(&self, plugin: &Plugin, model: &Script) -> Result<(), String> {
        model.begin(self.fields.get("model"))?;
        match plugin {
            Plugin::Tools(tools) => self.call(tools),
            Plugin::Format(format) => self.speak(format),
            Plugin::Agent(agent) => self.run_agent(agent),
            Plugin::Logits(processor) => self.step(processor),
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
        self.judge(match result.is_error {
            true => Err(found),
            false => Ok(found),
        })
    }

    /// Holds a result, or an error, against what is expected.
    fn judge(&self, found: Result<Value, Value>) -> Result<(), String> {
        match (self.fields.get("error"), found) {
            (Some(words), Err(found)) => contains(words, &found),
            (Some(words), Ok(found)) => Err(format!("expected the error {words}, found {found}")),
            (None, Err(found)) => Err(format!("expected a result, found the error {found}")),
            (None, Ok(found)) => self.expect(&found),
        }
    }

    fn run_agent(&self, agent: &AgentPlugin) -> Result<(), String> {
        let conversation = match self.fields.get("run") {
            Some(Value::String(text)) => Conversation::new().user(text),
            Some(messages) => {
                Conversation::from_json(messages).map_err(|error| error.to_string())?
            }
            None => return Err("expected run, a task or messages".to_owned()),
        };
        let answer = agent.run(&conversation, &Interrupt::new());
        self.judge(match answer {
            Ok(content) => Ok(content.to_json()),
            Err(error) => Err(error.to_string().into()),
        })
    }

    fn step(&self, processor: &LogitsPlugin) -> Result<(), String> {
        let none = json!({});
        let config = self.fields.get("config").unwrap_or(&none);
        let told = |error: lapidary::Error| Value::from(error.to_string());
        let stepped = processor
            .session(config, &Interrupt::new())
            .and_then(|mut session| self.steps(&mut session));
        self.judge(stepped.map_err(told))
    }

    /// The scores after each step; null for a token that cannot come.
    fn steps(&self, session: &mut LogitsSession) -> lapidary::Result<Value> {
        let wrong = || {
            invalid(
                "logits",
                "expected a list of numbers for each step".to_owned(),
            )
        };
        let steps = self.fields.get("logits").and_then(Value::as_array);
        let tokens = &self.fields["tokens"];
        let mut changed = Vec::new();
        for (index, step) in steps.ok_or_else(wrong)?.iter().enumerate() {
            let mut scores: Vec<f32> = Vec::deserialize(step).map_err(|_| wrong())?;
            let last = index
                .checked_sub(1)
                .and_then(|before| tokens[before].as_u64());
            let last = last.and_then(|id| u32::try_from(id).ok());
            session.step(last, &mut scores)?;
            changed.push(scores);
        }
        Ok(json!(changed))
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
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(one, other)| fits(one, other))
        }
        (Value::Number(expected), Value::Number(found)) => expected.as_f64() == found.as_f64(),
        _ => expected == found,
    }
}
