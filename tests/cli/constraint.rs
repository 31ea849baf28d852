//! The flags of `lapidary chat` that say what the model may write.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{lines, refused, run, text};

fn file(name: &str, text: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("constraint");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn answer(flags: &[&str], prompt: &str) -> String {
    let output = run(&[&["chat", "--greedy", "--quiet"], flags, &[prompt]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

fn events(flags: &[&str], prompt: &str) -> Vec<Value> {
    lines(&run(
        &[&["chat", "--json", "--greedy"], flags, &[prompt]].concat()
    ))
}

fn calls(events: &[Value]) -> Vec<&Value> {
    let calls = events.iter().filter(|event| event["type"] == "tool-call");
    calls.collect()
}

#[test]
fn an_answer_is_what_a_flag_says() {
    let choice = answer(&["--choice", "yes", "--choice", "no"], "Is water wet?");
    assert!(["yes", "no"].contains(&choice.as_str()), "{choice}");
    let number = answer(&["--regex", "[0-9]{1,4}", "--think=4"], "How many?");
    assert!(number.parse::<u16>().is_ok(), "{number}");
    let schema = file(
        "schema.json",
        r#"{"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"],
            "additionalProperties": false}"#,
    );
    let json_text = answer(&["--schema", &schema], "Is all well?");
    let value: Value = serde_json::from_str(&json_text).unwrap();
    assert!(value["ok"].is_boolean(), "{value}");
}

#[test]
fn tools_are_called_as_a_flag_says() {
    let plugin = [
        "--plugin",
        "calculator",
        "--plugin",
        "clock",
        "--grant",
        "clock",
    ];
    let named = [
        "--tool-choice",
        "calculator",
        "--strict",
        "--max-tokens",
        "80",
    ];
    let named = events(&[&plugin[..], &named].concat(), "Hello!");
    assert_eq!(calls(&named)[0]["name"], "calculator", "{named:?}");
    assert!(calls(&named)[0]["arguments"]["expression"].is_string());
    let none = ["--tool-choice", "none", "--max-tokens", "20"];
    let none = events(&[&plugin[..], &none].concat(), "What is 17 times 23?");
    assert_eq!(calls(&none), Vec::<&Value>::new());
}

#[test]
fn a_thinking_budget_is_counted_in_usage() {
    let events = events(&["--think=3", "--max-tokens", "30"], "What is 17 times 23?");
    let usage = &events.last().unwrap()["usage"];
    assert_eq!(usage["thought_tokens"], json!(3));
}

#[test]
fn what_cannot_be_enforced_is_refused() {
    refused(
        &run(&["chat", "--tool-choice", "nobody", "Hi"]),
        2,
        "nobody",
    );
    refused(
        &run(&["chat", "--schema", "/nowhere.json", "Hi"]),
        1,
        "/nowhere.json",
    );
    let broken = file("broken.json", "{");
    refused(&run(&["chat", "--schema", &broken, "Hi"]), 2, "--schema");
    let denied = file("denied.json", r#"{"not": {}}"#);
    refused(&run(&["chat", "--schema", &denied, "Hi"]), 2, "not");
    let both = run(&["chat", "--regex", "a", "--choice", "b", "Hi"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn what_is_wrong_with_a_pattern_or_a_schema_is_said() {
    for (pattern, fault) in [
        ("(", "unclosed group"),
        ("[a", "unclosed character class"),
        ("a{5,2}", "invalid repetition count range"),
        ("(?=a)b", "look-around"),
        ("\\1", "backreferences are not supported"),
    ] {
        refused(&run(&["chat", "--regex", pattern, "Hi"]), 2, fault);
    }
    let schema = |name: &str, json: &str| run(&["chat", "--schema", &file(name, json), "Hi"]);
    let pattern = r#"{"type": "object", "properties": {"a": {"type": "string", "pattern": "(["}},
        "required": ["a"]}"#;
    refused(
        &schema("pattern.json", pattern),
        2,
        "\"([\": unclosed character class",
    );
    let endless = r##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##;
    let words =
        "response_format: expected a schema that a text can fit, found one that requires itself";
    refused(&schema("endless.json", endless), 2, words);
}
