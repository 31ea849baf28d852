//! What a chat format is asked and answers, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Request, conversation, messages, plain, thinking, thinking_of};
use crate::chat::{Conversation, PromptStyle, ResponseFormat, ToolChoice, ToolSpec};
use crate::error::Result;
use crate::plugin::exchange::{
    ConstrainRequest, Constrained, FormatDescription, ParsedEvent, RenderRequest, Rendered,
    StopReason,
};
use crate::text::TokenPiece;

pub(in crate::plugin) fn describe() -> Request {
    plain("describe")
}

pub(in crate::plugin) fn described(description: &FormatDescription) -> Value {
    json!({
        "name": description.name,
        "control_tokens": description.control_tokens,
        "stop_tokens": description.stop_tokens,
    })
}

pub(in crate::plugin) fn render(request: &RenderRequest<'_>) -> Request {
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
pub(in crate::plugin) struct Rendering {
    conversation: Conversation,
    tools: Vec<ToolSpec>,
    fields: Value,
}

impl Rendering {
    pub(in crate::plugin) fn read(fields: &Value) -> Result<Self> {
        Ok(Self {
            conversation: conversation(&fields["messages"])?,
            tools: specs(&fields["tools"])?,
            fields: fields.clone(),
        })
    }

    pub(in crate::plugin) fn request(&self) -> RenderRequest<'_> {
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
pub(in crate::plugin) struct Parse {
    pub prefix: Vec<TokenPiece>,
    tools: Value,
    pub pushes: Vec<Vec<TokenPiece>>,
    /// Why it ended; none where the parser failed before.
    pub reason: Option<StopReason>,
}

impl Parse {
    pub(in crate::plugin) fn new(prefix: &[TokenPiece], tools: &[ToolSpec]) -> Self {
        Self {
            prefix: prefix.to_vec(),
            tools: tools.iter().map(ToolSpec::to_json).collect(),
            pushes: Vec::new(),
            reason: None,
        }
    }

    pub(in crate::plugin) fn specs(&self) -> Result<Vec<ToolSpec>> {
        specs(&self.tools)
    }

    pub(in crate::plugin) fn request(&self) -> Request {
        Request("parse", json!(self))
    }
}

pub(in crate::plugin) fn rendered(rendered: &Rendered) -> Value {
    json!({"pieces": rendered.pieces, "open_turn": rendered.open_turn})
}

/// What a generation has to be, as it was asked for.
#[derive(Serialize, Deserialize)]
pub(in crate::plugin) struct Constraining {
    prefix: Vec<TokenPiece>,
    tools: Value,
    tool_choice: ToolChoice,
    strict: bool,
    response_format: ResponseFormat,
    thinking: Value,
}

impl Constraining {
    fn new(request: &ConstrainRequest<'_>) -> Self {
        Self {
            prefix: request.prefix.to_vec(),
            tools: request.tools.iter().map(ToolSpec::to_json).collect(),
            tool_choice: request.tool_choice.clone(),
            strict: request.strict,
            response_format: request.response_format.clone(),
            thinking: thinking(request.thinking),
        }
    }

    pub(in crate::plugin) fn specs(&self) -> Result<Vec<ToolSpec>> {
        specs(&self.tools)
    }

    /// The request; `tools` are [`Constraining::specs`].
    pub(in crate::plugin) fn request<'a>(&'a self, tools: &'a [ToolSpec]) -> ConstrainRequest<'a> {
        ConstrainRequest {
            prefix: &self.prefix,
            tools,
            tool_choice: &self.tool_choice,
            strict: self.strict,
            response_format: &self.response_format,
            thinking: thinking_of(&self.thinking),
        }
    }
}

pub(in crate::plugin) fn constrain(request: &ConstrainRequest<'_>) -> Request {
    Request("constrain", json!(Constraining::new(request)))
}

/// Null from a format that does not say.
pub(in crate::plugin) fn constrained(said: &Option<Constrained>) -> Value {
    let grammar = |(lark, after): &(String, Vec<String>)| json!({"lark": lark, "after": after});
    said.as_ref().map_or(Value::Null, |said| {
        json!({
            "grammar": said.grammar.as_ref().map(grammar),
            "banned": said.banned,
            "thought": said.thought,
        })
    })
}

fn specs(tools: &Value) -> Result<Vec<ToolSpec>> {
    let tools = tools.as_array().into_iter().flatten();
    tools.map(ToolSpec::from_json).collect()
}

/// Events with neighbours of one kind joined: where a stream was cut says nothing.
pub(in crate::plugin) fn events(events: &[ParsedEvent]) -> Value {
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
    use crate::chat::Thinking;

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
