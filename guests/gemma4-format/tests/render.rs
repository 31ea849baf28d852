//! The template against what transformers renders (`make_render_corpus.py` made the corpus).

mod support;

use gemma4_format::render;
use lapidary_guest::PromptStyle;
use serde_json::Value;

const CORPUS: &str = include_str!("render_corpus.jsonl");

fn cases() -> impl Iterator<Item = Value> {
    CORPUS
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
}

fn differences(variant: &str, style: PromptStyle) -> Vec<String> {
    let mut found = Vec::new();
    for case in cases() {
        let rendered = render(&support::request(&case["request"], style)).ok();
        let text = rendered.as_ref().map(support::joined);
        if text.as_deref() != case[variant].as_str() {
            found.push(format!(
                "{}:\n  {text:?}\n  {:?}",
                case["name"],
                case[variant].as_str()
            ));
        }
    }
    found
}

#[test]
fn the_small_variant_equals_transformers() {
    let found = differences("small", PromptStyle::Small);
    assert!(
        found.is_empty(),
        "{} differ\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_large_variant_equals_transformers() {
    let found = differences("large", PromptStyle::Large);
    assert!(
        found.is_empty(),
        "{} differ\n{}",
        found.len(),
        found.join("\n")
    );
}
