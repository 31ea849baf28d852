//! Recordings: uses of plugins as lines of JSON, and the same uses again.

mod format;
mod steps;

pub(super) use format::{
    Constraining, Parse, Rendering, constrain, constrained, describe, described, events, render,
    rendered,
};
pub(super) use steps::{Change, Score, Session, Steps};

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use wasmtime::component::Component;

use super::Plugin;
use super::abi;
use super::store::Sandbox;
use super::tape::Tape;
use crate::chat::{Content, Conversation, Thinking, ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};

/// What takes the lines.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<dyn Fn(Value) + Send + Sync>);

impl Recorder {
    pub(crate) fn new(take: impl Fn(Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(super) fn take(&self, line: Value) {
        (self.0)(line);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// What a plugin was asked: which of its functions, and the request.
pub(super) struct Request(pub &'static str, pub Value);

impl Plugin {
    /// Does again what `line` of a recording says, and says in a line of the same form what came of it. The
    /// recording answers in the host's place: nothing outside is read, written or asked, but secrets, which are in
    /// no recording, and are those of the grants.
    ///
    /// # Errors
    /// `Invalid` for what is no line, or one of another world. What the plugin fails with is in the line.
    pub fn replay(&self, line: &Value) -> Result<Value> {
        let asks = |function: &str| line.get(function).is_some();
        let tape = || Ok::<_, Error>(Tape::told(part(line, "host")?));
        match self {
            Self::Tools(tools) if asks("adopt") => {
                Ok(tools.replay_adopt(&part::<String>(line, "adopt")?, &tape()?))
            }
            Self::Agent(agent) if asks("adopt") => {
                Ok(agent.replay_adopt(&part::<String>(line, "adopt")?, &tape()?))
            }
            Self::Tools(tools) if asks("definitions") => tools.replay_definitions(&tape()?),
            Self::Tools(tools) => tools.replay(part(line, "call")?, &tape()?),
            Self::Agent(agent) => agent.replay(&conversation(&part(line, "run")?)?, &tape()?),
            Self::Format(format) if asks("describe") => Ok(format.replay_describe()),
            Self::Format(format) if asks("render") => format.replay_render(&line["render"]),
            Self::Format(format) if asks("constrain") => {
                format.replay_constrain(&part(line, "constrain")?)
            }
            Self::Format(format) => format.replay_parse(&part(line, "parse")?),
            Self::Logits(logits) => Ok(logits.replay(&part(line, "session")?, part(line, "host")?)),
        }
    }
}

impl Sandbox {
    /// Makes `call`, and tells the recorder of it, where there is one.
    pub(super) fn recorded<T>(
        &self,
        request: impl FnOnce() -> Request,
        call: impl FnOnce(&Self) -> Result<T>,
        outcome: impl FnOnce(&T) -> Value,
    ) -> Result<T> {
        let Some(recorder) = self.engines().recorder() else {
            return call(self);
        };
        let tape = Tape::blank();
        let done = call(&self.on_tape(&tape));
        recorder.take(self.line(request(), &tape, done.as_ref().map(outcome)));
        done
    }

    /// Has `component` take over again.
    pub(super) fn adopt_again(&self, component: &Component, older: &str, tape: &Tape) -> Value {
        let sandbox = self.on_tape(tape);
        let done = abi::adopt(&sandbox, component, older);
        sandbox.line(adopt(older), tape, done.as_ref().map(|()| Value::Null))
    }

    /// One use as a line, without secrets.
    pub(super) fn line(
        &self,
        request: Request,
        tape: &Tape,
        outcome: std::result::Result<Value, &Error>,
    ) -> Value {
        self.line_with(request, json!(tape.written()), outcome)
    }

    /// One use as a line, its calls of the host as somebody else wrote them down.
    pub(super) fn line_with(
        &self,
        request: Request,
        host: Value,
        outcome: std::result::Result<Value, &Error>,
    ) -> Value {
        let Request(function, request) = request;
        let mut fields = Map::new();
        fields.insert("plugin".into(), self.name().into());
        fields.insert(function.into(), request);
        fields.insert("host".into(), host);
        let outcome = outcome.unwrap_or_else(error_json);
        fields.insert("outcome".into(), outcome);
        self.without_secrets(Value::Object(fields))
    }
}

/// The error without the plugin's name, which another version of it may not have.
fn error_json(error: &Error) -> Value {
    let text = error.to_string();
    let subject = format!("{}: ", error.subject());
    let message = text.strip_prefix(&subject).unwrap_or(&text);
    json!({"error": {"kind": error.kind().name(), "message": message}})
}

fn invalid(key: &str, detail: impl Into<String>) -> Error {
    Error::invalid(format!("recording, {key:?}"), detail)
}

fn part<T: DeserializeOwned>(line: &Value, key: &str) -> Result<T> {
    let found = line.get(key).unwrap_or(&Value::Null);
    T::deserialize(found)
        .map_err(|error| invalid(key, "expected what `record` writes").with_source(error))
}

/// The messages, media without their bytes: a plugin does not see them.
pub(super) fn messages(conversation: &Conversation) -> Value {
    let mut conversation = conversation.clone();
    for media in conversation.media_mut() {
        media.bytes = Arc::default();
    }
    conversation.to_json()
}

fn conversation(messages: &Value) -> Result<Conversation> {
    Conversation::from_json(messages)
}

/// `false`, `true`, or the most tokens.
pub(super) fn thinking(from: Thinking) -> Value {
    match from {
        Thinking::Off => false.into(),
        Thinking::On => true.into(),
        Thinking::Budget(tokens) => tokens.into(),
    }
}

fn thinking_of(value: &Value) -> Thinking {
    match (value, value.as_u64()) {
        (_, Some(tokens)) => Thinking::Budget(usize::try_from(tokens).unwrap_or(usize::MAX)),
        (Value::Bool(true), None) => Thinking::On,
        _ => Thinking::Off,
    }
}

/// A question without arguments.
fn plain(function: &'static str) -> Request {
    Request(function, json!({}))
}

/// `older` is the digest of the version that is taken over from.
pub(super) fn adopt(older: &str) -> Request {
    Request("adopt", older.into())
}

pub(super) fn definitions() -> Request {
    plain("definitions")
}

pub(super) fn defined(specs: &[ToolSpec]) -> Value {
    let specs = specs.iter().map(|spec| spec.to_json()["function"].take());
    json!({"definitions": specs.collect::<Value>()})
}

pub(super) fn call(call: &ToolCall) -> Request {
    Request("call", json!(call))
}

pub(super) fn result(result: &ToolResult) -> Value {
    json!({"content": json!(result)["content"], "is_error": result.is_error})
}

pub(super) fn run(conversation: &Conversation) -> Request {
    Request("run", messages(conversation))
}

pub(super) fn content(content: &Content) -> Value {
    json!({"content": content.to_json()})
}
