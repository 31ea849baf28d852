//! Plugins that change while the runtime runs.

use lapidary::{ErrorKind, Grants, Runtime};

use crate::hostile::component::{component, decent};
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
