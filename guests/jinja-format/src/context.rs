//! The request as a template sees it: transformers' names and shapes.

use gemma4::parse_json;
use lapidary_guest::{
    Content, Error, MediaKind, Message, Part, RenderRequest, Role, Thinking, ToolCall,
    ToolDefinition,
};
use serde_json::{Map, Value, json};

/// Everything but the control tokens' names.
pub fn of(messages: &[Message], request: &RenderRequest) -> Result<Value, Error> {
    let tools = request
        .tools
        .iter()
        .enumerate()
        .map(|(index, tool)| self::tool(tool, index));
    let tools: Vec<Value> = tools.collect::<Result<_, _>>()?;
    Ok(json!({
        "messages": self::messages(messages)?,
        "tools": if tools.is_empty() { Value::Null } else { Value::Array(tools) },
        "documents": null,
        "add_generation_prompt": request.add_generation_prompt,
        "continue_final_message": request.continue_final_message,
        "enable_thinking": !matches!(request.thinking, Thinking::Off),
        "preserve_thinking": request.preserve_thinking,
    }))
}

/// Results that are objects go into their assistant message, where templates take objects.
fn messages(messages: &[Message]) -> Result<Value, Error> {
    let mut list: Vec<Value> = Vec::new();
    let mut rest = messages.iter().enumerate().peekable();
    while let Some((index, message)) = rest.next() {
        let mut fields = self::message(message, index)?;
        let results = results(message, &messages[index + 1..]);
        if results.iter().any(is_structured) {
            let inner = results
                .iter()
                .map(|result| legacy_result(&message.tool_calls, result, index));
            fields.insert("tool_responses".into(), inner.collect::<Result<_, _>>()?);
            while rest.next_if(|(_, next)| next.role == Role::Tool).is_some() {}
        }
        list.push(Value::Object(fields));
    }
    Ok(Value::Array(list))
}

/// What the calls of a message gave; nothing where it makes none.
fn results<'a>(message: &Message, behind: &'a [Message]) -> &'a [Message] {
    if message.tool_calls.is_empty() {
        return &[];
    }
    let is_other = |next: &Message| next.role != Role::Tool;
    let end = behind.iter().position(is_other).unwrap_or(behind.len());
    &behind[..end]
}

fn is_structured(message: &Message) -> bool {
    matches!(message.content, Some(Content::Structured(_)))
}

fn legacy_result(calls: &[ToolCall], result: &Message, index: usize) -> Result<Value, Error> {
    let id = result.tool_call_id.as_deref().unwrap_or_default();
    let called = calls
        .iter()
        .rev()
        .find(|call| call.id == id)
        .map(|call| call.name.as_str());
    let name = called.or(result.name.as_deref()).unwrap_or_default();
    let response = match &result.content {
        Some(Content::Parts(parts)) => Value::String(parts.iter().filter_map(text_of).collect()),
        content => self::content(content.as_ref(), index)?,
    };
    Ok(json!({"name": name, "response": response}))
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Media(_) => None,
    }
}

fn message(message: &Message, index: usize) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    fields.insert("role".into(), json!(role(message.role)));
    fields.insert("content".into(), content(message.content.as_ref(), index)?);
    let mut put = |key: &str, value: &Option<String>| {
        if let Some(text) = value {
            fields.insert(key.into(), json!(text));
        }
    };
    put("name", &message.name);
    put("tool_call_id", &message.tool_call_id);
    for name in ["reasoning", "reasoning_content", "thinking"] {
        put(name, &message.reasoning);
    }
    if !message.tool_calls.is_empty() {
        let calls = message
            .tool_calls
            .iter()
            .enumerate()
            .map(|(place, call)| tool_call(call, index, place));
        fields.insert("tool_calls".into(), calls.collect::<Result<_, _>>()?);
    }
    Ok(fields)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn content(content: Option<&Content>, index: usize) -> Result<Value, Error> {
    match content {
        None => Ok(Value::Null),
        Some(Content::Text(text)) => Ok(json!(text)),
        Some(Content::Parts(parts)) => Ok(parts.iter().map(part).collect()),
        Some(Content::Structured(text)) => parse_json(text, format!("/messages/{index}/content")),
    }
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Media(media) => match media.kind {
            MediaKind::Image => json!({"type": "image"}),
            MediaKind::Audio => json!({"type": "audio"}),
            MediaKind::Video => json!({"type": "video"}),
        },
    }
}

fn tool_call(call: &ToolCall, message: usize, place: usize) -> Result<Value, Error> {
    let at = format!("/messages/{message}/tool_calls/{place}/arguments");
    let arguments = parse_json(&call.arguments, at)?;
    let function = json!({"name": call.name, "arguments": arguments});
    let mut fields = json!({"type": "function", "function": function});
    if !call.id.is_empty() {
        fields["id"] = json!(call.id);
    }
    Ok(fields)
}

fn tool(tool: &ToolDefinition, index: usize) -> Result<Value, Error> {
    let parameters = parse_json(&tool.parameters, format!("/tools/{index}/parameters"))?;
    let mut function =
        json!({"name": tool.name, "description": tool.description, "parameters": parameters});
    if let Some(response) = &tool.response {
        function["response"] = parse_json(response, format!("/tools/{index}/response"))?;
    }
    Ok(json!({"type": "function", "function": function}))
}
