//! Recordings: what is in them, what never is, and that a replay asks nobody.

use std::fs;
use std::sync::{Arc, Mutex};

use lapidary::{
    Access, AgentPlugin, Engines, Error, Grants, Interrupt, Limits, Plugin, Runtime, ToolCall,
    ToolPlugin,
};
use serde_json::{Value, json};

use crate::hostile::component::component;

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
    assert_eq!(lines.len(), 1);
    lines[0].clone()
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
