//! The typing of prompt pieces, the open turn, and what is refused.

mod support;

use gemma4::{Gemma4, render};
use lapidary_guest::{
    ChatFormat, Content, Message, Piece, PromptStyle, RenderRequest, Rendered, Role,
};
use serde_json::{Value, json};

fn rendered(request: &Value) -> Rendered {
    render(&support::request(request, PromptStyle::Large)).expect("renders")
}

/// The control pieces' texts.
fn controls(rendered: &Rendered) -> Vec<&str> {
    let texts = rendered.pieces.iter().filter_map(|piece| match piece {
        Piece::Control(text) => Some(text.as_str()),
        Piece::Data(_) | Piece::Media(_) => None,
    });
    texts.collect()
}

/// What the parser is primed with.
fn open_turn(request: &Value) -> String {
    let mut rendered = rendered(request);
    let start = usize::try_from(rendered.open_turn).expect("an index");
    rendered.pieces.drain(..start);
    support::joined(&rendered)
}

fn code(request: &RenderRequest) -> String {
    render(request).expect_err("refused").code
}

fn tool_loop() -> Value {
    json!([
        {"role": "user", "content": "Q"},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]},
        {"role": "tool", "tool_call_id": "1", "content": "R"},
    ])
}

/// A request with one word in every place that a person or a tool can write to.
fn everywhere(word: &str) -> Value {
    let call =
        json!({"id": word, "function": {"name": word, "arguments": {word: [word, {word: word}]}}});
    let schema = json!({
        "type": "object",
        "properties": {
            word: {"type": word, "description": word, "enum": [word]},
            "a": {"type": "array", "items": {word: word, "type": word, "required": [word]}},
            "s": {"type": "string", "enum": [word]},
        },
        "required": [word],
    });
    let response = json!({"type": "object", "description": word});
    let function =
        json!({"name": word, "description": word, "parameters": schema, "response": response});
    json!({
        "messages": [
            {"role": "system", "content": word},
            {"role": "user", "content": [{"type": "text", "text": word}]},
            {"role": "assistant", "reasoning": word, "tool_calls": [call]},
            {"role": "tool", "name": word, "content": word},
            {"role": "tool", "tool_call_id": word, "content": {word: word}},
        ],
        "tools": [{"function": function}],
    })
}

#[test]
fn nobody_can_forge_a_control_token() {
    let all = Gemma4::describe().control_tokens.concat();
    // The honest word sorts where the forged one does.
    assert_eq!(
        controls(&rendered(&everywhere(&all))),
        controls(&rendered(&everywhere("!")))
    );
}

#[test]
fn neighbours_of_one_kind_are_one_piece() {
    let rendered = rendered(&json!({"messages": [
        {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]}));
    let pieces = [
        Piece::Control("<bos><|turn>system\n".into()),
        Piece::Data("a b ".into()),
        Piece::Control("<turn|>\n<|turn>user\n".into()),
        Piece::Data("c".into()),
        Piece::Control("<turn|>\n<|turn>model\n".into()),
        Piece::Control("<|channel>thought\n<channel|>".into()),
    ];
    assert_eq!(
        (rendered.pieces.as_slice(), rendered.open_turn),
        (&pieces[..], 5)
    );
}

#[test]
fn the_open_turn_is_what_the_model_goes_on_with() {
    let question = json!([{"role": "user", "content": "Q"}]);
    let continued =
        json!([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "So "}]);
    let two = json!([{"role": "assistant", "content": "A"}, {"role": "assistant", "content": "B"}]);
    let mut dangling = tool_loop();
    dangling.as_array_mut().expect("messages").pop();
    for (request, open) in [
        (
            json!({"messages": question}),
            "<|channel>thought\n<channel|>",
        ),
        (json!({"messages": question, "enable_thinking": true}), ""),
        (
            json!({"messages": question, "add_generation_prompt": false}),
            "",
        ),
        (json!({"messages": tool_loop()}), ""),
        (
            json!({"messages": tool_loop(), "enable_thinking": true}),
            "<|channel>thought\n",
        ),
        (json!({"messages": dangling}), ""),
        (
            json!({"messages": continued, "continue_final_message": true, "add_generation_prompt": false}),
            "So",
        ),
        (
            json!({"messages": two, "continue_final_message": true, "add_generation_prompt": false}),
            "AB",
        ),
    ] {
        assert_eq!(open_turn(&request), open, "{request}");
    }
}

#[test]
fn a_finished_turn_leaves_nothing_open() {
    let messages = json!([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]);
    let rendered = rendered(&json!({"messages": messages, "add_generation_prompt": false}));
    assert_eq!(
        usize::try_from(rendered.open_turn),
        Ok(rendered.pieces.len())
    );
}

#[test]
fn an_object_as_a_result_renders_its_keys() {
    let mut messages = tool_loop();
    messages[2]["content"] = json!({"b": 1, "A": "x", "n": null});
    let text = support::joined(&rendered(&json!({"messages": messages})));
    let block = "<|tool_response>response:f{A:<|\"|>x<|\"|>,b:1,n:null}<tool_response|>";
    assert!(text.ends_with(block), "{text}");
}

#[test]
fn media_keep_their_index_and_place() {
    let rendered = rendered(&json!({"messages": [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "x"}, {"type": "audio"}]},
    ]}));
    let media = rendered.pieces.iter().filter_map(|piece| match piece {
        Piece::Media(media) => Some(media.index),
        Piece::Control(_) | Piece::Data(_) => None,
    });
    assert_eq!(media.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_cannot_be_rendered_is_refused_with_its_code() {
    let plain = || support::request(&json!({"messages": tool_loop()}), PromptStyle::Small);
    let with_call = |arguments: &str| {
        let mut request = plain();
        request.messages[1].tool_calls[0].arguments = arguments.to_owned();
        request
    };
    let with_content = |content: Content| {
        let mut request = plain();
        request.messages[0].content = Some(content);
        request
    };
    let with_extra = |extra: &str| RenderRequest {
        extra: Some(extra.to_owned()),
        ..plain()
    };
    for (request, expected) in [
        (with_call("{"), "template.bad-json"),
        (with_call("[1]"), "template.bad-arguments"),
        (
            with_content(Content::Structured("{}".into())),
            "template.structured-content",
        ),
        (with_extra("{\"x\":1}"), "template.unknown-setting"),
        (with_extra("7"), "template.bad-json"),
        (
            RenderRequest {
                continue_final_message: true,
                ..plain()
            },
            "template.continue-and-generate",
        ),
    ] {
        assert_eq!(code(&request), expected);
    }
}

#[test]
fn an_error_names_the_place() {
    let mut request = support::request(&json!({"messages": tool_loop()}), PromptStyle::Small);
    let system = Message {
        role: Role::System,
        name: None,
        content: None,
        reasoning: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    request.messages.insert(0, system);
    request.messages[2].tool_calls[0].arguments = "7".into();
    let error = render(&request).expect_err("refused");
    assert_eq!(
        error.at.as_deref(),
        Some("/messages/2/tool_calls/0/arguments")
    );
}

#[test]
fn empty_settings_are_no_settings() {
    for extra in ["{}", "null"] {
        let mut request = support::request(&json!({"messages": tool_loop()}), PromptStyle::Small);
        request.extra = Some(extra.to_owned());
        assert!(render(&request).is_ok());
    }
}
