//! Plugins that change while the runtime runs.

use std::fs;
use std::path::Path;

use lapidary::{
    AgentPlugin, Content, Engines, ErrorKind, Event, Grants, Interrupt, Limits, PluginLimits,
    Runtime, ToolCall, ToolPlugin,
};

use crate::hostile::component::{altered, component, decent, read};
use crate::support::{builder, greedy, ids};

fn names(runtime: &Runtime) -> Vec<String> {
    runtime.tools().into_iter().map(|spec| spec.name).collect()
}

#[test]
fn a_tool_is_replaced_removed_and_brought_back() {
    let runtime = builder().builtin_calculator().build().unwrap();
    let before = names(&runtime);
    let decent = decent("tools", "tool-provider");
    runtime
        .replace_tool("tool-calculator", &decent, &Grants::none())
        .unwrap();
    assert_eq!(names(&runtime), ["<end>"]);
    runtime
        .replace_tool("another", lapidary_guests::TOOL_CALCULATOR, &Grants::none())
        .unwrap();
    assert_eq!(
        names(&runtime),
        [vec!["<end>".to_owned()], before.clone()].concat()
    );
    runtime.remove_tool("another").unwrap();
    assert_eq!(names(&runtime), ["<end>"]);
    assert!(runtime.rollback());
    assert_eq!(names(&runtime).len(), 2);
    assert!(runtime.rollback());
    assert_eq!(names(&runtime), ["<end>"]);
    let error = runtime.remove_tool("another").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn what_cannot_be_loaded_changes_nothing() {
    let runtime = builder().builtin_calculator().build().unwrap();
    let before = names(&runtime);
    let broken = component("tools", "same_name_twice");
    for name in ["tool-calculator", "another"] {
        runtime
            .replace_tool(name, &broken, &Grants::none())
            .unwrap_err();
    }
    let taken = runtime.replace_tool("another", lapidary_guests::TOOL_CALCULATOR, &Grants::none());
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Invalid);
    runtime
        .replace_format("x", &decent("format", "chat-format"))
        .unwrap_err();
    assert_eq!(names(&runtime), before);
    assert!(!runtime.rollback());
}

/// A chat that has begun calls the tool that it began with, though it is gone for the next one.
#[test]
fn a_running_chat_ends_with_what_it_began_with() {
    let runtime = builder().builtin_calculator().build().unwrap();
    let call =
        "<|tool_call>call:calculator{expression:<|\"|>17*23<|\"|>}<tool_call|><|tool_response>";
    let options = |replay| lapidary::ChatOptions {
        replay,
        ..greedy(200)
    };
    let replay = vec![ids(call), ids("391<turn|>")];
    let running = runtime.chat("a", options(replay.clone())).unwrap();
    runtime.remove_tool("tool-calculator").unwrap();
    let reply = running.finish().unwrap();
    assert!(format!("{:?}", reply.messages).contains("391"), "{reply:?}");
    let later = runtime
        .chat("a", options(replay))
        .unwrap()
        .finish()
        .unwrap();
    assert!(
        format!("{:?}", later.messages).contains("there is no tool"),
        "{later:?}"
    );
}

#[test]
fn a_replaced_format_speaks_and_everything_is_counted() {
    let runtime = builder().builtin_calculator().build().unwrap();
    runtime.chat("Hello!", greedy(4)).unwrap().finish().unwrap();
    let counted = |runtime: &Runtime| runtime.plugin_metrics();
    let before = counted(&runtime);
    assert_eq!(
        (before[0].0.as_str(), before[1].0.as_str()),
        ("gemma4-format", "tool-calculator")
    );
    assert!(before[0].1.calls > 4 && before[0].1.failures == 0);
    runtime
        .replace_format("second", lapidary_guests::GEMMA4_FORMAT)
        .unwrap();
    let reply = runtime.chat("Hello!", greedy(4)).unwrap().finish().unwrap();
    assert!(!reply.text.is_empty());
    assert_eq!(counted(&runtime)[0].0, "second");
    assert!(runtime.rollback());
    assert_eq!(counted(&runtime)[0].1.calls, before[0].1.calls);
}

/// A store in `file`, and little time.
fn keeping(file: &Path) -> Grants {
    let limits = PluginLimits {
        call_ms_max: Some(200),
        ..PluginLimits::default()
    };
    let grants = Grants::none().with_limits(limits);
    grants.with_key_value(Some(file.to_owned()))
}

/// What the tool says to its first call.
fn call(tools: &ToolPlugin, arguments: serde_json::Value) -> String {
    let call = ToolCall {
        id: "call_0".into(),
        name: "<end>".into(),
        arguments,
    };
    let result = tools.call(&call, &Interrupt::new()).unwrap();
    said(result.content)
}

fn said(content: Content) -> String {
    match content {
        Content::Text(text) => text,
        other => panic!("expected text, found {other:?}"),
    }
}

fn nothing() -> serde_json::Value {
    serde_json::json!({})
}

fn tools(name: &str, grants: &Grants, engines: &Engines) -> ToolPlugin {
    ToolPlugin::load("notes", &component("grants", name), grants, engines).unwrap()
}

/// What the file tells a program that starts now.
fn in_file(file: &Path) -> String {
    let engines = Engines::new(&Limits::default(), None).unwrap();
    call(&tools("recall", &keeping(file), &engines), nothing())
}

/// A runtime whose tool `<end>` tells that `{"n":1}` is kept, in `file`.
fn with_notes(file: &Path) -> Runtime {
    let runtime = builder().build().unwrap();
    let grants = keeping(file);
    let remember = tools("remember", &grants, runtime.engines());
    call(&remember, serde_json::json!({"n": 1}));
    let recall = component("grants", "recall");
    runtime.replace_tool("notes", &recall, &grants).unwrap();
    runtime
}

/// What the tool says to the model.
fn told(generation: lapidary::Generation) -> String {
    let mut events = generation.map(|event| event.unwrap());
    let result = events.find_map(|event| match event {
        Event::ToolResult(result) => Some(said(result.content)),
        _ => None,
    });
    result.expect("a result")
}

fn chat(runtime: &Runtime) -> lapidary::Generation {
    let call = "<|tool_call>call:<end>{}<tool_call|><|tool_response>";
    let options = lapidary::ChatOptions {
        replay: vec![ids(call), ids("so<turn|>")],
        ..greedy(64)
    };
    runtime.chat("a", options).unwrap()
}

#[test]
fn a_new_version_takes_over_what_was_kept_and_a_rollback_brings_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.json");
    let runtime = with_notes(&file);
    assert_eq!(told(chat(&runtime)), "{\"n\":1}");
    let running = chat(&runtime);
    let (new, grants) = (component("successor", "adopts"), keeping(&file));
    runtime.replace_tool("notes", &new, &grants).unwrap();
    // It told us which version was before it.
    let digest = lapidary::inspect("x", &component("grants", "recall"))
        .unwrap()
        .digest;
    assert_eq!(told(chat(&runtime)), digest);
    assert_eq!(in_file(&file), digest);
    assert_eq!(told(running), "{\"n\":1}");
    assert!(runtime.rollback());
    assert_eq!(
        (told(chat(&runtime)), in_file(&file)),
        ("{\"n\":1}".into(), "{\"n\":1}".into())
    );
    assert!(runtime.rollback());
    assert_eq!(
        (told(chat(&runtime)), in_file(&file)),
        (digest.clone(), digest.clone())
    );
    // The same version again has nothing to take over.
    runtime.replace_tool("notes", &new, &grants).unwrap();
    assert_eq!(told(chat(&runtime)), digest);
}

#[test]
fn a_version_that_does_not_take_over_leaves_the_old_one_and_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.json");
    let runtime = with_notes(&file);
    let cases = [
        ("trap_in_adopt", ErrorKind::Plugin, "panicked"),
        ("loop_in_adopt", ErrorKind::Plugin, "within 200 ms"),
        ("refuses_to_adopt", ErrorKind::Unsupported, "call"),
    ];
    for (name, kind, words) in cases {
        let bytes = component("successor", name);
        let error = runtime
            .replace_tool("notes", &bytes, &keeping(&file))
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(told(chat(&runtime)), "{\"n\":1}");
        assert_eq!(in_file(&file), "{\"n\":1}");
    }
}

#[test]
fn versions_that_part_keep_apart_and_the_last_to_resume_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.json");
    let grants = keeping(&file);
    let engines = Engines::new(&Limits::default(), None).unwrap();
    let old = tools("remember", &grants, &engines);
    call(&old, serde_json::json!({"n": 1}));
    // Without `handover` it goes on with the same.
    let plain = old
        .successor(&component("grants", "recall"), &grants)
        .unwrap();
    call(&old, serde_json::json!({"n": 2}));
    assert_eq!(call(&plain, nothing()), "{\"n\":2}");
    let new = plain
        .successor(&component("successor", "adopts"), &grants)
        .unwrap();
    call(&old, serde_json::json!({"n": 3}));
    assert_eq!(call(&plain, nothing()), "{\"n\":3}");
    assert_eq!(call(&new, nothing()), plain.info().digest);
    assert_eq!(in_file(&file), plain.info().digest);
    plain.resume().unwrap();
    assert_eq!(in_file(&file), "{\"n\":3}");
    call(&old, serde_json::json!({"n": 4}));
    assert_eq!(in_file(&file), "{\"n\":4}");
    assert_eq!(call(&new, nothing()), plain.info().digest);
}

#[test]
fn a_state_that_cannot_be_written_stays_with_the_old_version() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.json");
    let runtime = with_notes(&file);
    fs::remove_dir_all(folder.path()).unwrap();
    let bytes = component("successor", "adopts");
    let error = runtime
        .replace_tool("notes", &bytes, &keeping(&file))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert_eq!(told(chat(&runtime)), "{\"n\":1}");
}

#[test]
fn an_agent_takes_over_too() {
    let grants: Grants = "key-value".parse().unwrap();
    let engines = Engines::new(&Limits::default(), None).unwrap();
    let old = decent("agent", "agent");
    let old = AgentPlugin::load("notes", &old, &grants, &engines).unwrap();
    let successor = |name: &str| {
        let text = read("successor", name);
        let adopt = text.split("(func $call").next().expect("a beginning");
        altered("agent", "agent+successor", adopt)
    };
    let recall = || call(&tools("recall", &grants, &engines), nothing());
    let error = old
        .successor(&successor("trap_in_adopt"), &grants)
        .unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(recall(), "");
    let new = old.successor(&successor("adopts"), &grants).unwrap();
    let answer = new.run(&"hello".into(), &Interrupt::new()).unwrap();
    assert_eq!(
        (said(answer), recall()),
        ("<end>".into(), old.info().digest.clone())
    );
    old.resume().unwrap();
    assert_eq!(recall(), "");
    assert!(new.info().adopts && !old.info().adopts);
}
