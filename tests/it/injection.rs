//! Whatever a user, a tool or an operator writes stays text: random strings of control-token spellings, their
//! fragments and private-use characters, through both formats in the sandbox and the tokenizer.
//!
//! 1,200 strings; LAPIDARY_FUZZ_STRINGS=1000000 for more, and LAPIDARY_TEMPLATES for the official templates.

use std::path::Path;

use lapidary::{
    Conversation, Engines, Format, Interrupt, Limits, Message, Part, Piece, PromptStyle,
    RenderRequest, Role, Segment, ToolCall, ToolSpec, ToolTraits,
};
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::RUNTIME;

/// Strings in one conversation.
const PLACES: usize = 17;

const TURNS: &str = include_str!("../conformance/templates/turns.jinja");

fn string_count() -> usize {
    let given = std::env::var("LAPIDARY_FUZZ_STRINGS").ok();
    given.map_or(1_200, |count| count.parse().expect("a number"))
}

fn formats() -> Vec<(String, Format, PromptStyle)> {
    // A busy machine must not decide.
    let limits = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, None).unwrap();
    let builtin = Format::builtin(&engines).unwrap();
    let turns = Format::template(TURNS, &engines).unwrap();
    let mut formats = vec![
        ("gemma4".to_owned(), builtin, PromptStyle::Large),
        ("turns".to_owned(), turns, PromptStyle::Large),
    ];
    if let Some(folder) = std::env::var_os("LAPIDARY_TEMPLATES") {
        for (name, style) in [("small", PromptStyle::Small), ("large", PromptStyle::Large)] {
            let file = format!("gemma-4-{name}.2026-07-09.chat_template.jinja");
            let template = std::fs::read_to_string(Path::new(&folder).join(file)).unwrap();
            formats.push((
                name.to_owned(),
                Format::template(&template, &engines).unwrap(),
                style,
            ));
        }
    }
    formats
}

/// What strings are made of.
fn fragments() -> Vec<String> {
    let spellings: Vec<String> = RUNTIME
        .tokenizer()
        .control_tokens()
        .map(|(_, spelling)| spelling.to_owned())
        .collect();
    let halves = spellings.iter().flat_map(|spelling| {
        let at = spelling.floor_char_boundary(spelling.len() / 2);
        [spelling[..at].to_owned(), spelling[at..].to_owned()]
    });
    let plain = [
        "<",
        "|",
        ">",
        "\"",
        "<|",
        "|>",
        "{",
        "}",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        " ",
        "\n",
        "call:",
        "thought\n",
        "model\n",
        "user\n",
        "response:f{value:",
        "{{ bos_token }}",
        "{% if true %}",
        "\\u003c",
        "&lt;",
        "</s>",
        "[INST]",
        "\u{e000}",
        "\u{e001}",
        "\u{e017}",
        "\u{f8ff}",
        "\u{f0000}",
        "\u{ffffd}",
        "\u{100000}",
        "\u{10fffd}",
        "\u{200b}",
        "\u{feff}",
        "\u{0}",
        "é",
        "日本",
        "👋🏽",
        "ｔｕｒｎ",
        "a",
    ];
    let plain = plain.into_iter().map(str::to_owned);
    halves.chain(plain).chain(spellings.clone()).collect()
}

/// Not empty, and with no whitespace at its ends, which templates trim.
fn string(random: &mut ChaCha8Rng, fragments: &[String]) -> String {
    let count = random.random_range(0..8);
    let body: String = (0..count)
        .map(|_| fragments.choose(random).expect("fragments").as_str())
        .collect();
    format!("x{body}x")
}

fn conversation(strings: &[String]) -> Conversation {
    let at = |index: usize| strings[index].clone();
    let call = |id: &str, text: String| ToolCall {
        id: id.to_owned(),
        name: at(12),
        arguments: json!({"a": text, strings[13].as_str(): [text]}),
    };
    let result = |id: &str, content: Message| Message {
        tool_call_id: Some(id.to_owned()),
        ..content
    };
    let parts = Message {
        content: Some(lapidary::Content::Parts(vec![Part::Text(at(8))])),
        ..Message::new(Role::Tool, "")
    };
    let object = Message {
        content: Some(lapidary::Content::Structured(
            json!({strings[14].as_str(): strings[15]}),
        )),
        ..Message::new(Role::Tool, "")
    };
    Conversation::new()
        .with(Message::new(Role::System, at(0)))
        .user(at(1))
        .with(Message::assistant(Some(at(2)), None, Vec::new()))
        .user("And then?")
        .with(Message::assistant(None, None, vec![call("0", at(5))]))
        .with(result("0", object))
        .user(at(3))
        .with(Message::assistant(
            None,
            Some(at(4)),
            vec![call("1", at(5)), call("2", at(6))],
        ))
        .with(result("1", Message::new(Role::Tool, at(7))))
        .with(result("2", parts))
}

fn tool(strings: &[String]) -> ToolSpec {
    let property = json!({"type": "string", "description": strings[10], "enum": [strings[11]]});
    let key = strings[16].as_str();
    ToolSpec {
        name: strings[12].clone(),
        description: strings[9].clone(),
        parameters: json!({"type": "object", "properties": {key: property}, "required": [key]}),
        response: None,
        traits: ToolTraits::default(),
    }
}

fn rendered(format: &Format, style: PromptStyle, strings: &[String]) -> Vec<Piece> {
    let conversation = conversation(strings);
    let tools = [tool(strings)];
    let request = RenderRequest {
        style,
        ..RenderRequest::new(&conversation, &tools)
    };
    format.render(&request, &Interrupt::new()).unwrap().pieces
}

fn joined(pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Control(text) | Piece::Data(text) => text.clone(),
        Piece::Media(_) => unreachable!("no media was given"),
    };
    pieces.iter().map(text).collect()
}

fn ids(pieces: &[Piece]) -> Vec<u32> {
    let segments = pieces.iter().map(|piece| match piece {
        Piece::Control(text) => Segment::Control(text),
        Piece::Data(text) => Segment::Data(text),
        Piece::Media(_) => unreachable!("no media was given"),
    });
    RUNTIME
        .tokenizer()
        .encode(&segments.collect::<Vec<_>>())
        .unwrap()
}

fn control_ids(ids: &[u32]) -> Vec<u32> {
    let is_control = |id: &u32| RUNTIME.tokenizer().control_spelling(*id).is_some();
    ids.iter().copied().filter(is_control).collect()
}

/// What an assistant said is the one text that templates look into: an inline thought goes.
fn without_thought(text: &str) -> String {
    let kept = text
        .split("<channel|>")
        .map(|part| part.split("<|channel>").next().unwrap_or_default());
    kept.collect::<String>().trim().to_owned()
}

/// The prompt with the strings in the places where the marks are.
fn filled(template: &str, marks: &[String], strings: &[String]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('§') {
        let (before, from) = rest.split_at(at);
        let index = marks
            .iter()
            .position(|mark| from.starts_with(mark.as_str()))
            .expect("a mark");
        let text = match index {
            2 => without_thought(&strings[index]),
            _ => strings[index].clone(),
        };
        out = out + before + &text;
        rest = &from[marks[index].len()..];
    }
    out + rest
}

#[test]
fn random_strings_stay_text_in_every_place() {
    let fragments = fragments();
    let marks: Vec<String> = (0..PLACES).map(|place| format!("§{place:02}§")).collect();
    for (name, format, style) in formats() {
        let honest = rendered(&format, style, &marks);
        let (template, controls) = (joined(&honest), control_ids(&ids(&honest)));
        let mut random = ChaCha8Rng::seed_from_u64(4);
        for round in 0..string_count().div_ceil(PLACES) {
            let strings: Vec<String> = (0..PLACES)
                .map(|_| string(&mut random, &fragments))
                .collect();
            let pieces = rendered(&format, style, &strings);
            let ids = ids(&pieces);
            assert_eq!(
                control_ids(&ids),
                controls,
                "{name}, round {round}: {strings:?}"
            );
            assert_eq!(
                joined(&pieces),
                filled(&template, &marks, &strings),
                "{name}, round {round}"
            );
            assert_eq!(
                RUNTIME.tokenizer().decode(&ids),
                joined(&pieces),
                "{name}, round {round}"
            );
        }
    }
}
