//! From the JSON of the command line and the corpora to the contract's types.

#![allow(dead_code, reason = "every test uses a part of it")]

pub mod parse;

use lapidary_guest::{
    Content, MediaKind, MediaRef, Message, Part, Piece, PromptStyle, RenderRequest, Rendered, Role,
    Thinking, TokenPiece, ToolCall, ToolDefinition, ToolTraits,
};
use serde_json::Value;

/// A request in the shape of `lapidary render --jsonl`.
pub fn request(json: &Value, style: PromptStyle) -> RenderRequest {
    let flag = |name: &str, default| json[name].as_bool().unwrap_or(default);
    let mut media_count = 0;
    RenderRequest {
        messages: list(&json["messages"])
            .iter()
            .map(|m| message(m, &mut media_count))
            .collect(),
        tools: tools(&json["tools"]),
        thinking: if flag("enable_thinking", false) {
            Thinking::On
        } else {
            Thinking::Off
        },
        preserve_thinking: flag("preserve_thinking", false),
        add_generation_prompt: flag("add_generation_prompt", true),
        continue_final_message: flag("continue_final_message", false),
        style,
        extra: None,
    }
}

/// Tools in the shape of OpenAI.
pub fn tools(json: &Value) -> Vec<ToolDefinition> {
    let tool = |tool: &Value| {
        let function = &tool["function"];
        ToolDefinition {
            name: string(&function["name"]).unwrap_or_default(),
            description: string(&function["description"]).unwrap_or_default(),
            parameters: function["parameters"].to_string(),
            response: function.get("response").map(Value::to_string),
            traits: ToolTraits::empty(),
        }
    };
    list(json).iter().map(tool).collect()
}

/// The prompt as one text, media as their placeholders.
pub fn joined(rendered: &Rendered) -> String {
    rendered.pieces.iter().map(spelled).collect()
}

fn spelled(piece: &Piece) -> &str {
    match piece {
        Piece::Control(text) | Piece::Data(text) => text,
        Piece::Media(media) => match media.kind {
            MediaKind::Image => "<|image|>",
            MediaKind::Audio => "<|audio|>",
            MediaKind::Video => "<|video|>",
        },
    }
}

/// Output with its control tokens spelled out, as the pieces that a tokenizer would give.
pub fn token_pieces(text: &str, markers: &[String]) -> Vec<TokenPiece> {
    let mut pieces = Vec::new();
    let (mut data, mut at) = (0, 0);
    while let Some(next) = text[at..].find('<') {
        at += next;
        let Some(marker) = markers
            .iter()
            .find(|marker| text[at..].starts_with(marker.as_str()))
        else {
            at += 1;
            continue;
        };
        pieces.extend((at > data).then(|| TokenPiece::Data(text[data..at].to_owned())));
        pieces.push(TokenPiece::Control(marker.clone()));
        at += marker.len();
        data = at;
    }
    pieces.extend((data < text.len()).then(|| TokenPiece::Data(text[data..].to_owned())));
    pieces
}

fn message(json: &Value, media_count: &mut u32) -> Message {
    let filled = |name: &str| string(&json[name]).filter(|text| !text.is_empty());
    let any = ["reasoning_content", "thinking", "reasoning"].into_iter();
    Message {
        role: role(json["role"].as_str().expect("a role")),
        name: string(&json["name"]),
        content: content(&json["content"], media_count),
        reasoning: filled("reasoning")
            .or_else(|| any.map(|name| string(&json[name])).find_map(|r| r)),
        tool_calls: list(&json["tool_calls"]).iter().map(tool_call).collect(),
        tool_call_id: string(&json["tool_call_id"]),
    }
}

fn role(name: &str) -> Role {
    match name {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => panic!("role {other}"),
    }
}

fn content(json: &Value, media_count: &mut u32) -> Option<Content> {
    match json {
        Value::Null => None,
        Value::String(text) => Some(Content::Text(text.clone())),
        Value::Array(parts) => Some(Content::Parts(
            parts.iter().filter_map(|p| part(p, media_count)).collect(),
        )),
        other => Some(Content::Structured(other.to_string())),
    }
}

fn part(json: &Value, media_count: &mut u32) -> Option<Part> {
    let kind = match json["type"].as_str()? {
        "text" => return Some(Part::Text(string(&json["text"])?)),
        "image" | "image_url" => MediaKind::Image,
        "audio" | "input_audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => return None,
    };
    *media_count += 1;
    Some(Part::Media(MediaRef {
        index: *media_count - 1,
        kind,
    }))
}

fn tool_call(json: &Value) -> ToolCall {
    ToolCall {
        id: string(&json["id"]).unwrap_or_default(),
        name: string(&json["function"]["name"]).unwrap_or_default(),
        arguments: json["function"]["arguments"].to_string(),
    }
}

fn string(json: &Value) -> Option<String> {
    json.as_str().map(str::to_owned)
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map_or(&[], Vec::as_slice)
}
