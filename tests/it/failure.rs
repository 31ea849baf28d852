//! What becomes of chats whose plugins keep failing, as the operator says: they fail, or go on without the plugin
//! and say so. Tools are in `hostile/bounds.rs`.

use std::thread::sleep;
use std::time::Duration;

use lapidary::{
    AgentPlugin, Bundle, ChatOptions, Content, Conversation, Engines, ErrorKind, Fallback, Grants,
    Interrupt, Limits, LogitsPlugin, OnFailure, PluginLimits, PluginMetrics, Reply, Result,
    Runtime, RuntimeBuilder, ToolResult,
};
use serde_json::{Value, json};

use crate::hostile::component::{component, decent};
use crate::support::{builder, bundle_on_disk, greedy, ids, request};

fn with_format(name: &str) -> RuntimeBuilder {
    builder().format(name, component("format", name))
}

/// A chat whose output is the same five words, whatever the model thinks.
fn chat(runtime: &Runtime, conversation: impl Into<Conversation>) -> Result<Reply> {
    let options = ChatOptions {
        replay: vec![ids("one two three four five")],
        ..greedy(5)
    };
    runtime.chat(conversation, options)?.finish()
}

fn two() -> Conversation {
    Conversation::new().system("a").user("b")
}

fn metrics(runtime: &Runtime, name: &str) -> PluginMetrics {
    let all = runtime.plugin_metrics();
    let found = all.into_iter().find(|(plugin, _)| plugin == name);
    found.expect("it is loaded").1
}

#[test]
fn a_format_that_keeps_failing_rests_and_its_chats_fail() {
    let runtime = with_format("trap_in_render_of_two").build().unwrap();
    for _ in 0..3 {
        let error = chat(&runtime, two()).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
    let error = chat(&runtime, "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(
        error
            .to_string()
            .contains("rests after 3 failures in a row"),
        "{error}"
    );
    sleep(Duration::from_millis(1_100));
    assert!(chat(&runtime, "a").unwrap().usage.bypassed.is_empty());
}

#[test]
fn the_native_format_stands_in_while_another_rests_and_no_longer() {
    let name = "trap_in_render_of_two";
    let runtime = with_format(name).native_fallback().build().unwrap();
    for _ in 0..3 {
        chat(&runtime, two()).unwrap_err();
    }
    let calls = metrics(&runtime, name).calls;
    let reply = chat(&runtime, two()).unwrap();
    assert!(reply.text.starts_with("one two"), "{reply:?}");
    assert_eq!(reply.usage.bypassed, [name]);
    let after = metrics(&runtime, name);
    assert_eq!(
        (after.calls, after.bypassed, after.turned_away),
        (calls, 1, 1)
    );
    sleep(Duration::from_millis(1_100));
    let reply = chat(&runtime, "a").unwrap();
    assert!(reply.usage.bypassed.is_empty());
    // The plugin tells nothing of what it reads.
    assert_eq!(reply.text, "");
    chat(&runtime, two()).unwrap_err();
    assert!(chat(&runtime, "a").unwrap().usage.bypassed.is_empty());
}

/// That prompts go well does not hide that outputs do not.
#[test]
fn a_format_that_breaks_while_it_reads_ends_its_chat_and_is_replaced_in_later_ones() {
    let name = "trap_in_third_push";
    let runtime = with_format(name).native_fallback().build().unwrap();
    for _ in 0..3 {
        let error = chat(&runtime, "a").unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
    assert_eq!(chat(&runtime, "a").unwrap().usage.bypassed, [name]);
    let prompt = runtime.render(&"a".into(), &greedy(1)).unwrap();
    assert!(prompt.prompt.ids.len() > 3, "{prompt:?}");
}

#[test]
fn a_native_fallback_needs_its_tokens_and_is_nothing_where_it_is_the_format() {
    let runtime = builder().native_fallback().build().unwrap();
    assert!(chat(&runtime, "a").unwrap().usage.bypassed.is_empty());
    let folder = bundle_on_disk();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace("<|tool_response>", "<|tool_reply>")).unwrap();
    }
    let name = "trap_in_render_of_two";
    let bundle = || Bundle::open(folder.path()).unwrap();
    let build = |builder: RuntimeBuilder| builder.bundle(bundle()).build();
    build(with_format(name)).unwrap();
    let error = build(with_format(name).native_fallback()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("<|tool_response>"), "{error}");
}

/// The grants of a processor with little time.
fn hasty(policy: OnFailure) -> Grants {
    let limits = PluginLimits {
        call_ms_max: Some(50),
        ..PluginLimits::default()
    };
    Grants::none().with_limits(limits).with_on_failure(policy)
}

fn with_endless(policy: OnFailure) -> RuntimeBuilder {
    let bytes = component("logits", "loop_in_step");
    builder().logits_processor("endless", bytes, json!({}), hasty(policy))
}

fn leaning(builder: RuntimeBuilder) -> RuntimeBuilder {
    let bytes = decent("logits", "logits-processor");
    builder.logits_processor("decent", bytes, json!({}), Grants::none())
}

#[test]
fn a_processor_that_fails_ends_the_generation_and_rests() {
    let runtime = with_endless(OnFailure::Fail).build().unwrap();
    for words in [
        "within 50 ms",
        "within 50 ms",
        "within 50 ms",
        "rests after 3",
    ] {
        let error = chat(&runtime, "a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_processor_that_fails_can_be_left_out_and_the_others_stay() {
    let runtime = leaning(with_endless(OnFailure::Bypass)).build().unwrap();
    let without = leaning(builder()).build().unwrap();
    let expected = without.generate(request(ids("Hello"), vec![])).unwrap();
    for round in 1..=4 {
        let found = runtime.generate(request(ids("Hello"), vec![])).unwrap();
        assert_eq!(found.ids, expected.ids);
        assert_eq!(found.usage.bypassed, ["endless"]);
        assert_eq!(metrics(&runtime, "endless").bypassed, round);
    }
    let endless = metrics(&runtime, "endless");
    assert_eq!((endless.stopped, endless.turned_away), (3, 1));
    let reply = chat(&runtime, "a").unwrap();
    assert_eq!(reply.usage.bypassed, ["endless"]);
    assert!(expected.usage.bypassed.is_empty());
}

#[test]
fn processors_are_replaced_and_removed_while_the_runtime_runs() {
    let runtime = builder().build().unwrap();
    let bytes = component("logits", "loop_in_step");
    let replace = |name: &str, bytes: &[u8]| {
        runtime.replace_logits_processor(name, bytes, json!({}), &hasty(OnFailure::Fail))
    };
    replace("one", &bytes).unwrap();
    chat(&runtime, "a").unwrap_err();
    replace("one", &decent("logits", "logits-processor")).unwrap();
    chat(&runtime, "a").unwrap();
    replace("one", &decent("tools", "tool-provider")).unwrap_err();
    assert!(runtime.rollback());
    chat(&runtime, "a").unwrap_err();
    runtime.remove_logits_processor("one").unwrap();
    chat(&runtime, "a").unwrap();
    let error = runtime.remove_logits_processor("one").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

fn agent(grants: &Grants) -> Result<AgentPlugin> {
    let engines = Engines::new(&Limits::default(), None)?;
    let bytes = component("agent", "loop_in_run");
    AgentPlugin::load("endless", &bytes, grants, &engines)
}

#[test]
fn an_agent_that_fails_can_be_answered_for() {
    let text = Fallback::text("nobody is here now");
    let agent = agent(&hasty(OnFailure::Fail).with_fallback(text)).unwrap();
    for round in 1..=4 {
        let answer = agent.run(&"hello".into(), &Interrupt::new()).unwrap();
        assert_eq!(answer, Content::Text("nobody is here now".into()));
        assert_eq!(agent.metrics().bypassed, round);
    }
    assert_eq!(agent.metrics().stopped, 3);
    let raised = Interrupt::new();
    raised.raise();
    let rests = agent.run(&"hello".into(), &raised);
    assert_eq!(rests.unwrap(), Content::Text("nobody is here now".into()));
}

#[test]
fn a_policy_that_means_nothing_is_refused() {
    let made = Fallback::new(|call| ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: Content::Text(String::new()),
        is_error: true,
    });
    let engines = Engines::new(&Limits::default(), None).unwrap();
    let bytes = decent("logits", "logits-processor");
    let processor = |grants| LogitsPlugin::load("x", &bytes, &grants, &engines).map(drop);
    let refusals = [
        agent(&Grants::none().with_on_failure(OnFailure::Bypass)).map(drop),
        agent(&Grants::none().with_fallback(made)).map(drop),
        processor(Grants::none().with_fallback(Fallback::text("x"))),
    ];
    for refused in refusals {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("fallback"), "{error}");
    }
}

/// What programs read of a chat that went on without a plugin.
#[test]
fn usage_names_them_in_json() {
    let runtime = with_endless(OnFailure::Bypass).build().unwrap();
    let events: Vec<_> = runtime.chat("a", greedy(2)).unwrap().collect();
    let last = events.last().unwrap().as_ref().unwrap();
    let json: Value = serde_json::to_value(last).unwrap();
    assert_eq!(json["usage"]["bypassed"], json!(["endless"]));
}
