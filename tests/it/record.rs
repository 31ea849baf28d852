//! Recordings: what is in them, what never is, and that a replay asks nobody.

use std::fs;
use std::sync::{Arc, Mutex};

use lapidary::{
    Access, AgentPlugin, Engines, Error, Format, Grants, Interrupt, Limits, LogitsPlugin, Plugin,
    Runtime, TokenPiece, ToolCall, ToolPlugin,
};
use serde_json::{Value, json};

use crate::hostile::component::{altered, component, decent};

fn engines() -> Engines {
    Engines::new(&Limits::default(), None).expect("engines")
}

pub type Lines = Arc<Mutex<Vec<Value>>>;

pub fn record(engines: &Engines) -> Lines {
    let lines = Lines::default();
    let taken = Arc::clone(&lines);
    engines.record(move |line| taken.lock().expect("lines").push(line));
    lines
}

/// The line of one call of the tool `name` of the hostile suite, whose id says what it asks for.
fn recorded(name: &str, grants: &Grants, id: &str) -> Value {
    let engines = engines();
    let lines = record(&engines);
    let bytes = component("grants", name);
    let plugin = ToolPlugin::load(name, &bytes, grants, &engines).expect("granted");
    let call = ToolCall {
        id: id.into(),
        name: "<end>".into(),
        arguments: json!({"a": "hush"}),
    };
    plugin.call(&call, &Interrupt::new()).expect("it answers");
    let lines = lines.lock().expect("lines");
    let [definitions, call] = lines.as_slice() else {
        panic!("expected two lines, found {lines:?}");
    };
    assert_eq!(definitions["definitions"], json!({}));
    call.clone()
}

/// The same again, with nothing granted but the name of it.
fn replayed(name: &str, grant: &str, line: &Value) -> Result<Value, Error> {
    let grants = Grants::none().with(grant.parse().expect("a grant"));
    let bytes = component("grants", name);
    Plugin::load(name, &bytes, &grants, &engines())?.replay(line)
}

#[test]
fn a_replay_reads_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes");
    fs::create_dir_all(&notes).expect("a folder");
    fs::write(notes.join("a.txt"), "hello").expect("a file");
    fs::write(notes.join("bytes"), [0xff, 0]).expect("a file");
    let grants = Grants::none().with_folder(&notes, Access::Write);
    let read = recorded("read_file", &grants, "notes/a.txt");
    let asked =
        json!([{"import": "files.read", "asked": ["notes/a.txt"], "answer": {"Ok": "hello"}}]);
    assert_eq!(read["host"], asked);
    let refused = recorded("read_file", &grants, "notes/none");
    let wrote = recorded("write_file", &grants, "notes/b.txt");
    fs::remove_dir_all(&notes).expect("it goes");
    for (name, line) in [
        ("read_file", &read),
        ("read_file", &refused),
        ("write_file", &wrote),
    ] {
        assert_eq!(replayed(name, "files", line).expect("a line"), *line);
    }
    assert!(!notes.exists());
}

#[test]
fn no_secret_is_in_a_recording() {
    let grants = Grants::none().with_secret("KEY", "hush");
    let line = recorded("tell_secret", &grants, "KEY");
    assert_eq!(line["outcome"]["content"], "[secret KEY]");
    assert_eq!(line["call"]["arguments"]["a"], "[secret KEY]");
    assert!(!line.to_string().contains("hush"), "{line}");
    // With a secret of its own, the replay says the same.
    let bytes = component("grants", "tell_secret");
    let other = Grants::none().with_secret("KEY", "other");
    let plugin = Plugin::load("tell_secret", &bytes, &other, &engines()).expect("granted");
    assert_eq!(plugin.replay(&line).expect("a line"), line);
}

#[test]
fn a_question_that_was_not_recorded_ends_the_call() {
    let grants = Grants::none().with_key_value(None);
    let mut line = recorded("recall", &grants, "x");
    line["host"] = json!([]);
    let again = replayed("recall", "key-value", &line).expect("a line");
    let error = again["outcome"]["error"]["message"].as_str();
    let words = "asks key-value.get[\"x\"], to which the recording has no answer; record again";
    assert!(error.expect("an error").starts_with(words), "{again}");
    // No failure in a row makes it rest.
    for _ in 0..10 {
        assert_eq!(
            replayed("recall", "key-value", &line).expect("a line"),
            again
        );
    }
}

#[test]
fn an_agent_runs_again_without_a_model() {
    let runtime = Runtime::builder().build().expect("a runtime");
    let lines = record(runtime.engines());
    let grants: Grants = "inference".parse().expect("a grant");
    let bytes = component("agent", "passes_on");
    let agent = AgentPlugin::load("passes_on", &bytes, &grants, runtime.engines());
    agent
        .expect("granted")
        .run(&"Hello!".into(), &Interrupt::new())
        .expect("an answer");
    let lines = lines.lock().expect("lines");
    let run = lines.iter().find(|line| line.get("run").is_some());
    let run = run.expect("the agent's own line");
    let plugin = Plugin::load("passes_on", &bytes, &grants, &engines()).expect("granted");
    assert_eq!(plugin.replay(run).expect("a line"), *run);
}

/// Looks at the best two scores before it adds to the one of token 1.
const LOOKS: &str = r#"
(import "lapidary:plugin/logits@0.1.0" "[method]view.top" (func $top_of (param i32 i32 i32)))
(data (i32.const 64) "\01\00\00\00\00\00\20\41")
(func $step (export "lapidary:plugin/processor@0.1.0#[method]session.step")
  (param i32 i32 i32 i32) (result i32)
  (call $top_of (local.get 3) (i32.const 2) (i32.const 1024))
  (call $view_add (local.get 3) (i32.const 64) (i32.const 1))
  (call $view_drop (local.get 3))
  (i32.const 112))"#;

#[test]
fn a_logits_processor_steps_again_without_scores() {
    let engines = engines();
    let lines = record(&engines);
    let bytes = altered("logits", "logits-processor", LOOKS);
    let plugin = LogitsPlugin::load("looks", &bytes, &Grants::none(), &engines).expect("decent");
    let mut session = plugin
        .session(&json!({"a": 1}), &Interrupt::new())
        .expect("a session");
    for last in [None, Some(2)] {
        let mut scores = vec![f32::NEG_INFINITY, 0.1, 3.0];
        session.step(last, &mut scores).expect("a step");
        assert_eq!(scores, [f32::NEG_INFINITY, 10.1, 3.0]);
    }
    assert!(lines.lock().expect("lines").is_empty());
    drop(session);
    let line = lines.lock().expect("lines").remove(0);
    let told = json!([{"import": "logits.top", "asked": [2], "answer": [[2, 3.0], [1, 0.1_f32]]}]);
    let added = json!([{"add": [[1, 10.0]]}]);
    assert_eq!(
        line,
        json!({
            "plugin": "looks",
            "session": {"config": {"a": 1}, "last": [null, 2], "is_cut": false},
            "host": [told, told],
            "outcome": {"changes": [added, added]},
        })
    );
    let again = |bytes: &[u8]| {
        let engines = self::engines();
        let plugin = Plugin::load("looks", bytes, &Grants::none(), &engines).expect("decent");
        plugin.replay(&line).expect("a line")
    };
    assert_eq!(again(&bytes), line);
    let adds_only = again(&decent("logits", "logits-processor"));
    assert_eq!(adds_only["host"], json!([[], []]));
    assert_eq!(adds_only["outcome"], line["outcome"]);
    let other = again(&component("logits", "not_a_number"));
    let changes = json!([{"add": [[1, "NaN"], [u32::MAX, 1.0]]}]);
    assert_eq!(other["outcome"]["changes"], json!([changes, changes]));
}

#[test]
fn a_question_about_scores_is_one_of_its_step() {
    let line = json!({
        "session": {"config": {}, "last": [null, 2]},
        "host": [[], [{"import": "logits.top", "asked": [2], "answer": []}]],
    });
    let bytes = altered("logits", "logits-processor", LOOKS);
    let plugin = Plugin::load("looks", &bytes, &Grants::none(), &engines()).expect("decent");
    let again = plugin.replay(&line).expect("a line");
    let error = again["outcome"]["error"]["message"].as_str();
    let words = "asks logits.top[2], to which the recording has no answer";
    assert!(error.expect("an error").starts_with(words), "{again}");
}

#[test]
fn a_session_that_its_plugin_refuses_and_a_parser_that_nobody_ends_are_recorded() {
    let engines = engines();
    let lines = record(&engines);
    let (bytes, none) = (component("logits", "keeps_the_view"), Grants::none());
    let refuses = LogitsPlugin::load("x", &bytes, &none, &engines);
    let mut session = refuses
        .expect("it misbehaves later")
        .session(&json!({}), &Interrupt::new())
        .expect("a session");
    session
        .step(None, &mut vec![0.0])
        .expect_err("it keeps the view");
    let format = Format::builtin(&engines).expect("built in");
    let mut parser = format
        .parser(&[], &[], &Interrupt::new())
        .expect("a parser");
    let text = TokenPiece::Data("Hi".to_owned());
    parser.push(&[text]).expect("text");
    drop((session, parser));
    let lines = lines.lock().expect("lines");
    let [session, describe, parse] = lines.as_slice() else {
        panic!("expected three lines, found {lines:?}");
    };
    assert!(session["outcome"]["error"].is_object(), "{session}");
    assert_eq!(describe["outcome"]["name"], "gemma4");
    assert_eq!(
        parse["outcome"]["events"],
        json!([{"type": "text", "text": "Hi"}])
    );
    let builtin = Plugin::Format(Format::builtin(&self::engines()).expect("built in"));
    for line in [describe, parse] {
        let mut again = builtin.replay(line).expect("a line");
        again["plugin"] = line["plugin"].clone();
        assert_eq!(again, *line);
    }
}

#[test]
fn a_version_takes_over_again_from_what_the_recording_says_was_kept() {
    let engines = engines();
    let lines = record(&engines);
    let grants = Grants::none().with_key_value(None);
    let old = ToolPlugin::load("notes", &component("grants", "recall"), &grants, &engines);
    let old = old.expect("granted");
    let bytes = component("successor", "adopts");
    old.successor(&bytes, &grants).expect("it takes over");
    let lines = lines.lock().expect("lines");
    let adopt = lines.iter().find(|line| line.get("adopt").is_some());
    let adopt = adopt.expect("a line of it");
    assert_eq!(adopt["adopt"], old.info().digest);
    assert_eq!(adopt["host"][0]["import"], "key-value.set");
    let again = |bytes: &[u8]| {
        let plugin = Plugin::load("notes", bytes, &grants, &self::engines()).expect("granted");
        plugin.replay(adopt).expect("a line")
    };
    assert_eq!(again(&bytes), *adopt);
    let none = again(&component("grants", "recall"));
    let told = none["outcome"]["error"]["message"].as_str();
    assert!(told.expect("an error").contains("handover"), "{none}");
}
