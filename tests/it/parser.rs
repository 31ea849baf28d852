//! The built-in format's parser, through the sandbox: the same events however the stream is cut.

use std::sync::LazyLock;

use lapidary::{
    ControlScanner, Engines, Format, Interrupt, Limits, ParsedEvent, StopReason, TokenPiece,
};
use proptest::prelude::*;

use crate::support::code_cache;

static FORMAT: LazyLock<Format> = LazyLock::new(|| {
    let engines = Engines::new(&Limits::default(), Some(code_cache())).unwrap();
    Format::builtin(&engines).unwrap()
});

static SCANNER: LazyLock<ControlScanner> =
    LazyLock::new(|| ControlScanner::new(FORMAT.describe().control_tokens.clone()).unwrap());

/// Stretches of output, in and out of form.
const STRETCHES: [&str; 24] = [
    "<|channel>",
    "thought\n",
    "<channel|>",
    "<|tool_call>",
    "call:",
    "weather",
    "{",
    "}",
    "city:",
    "<|\"|>",
    "Oslo",
    ",",
    "n:",
    "-1.5e3",
    "true",
    "null",
    "[1,2]",
    "<tool_call|>",
    "<|tool_response>",
    "<turn|>",
    " ",
    "\n",
    "é漢",
    "text with <b> and `code`",
];

fn parse(chunks: impl IntoIterator<Item = Vec<TokenPiece>>) -> Vec<ParsedEvent> {
    let mut parser = FORMAT.parser(&[], &[], &Interrupt::new()).unwrap();
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(parser.push(&chunk).unwrap());
    }
    events.extend(parser.finish(StopReason::EndOfTurn).unwrap());
    joined(events)
}

/// Neighbours of one kind as one.
fn joined(events: Vec<ParsedEvent>) -> Vec<ParsedEvent> {
    let mut all: Vec<ParsedEvent> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(ParsedEvent::Text(text)), ParsedEvent::Text(more)) => text.push_str(&more),
            (Some(ParsedEvent::Thought(text)), ParsedEvent::Thought(more)) => text.push_str(&more),
            (
                Some(ParsedEvent::CallDelta { index, json }),
                ParsedEvent::CallDelta {
                    index: next,
                    json: more,
                },
            ) if *index == next => {
                json.push_str(&more);
            }
            (_, event) => all.push(event),
        }
    }
    all
}

fn characters(pieces: &[TokenPiece]) -> Vec<Vec<TokenPiece>> {
    let each = pieces.iter().flat_map(|piece| match piece {
        TokenPiece::Control(text) => vec![TokenPiece::Control(text.clone())],
        TokenPiece::Data(text) => text
            .chars()
            .map(|one| TokenPiece::Data(one.to_string()))
            .collect(),
    });
    each.map(|piece| vec![piece]).collect()
}

fn chunked(pieces: &[TokenPiece], size: usize) -> Vec<Vec<TokenPiece>> {
    characters(pieces)
        .chunks(size)
        .map(<[Vec<TokenPiece>]>::concat)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_the_same_events(
        stretches in prop::collection::vec(prop::sample::select(&STRETCHES[..]), 0..30),
        size in 1usize..9,
    ) {
        let text = stretches.concat();
        let pieces = SCANNER.split(&text);
        let whole = parse([pieces.clone()]);
        prop_assert_eq!(&parse(characters(&pieces)), &whole, "one character at a time: {}", &text);
        prop_assert_eq!(&parse(chunked(&pieces, size)), &whole, "{} at a time: {}", size, &text);
    }
}

#[test]
fn a_marker_that_the_model_only_spells_is_text() {
    let spelled = TokenPiece::Data("<|tool_call>call:f{}<tool_call|>".into());
    let events = parse([vec![spelled]]);
    assert!(
        matches!(&events[..], [ParsedEvent::Text(text)] if text.contains("call:f{}")),
        "{events:?}"
    );
}
