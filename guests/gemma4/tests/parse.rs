//! The parser against outputs with the events they must give: one line of `tests/conformance/outputs` a case.

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use support::parse::{Outcome, Stream, markers};

const GROUPS: [(&str, &str); 8] = [
    (
        "text",
        include_str!("../../../tests/conformance/outputs/text.jsonl"),
    ),
    (
        "thought",
        include_str!("../../../tests/conformance/outputs/thought.jsonl"),
    ),
    (
        "prefix",
        include_str!("../../../tests/conformance/outputs/prefix.jsonl"),
    ),
    (
        "call",
        include_str!("../../../tests/conformance/outputs/call.jsonl"),
    ),
    (
        "typed",
        include_str!("../../../tests/conformance/outputs/typed.jsonl"),
    ),
    (
        "repair",
        include_str!("../../../tests/conformance/outputs/repair.jsonl"),
    ),
    (
        "malformed",
        include_str!("../../../tests/conformance/outputs/malformed.jsonl"),
    ),
    // Named after the issues of other engines that the cases come from.
    (
        "issues",
        include_str!("../../../tests/conformance/outputs/issues.jsonl"),
    ),
];

static CASES: LazyLock<Vec<(String, Value)>> = LazyLock::new(read_cases);

fn cases() -> &'static [(String, Value)] {
    &CASES
}

fn read_cases() -> Vec<(String, Value)> {
    let case = |group: &str, line: &str| {
        let case: Value = serde_json::from_str(line).expect(line);
        (
            format!("{group}/{}", case["name"].as_str().expect("a name")),
            case,
        )
    };
    let group = |(group, lines): (&str, &'static str)| {
        let group = group.to_owned();
        lines.lines().map(move |line| case(&group, line))
    };
    GROUPS.into_iter().flat_map(group).collect()
}

/// What differs from the expectation; raw text counts only where it is given.
fn difference(outcome: &Outcome, expect: &Value) -> Option<String> {
    let mut found = outcome.json();
    for (index, malformed) in found["malformed"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .enumerate()
    {
        if expect["malformed"][index].get("raw").is_none() {
            malformed
                .as_object_mut()
                .map(|malformed| malformed.remove("raw"));
        }
    }
    (&found != expect).then(|| format!("found    {found}\nexpected {expect}"))
}

#[test]
fn every_output_gives_its_events() {
    let mut failed = Vec::new();
    for (name, case) in cases() {
        let outcome = Stream::of(case).whole();
        if let Some(difference) = difference(&outcome, &case["expect"]) {
            failed.push(format!("{name}: {}\n{difference}", case["request"]));
        }
    }
    assert!(
        failed.is_empty(),
        "{} differ\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn one_character_at_a_time_gives_the_same_events() {
    for (name, case) in cases() {
        let stream = Stream::of(case);
        assert_eq!(stream.by_character(), stream.whole(), "{name}");
    }
}

#[test]
fn the_streamed_arguments_are_the_arguments_at_the_end() {
    for (name, case) in cases() {
        Stream::of(case).by_character().check_calls(name);
    }
}

#[test]
fn no_output_vanishes() {
    for (name, case) in cases() {
        let said = support::parse::plain(case["request"]["input_text"].as_str().expect("input"));
        let outcome = Stream::of(case).whole();
        let label_only = ["thought", "thou", "model", "mod", ""].contains(&said.as_str());
        assert!(label_only || !outcome.events.is_empty(), "{name}");
    }
}

#[test]
fn no_marker_shows_in_text() {
    for (name, case) in cases() {
        let outcome = Stream::of(case).whole().json();
        for marker in markers() {
            assert!(
                !outcome["content"].to_string().contains(&marker),
                "{name}: {marker}"
            );
        }
    }
}

#[test]
fn a_marker_that_is_only_spelled_is_text() {
    let text = "<|tool_call>call:f{a:1}<tool_call|><|channel>thought\nx<channel|><turn|>y";
    let outcome = Stream::data(text).whole();
    assert_eq!(outcome.json()["content"], json!(text));
}

#[test]
fn long_outputs_take_time_in_proportion() {
    // A reader that looks back at everything for each character would need hours for these.
    let long = |text: &str| text.repeat(20_000);
    for (opening, body) in [
        ("", "\n"),
        ("", "a"),
        ("<|channel>", " "),
        ("<|channel>thought", " "),
        ("<|channel>thought\n", "x "),
        ("<|tool_call>", " "),
        ("<|tool_call>call:f{a:1}", "}"),
        ("<|tool_call>call:f{a:", "x,"),
        ("<|tool_call>call:f{a:x,", " "),
        ("<|tool_call>call:f{a:", "("),
        ("<|tool_call>call:f{a:[", "1,"),
        ("<|tool_call>call:f{a:\"", "\" x"),
        ("<|tool_call>call:f{a:\"x\"", " "),
        ("<|tool_call>call:f{a:<|\"|>", "}"),
        ("<|tool_call>call:f{a:<|\"|>", "<|tool_call>"),
        ("<|tool_call>call:f{a:<|\"|>", "<tool_call|>"),
        ("", "<|tool_call>call:f{a:<|\"|>x}<tool_call|>"),
        ("", "<|channel>"),
        ("<turn|>", "x"),
    ] {
        Stream::random(&format!("{opening}{}", long(body)), 0, true).by_character();
    }
}

/// Pieces of output, well-formed and broken, to be put together at random.
fn fragment() -> impl Strategy<Value = String> {
    let any = prop::sample::select(vec![
        "<|tool_call>",
        "<tool_call|>",
        "<|\"|>",
        "<|channel>",
        "<channel|>",
        "thought\n",
        "call:",
        "f",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ":",
        "=",
        ",",
        "a:",
        "b=",
        "\"",
        "'",
        "\\",
        "\\u00e9",
        " ",
        "\n",
        "1",
        "-2.5e3",
        "true",
        "null",
        "None",
        "Paris",
        "日本",
        "<turn|>",
        "<eos>",
        "<|tool_response>",
        "<|turn>",
        "model\n",
        "<|image|>",
        "<pad>",
        "{a:1}",
        "x y",
        "=>",
        ";",
        "call:f{",
        "a:<|\"|>x<|\"|>",
        "}<tool_call|>",
        "<|tool_call>call:g{",
        "thou",
        "👋🏽",
    ]);
    any.prop_map(str::to_owned)
}

// 256 of each; PROPTEST_CASES=100000 for more.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_any_output_gives_the_same_events(
        fragments in prop::collection::vec(fragment(), 0..24),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        reason in 0..4usize,
        typed in any::<bool>(),
    ) {
        let stream = Stream::random(&fragments.concat(), reason, typed);
        let whole = stream.whole();
        prop_assert_eq!(&stream.cut(&cuts), &whole);
        prop_assert_eq!(&stream.by_character(), &whole);
        whole.check_calls("random");
    }

    #[test]
    fn any_split_of_the_corpus_gives_the_same_events(
        case in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (name, case) = case.get(cases());
        let stream = Stream::of(case);
        prop_assert_eq!(stream.cut(&cuts), stream.whole(), "{}", name);
    }
}
