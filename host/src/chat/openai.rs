//! Conversations and tools in the JSON shape that OpenAI and Hugging Face use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::conversation::{Content, Conversation, Media, MediaKind, Message, Part, Role};
use super::tool::{ToolCall, ToolSpec, ToolTraits};
use crate::error::{Error, Result};

impl Conversation {
    /// Reads a list of messages.
    ///
    /// Habits of the OpenAI API are understood: arguments as a JSON string, which may be empty, `image_url` and
    /// `input_audio` parts with `data:` URLs, the role `developer`, reasoning under any of its names, ids that are
    /// numbers.
    /// A media part without data keeps its place and has no bytes.
    ///
    /// # Errors
    /// `Invalid`, naming the place as a JSON pointer.
    ///
    /// ```
    /// use lapidary::Conversation;
    /// let messages = serde_json::json!([{"role": "user", "content": "Hello!"}]);
    /// assert_eq!(Conversation::from_json(&messages)?.messages.len(), 1);
    /// # Ok::<(), lapidary::Error>(())
    /// ```
    pub fn from_json(messages: &Value) -> Result<Self> {
        let list = messages
            .as_array()
            .ok_or_else(|| invalid("/messages", "expected a list"))?;
        let mut conversation = Self::new();
        for (index, value) in list.iter().enumerate() {
            let at = format!("/messages/{index}");
            let fields = value
                .as_object()
                .ok_or_else(|| invalid(&at, "expected an object"))?;
            conversation.messages.push(message(fields, &at)?);
            conversation.messages.extend(legacy_results(fields));
        }
        Ok(conversation)
    }

    /// The messages as [`Conversation::from_json`] reads them, media as `data:` URLs.
    pub fn to_json(&self) -> Value {
        self.messages.iter().map(message_json).collect()
    }
}

impl Content {
    /// The content as [`Conversation::from_json`] reads it: a text, a list of parts, or an object.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Structured(value) => value.clone(),
            Self::Parts(parts) => parts.iter().map(part_json).collect(),
        }
    }
}

impl ToolSpec {
    /// Reads `{"type":"function","function":{…}}`, or the inner object alone.
    ///
    /// # Errors
    /// `Invalid` when it has no name.
    pub fn from_json(tool: &Value) -> Result<Self> {
        let function = tool.get("function").unwrap_or(tool);
        let text = |key: &str| function.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").ok_or_else(|| invalid("/tools", "expected a tool with a name"))?;
        Ok(Self {
            name,
            description: text("description").unwrap_or_default(),
            parameters: function
                .get("parameters")
                .filter(|parameters| !parameters.is_null())
                .cloned()
                .unwrap_or_else(|| json!({})),
            response: function.get("response").cloned(),
            traits: function
                .get("traits")
                .map_or_else(ToolTraits::default, traits),
        })
    }

    /// The tool as [`ToolSpec::from_json`] reads it.
    pub fn to_json(&self) -> Value {
        let mut function = json!({
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        });
        if let Some(response) = &self.response {
            function["response"] = response.clone();
        }
        if self.traits != ToolTraits::default() {
            function["traits"] = json!(self.traits);
        }
        json!({"type": "function", "function": function})
    }
}

/// What a host of ours wrote; others say nothing of it.
fn traits(value: &Value) -> ToolTraits {
    ToolTraits::deserialize(value).unwrap_or_default()
}

fn invalid(at: &str, detail: impl Into<String>) -> Error {
    Error::invalid(at, detail)
}

fn message(fields: &Map<String, Value>, at: &str) -> Result<Message> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let calls = match fields.get("tool_calls") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(calls)) => tool_calls(calls, at)?,
        Some(_) => return Err(invalid(&format!("{at}/tool_calls"), "expected a list")),
    };
    Ok(Message {
        role: role(fields.get("role"), at)?,
        name: text("name"),
        content: content(fields.get("content"), at)?,
        reasoning: reasoning(fields),
        tool_calls: calls,
        tool_call_id: id(fields.get("tool_call_id")),
    })
}

/// Texts, and the numbers of clients that count.
fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// In the reference's order (transformers 5.23, `utils/chat_template_utils.py`, then the template): `reasoning`
/// unless it is empty, else the first of its names that is there.
fn reasoning(fields: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let own = text("reasoning").filter(|text| !text.is_empty());
    own.or_else(|| text("reasoning_content"))
        .or_else(|| text("thinking"))
        .map(str::to_owned)
}

fn role(value: Option<&Value>, at: &str) -> Result<Role> {
    match value.and_then(Value::as_str) {
        Some("system") => Ok(Role::System),
        Some("developer") => Ok(Role::Developer),
        Some("user") => Ok(Role::User),
        Some("assistant" | "model") => Ok(Role::Assistant),
        Some("tool") => Ok(Role::Tool),
        other => {
            let found = other.map_or_else(|| "no text".to_owned(), |name| format!("{name:?}"));
            let detail =
                format!("expected system, developer, user, assistant or tool, found {found}");
            Err(invalid(&format!("{at}/role"), detail))
        }
    }
}

fn content(value: Option<&Value>, at: &str) -> Result<Option<Content>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Content::Text(text.clone()))),
        Some(Value::Array(parts)) => parts_of(parts, at).map(Content::Parts).map(Some),
        Some(object @ Value::Object(_)) => Ok(Some(Content::Structured(object.clone()))),
        Some(_) => Err(invalid(
            &format!("{at}/content"),
            "expected a text, a list of parts or an object",
        )),
    }
}

fn parts_of(parts: &[Value], at: &str) -> Result<Vec<Part>> {
    let read = |(index, value)| part(value, &format!("{at}/content/{index}"));
    parts
        .iter()
        .enumerate()
        .map(read)
        .filter_map(Result::transpose)
        .collect()
}

/// A part of a kind that nobody knows is left out, as the reference template does.
fn part(value: &Value, at: &str) -> Result<Option<Part>> {
    if !value.is_object() {
        return Err(invalid(at, "expected an object with a type"));
    }
    let kind = value.get("type").and_then(Value::as_str);
    let media = |kind| {
        Ok(Some(Part::Media(Media {
            kind,
            ..Media::image(data(value, at)?)
        })))
    };
    match kind {
        Some("text" | "input_text" | "output_text") | None => match value.get("text") {
            Some(Value::String(text)) => Ok(Some(Part::Text(text.clone()))),
            _ => Err(invalid(at, "expected a text")),
        },
        Some("image" | "image_url") => media(MediaKind::Image),
        Some("audio" | "input_audio") => media(MediaKind::Audio),
        Some("video" | "video_url") => media(MediaKind::Video),
        Some(_) => Ok(None),
    }
}

/// The bytes of a `data:` URL or of an OpenAI `input_audio`; empty where the part has neither.
fn data(part: &Value, at: &str) -> Result<Vec<u8>> {
    let paths = [
        "/image_url/url",
        "/video_url/url",
        "/image_url",
        "/url",
        "/image",
        "/audio",
        "/video",
    ];
    let url = paths.iter().find_map(|path| part.pointer(path)?.as_str());
    let audio = || part.pointer("/input_audio/data")?.as_str();
    let encoded = url
        .and_then(of_data_url)
        .or_else(|| audio().map(|data| of_data_url(data).unwrap_or(data)));
    let decode = |text| {
        STANDARD
            .decode(text)
            .map_err(|error| invalid(at, "expected base64").with_source(error))
    };
    encoded.map_or(Ok(Vec::new()), decode)
}

fn of_data_url(url: &str) -> Option<&str> {
    let (_, encoded) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(encoded)
}

fn tool_calls(calls: &[Value], at: &str) -> Result<Vec<ToolCall>> {
    calls
        .iter()
        .enumerate()
        .map(|(index, call)| tool_call(call, &format!("{at}/tool_calls/{index}")))
        .collect()
}

fn tool_call(call: &Value, at: &str) -> Result<ToolCall> {
    let function = call.get("function").unwrap_or(call);
    let name = function.get("name").and_then(Value::as_str);
    Ok(ToolCall {
        id: id(call.get("id")).unwrap_or_default(),
        name: name
            .ok_or_else(|| invalid(at, "expected a function name"))?
            .to_owned(),
        arguments: arguments(function.get("arguments"), at)?,
    })
}

fn arguments(value: Option<&Value>, at: &str) -> Result<Value> {
    let at = format!("{at}/function/arguments");
    match value {
        None | Some(Value::Null) => Ok(json!({})),
        Some(object @ Value::Object(_)) => Ok(object.clone()),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(json!({})),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => Err(invalid(
                &at,
                "expected a JSON object in the text, found something else",
            )),
        },
        Some(_) => Err(invalid(&at, "expected an object")),
    }
}

/// The id of results that have none, by which no call is found: their name counts.
const LEGACY_RESULT: &str = "tool_responses";

/// Results that older Gemma clients keep inside the assistant's message.
fn legacy_results(fields: &Map<String, Value>) -> Vec<Message> {
    let results = fields.get("tool_responses").and_then(Value::as_array);
    results.into_iter().flatten().map(legacy_result).collect()
}

fn legacy_result(result: &Value) -> Message {
    let name = result
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("unknown");
    let content = match result.get("response") {
        Some(Value::String(text)) => Content::Text(text.clone()),
        Some(value) => Content::Structured(value.clone()),
        None => Content::Text(String::new()),
    };
    Message {
        name: Some(name.to_owned()),
        content: Some(content),
        // It names no call: without this, it would go to the last call that has no id either.
        tool_call_id: Some(LEGACY_RESULT.to_owned()),
        ..Message::new(Role::Tool, "")
    }
}

fn message_json(message: &Message) -> Value {
    let mut fields = Map::new();
    fields.insert("role".into(), json!(role_name(message.role)));
    fields.insert(
        "content".into(),
        message
            .content
            .as_ref()
            .map_or(Value::Null, Content::to_json),
    );
    let mut put = |key: &str, value: &Option<String>| {
        if let Some(text) = value {
            fields.insert(key.into(), json!(text));
        }
    };
    put("name", &message.name);
    put("reasoning", &message.reasoning);
    put("tool_call_id", &message.tool_call_id);
    if !message.tool_calls.is_empty() {
        fields.insert(
            "tool_calls".into(),
            message.tool_calls.iter().map(call_json).collect(),
        );
    }
    Value::Object(fields)
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn part_json(part: &Part) -> Value {
    let media = match part {
        Part::Text(text) => return json!({"type": "text", "text": text}),
        Part::Media(media) => media,
    };
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    let url = format!("data:{kind};base64,{}", STANDARD.encode(&media.bytes));
    json!({"type": kind, "url": url})
}

fn call_json(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let calls = vec![ToolCall {
            id: "call_0".into(),
            name: "f".into(),
            arguments: json!({"a": 1}),
        }];
        let conversation = Conversation::new()
            .user_with([Media::image(vec![1u8, 2, 3])], "look")
            .with(Message::assistant(None, Some("hm".into()), calls));
        assert_eq!(
            Conversation::from_json(&conversation.to_json()).unwrap(),
            conversation
        );
    }

    #[test]
    fn arguments_may_come_as_a_json_text() {
        let call = json!({"function": {"name": "f", "arguments": "{\"a\": [1]}"}});
        assert_eq!(tool_call(&call, "").unwrap().arguments, json!({"a": [1]}));
        let call = json!({"function": {"name": "f", "arguments": " "}});
        assert_eq!(tool_call(&call, "").unwrap().arguments, json!({}));
        let call = json!({"function": {"name": "f", "arguments": "[1]"}});
        assert!(tool_call(&call, "").is_err());
    }

    #[test]
    fn ids_may_be_numbers() {
        let messages = json!([
            {"role": "assistant", "tool_calls": [{"id": 7, "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": 7, "content": "r"},
        ]);
        let read = Conversation::from_json(&messages).unwrap().messages;
        assert_eq!(read[0].tool_calls[0].id, "7");
        assert_eq!(read[1].tool_call_id.as_deref(), Some("7"));
    }

    #[test]
    fn a_recording_may_be_base64_or_a_data_url() {
        for data in ["AAEC", "data:audio/wav;base64,AAEC"] {
            let part =
                json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}});
            assert_eq!(super::data(&part, "").unwrap(), [0, 1, 2], "{data}");
        }
    }

    #[test]
    fn an_error_names_the_place() {
        let error =
            Conversation::from_json(&json!([{"role": "bard", "content": "O"}])).unwrap_err();
        assert_eq!(error.subject(), "/messages/0/role");
    }
}
