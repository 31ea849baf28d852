//! Recordings: uses of plugins as lines of JSON, and the same uses again.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Plugin;
use super::exchange::{ParsedEvent, RenderRequest, Rendered, StopReason};
use super::store::Sandbox;
use super::tape::Tape;
use crate::chat::{Content, Conversation, PromptStyle, Thinking, ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};
use crate::text::TokenPiece;

/// What takes the lines.
pub(super) type Recorder = Arc<dyn Fn(Value) + Send + Sync>;

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
        let tape = Tape::told(part(line, "host")?);
        match self {
            Self::Tools(tools) => tools.replay(part(line, "call")?, &tape),
            Self::Agent(agent) => agent.replay(&conversation(&part(line, "run")?)?, &tape),
            Self::Format(format) => match line.get("render") {
                Some(request) => format.replay_render(request, &tape),
                None => format.replay_parse(&part(line, "parse")?, &tape),
            },
            Self::Logits(_) => {
                let detail =
                    "expected a plugin whose calls can be recorded, found a logits-processor";
                Err(Error::invalid("recording", detail))
            }
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
        recorder(self.line(request(), &tape, done.as_ref().map(outcome)));
        done
    }

    /// One use as a line, without secrets.
    pub(super) fn line(
        &self,
        request: Request,
        tape: &Tape,
        outcome: std::result::Result<Value, &Error>,
    ) -> Value {
        let Request(function, request) = request;
        let mut fields = Map::new();
        fields.insert("plugin".into(), self.name().into());
        fields.insert(function.into(), request);
        fields.insert("host".into(), json!(tape.written()));
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

pub(super) fn render(request: &RenderRequest<'_>) -> Request {
    let fields = json!({
        "messages": messages(request.conversation),
        "tools": request.tools.iter().map(ToolSpec::to_json).collect::<Value>(),
        "thinking": thinking(request.thinking),
        "preserve_thinking": request.preserve_thinking,
        "add_generation_prompt": request.add_generation_prompt,
        "continue_final_message": request.continue_final_message,
        "style": request.style.name(),
        "extra": request.extra,
    });
    Request("render", fields)
}

/// A rendering as it was asked for, with what the request borrows.
pub(super) struct Rendering {
    conversation: Conversation,
    tools: Vec<ToolSpec>,
    fields: Value,
}

impl Rendering {
    pub(super) fn read(fields: &Value) -> Result<Self> {
        Ok(Self {
            conversation: conversation(&fields["messages"])?,
            tools: specs(&fields["tools"])?,
            fields: fields.clone(),
        })
    }

    pub(super) fn request(&self) -> RenderRequest<'_> {
        let flag = |key: &str| self.fields[key] == Value::Bool(true);
        let large = self.fields["style"] == PromptStyle::Large.name();
        RenderRequest {
            conversation: &self.conversation,
            tools: &self.tools,
            thinking: thinking_of(&self.fields["thinking"]),
            preserve_thinking: flag("preserve_thinking"),
            add_generation_prompt: flag("add_generation_prompt"),
            continue_final_message: flag("continue_final_message"),
            style: match large {
                true => PromptStyle::Large,
                false => PromptStyle::Small,
            },
            extra: self.fields["extra"].as_str(),
        }
    }
}

/// One generation, as a parser reads it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Parse {
    pub prefix: Vec<TokenPiece>,
    tools: Value,
    pub pushes: Vec<Vec<TokenPiece>>,
    /// Why it ended; none where the parser failed before.
    pub reason: Option<StopReason>,
}

impl Parse {
    pub(super) fn new(prefix: &[TokenPiece], tools: &[ToolSpec]) -> Self {
        Self {
            prefix: prefix.to_vec(),
            tools: tools.iter().map(ToolSpec::to_json).collect(),
            pushes: Vec::new(),
            reason: None,
        }
    }

    pub(super) fn specs(&self) -> Result<Vec<ToolSpec>> {
        specs(&self.tools)
    }

    pub(super) fn request(&self) -> Request {
        Request("parse", json!(self))
    }
}

pub(super) fn rendered(rendered: &Rendered) -> Value {
    json!({"pieces": rendered.pieces, "open_turn": rendered.open_turn})
}

fn specs(tools: &Value) -> Result<Vec<ToolSpec>> {
    let tools = tools.as_array().into_iter().flatten();
    tools.map(ToolSpec::from_json).collect()
}

/// Events with neighbours of one kind joined: where a stream was cut says nothing.
pub(super) fn events(events: &[ParsedEvent]) -> Value {
    let mut joined: Vec<Value> = Vec::new();
    for event in events.iter().map(ParsedEvent::to_json) {
        match joined.last_mut() {
            Some(last) if continues(last, &event) => append(last, &event),
            _ => joined.push(event),
        }
    }
    json!({"events": joined})
}

/// The stretch that an event adds to one of its kind.
const STRETCHES: [&str; 2] = ["text", "json_delta"];

fn continues(last: &Value, next: &Value) -> bool {
    let same = |key: &str| last.get(key) == next.get(key);
    let is_stretch = STRETCHES.iter().any(|key| next.get(key).is_some());
    is_stretch && same("type") && same("index")
}

fn append(last: &mut Value, next: &Value) {
    for key in STRETCHES {
        if let (Some(Value::String(text)), Some(more)) = (last.get_mut(key), next[key].as_str()) {
            text.push_str(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_stream_was_cut_says_nothing() {
        let text = |text: &str| ParsedEvent::Text(text.to_owned());
        let delta = |index, json: &str| ParsedEvent::CallDelta {
            index,
            json: json.to_owned(),
        };
        let cut = [
            text("a"),
            text("b"),
            delta(0, "{"),
            delta(0, "}"),
            delta(1, "{}"),
        ];
        let whole = [text("ab"), delta(0, "{}"), delta(1, "{}")];
        assert_eq!(events(&cut), events(&whole));
        assert_ne!(events(&cut[1..]), events(&whole));
    }

    #[test]
    fn a_rendering_reads_back() {
        let conversation = Conversation::new().user("Hi");
        let request = RenderRequest {
            thinking: Thinking::Budget(7),
            style: PromptStyle::Large,
            continue_final_message: true,
            ..RenderRequest::new(&conversation, &[])
        };
        let Request(_, fields) = render(&request);
        let read = Rendering::read(&fields).expect("a request");
        let Request(_, again) = render(&read.request());
        assert_eq!(again, fields);
    }
}
