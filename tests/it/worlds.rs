//! Agents and logits processors: what they do, and how those that misbehave end.

use std::time::{Duration, Instant};

use lapidary::{
    AgentPlugin, Content, Conversation, Engines, Error, ErrorKind, Grants, Interrupt, Limits,
    LogitsPlugin, LogitsSession, Media,
};

use crate::hostile::component::{component, decent};
use crate::support::{RUNTIME, seen_and_heard};

fn engines() -> Engines {
    let limits = Limits {
        agent_call_ms_max: 200,
        format_call_ms_max: 200,
        ..Limits::default()
    };
    Engines::new(&limits, None).expect("engines")
}

fn text(content: Content) -> String {
    match content {
        Content::Text(text) => text,
        other => panic!("expected text, found {other:?}"),
    }
}

fn agent(name: &str, grants: &Grants) -> AgentPlugin {
    let bytes = component("agent", name);
    AgentPlugin::load(name, &bytes, grants, &engines()).expect("it misbehaves later")
}

fn run(agent: &AgentPlugin) -> lapidary::Result<Content> {
    agent.run(&"hello".into(), &Interrupt::new())
}

#[test]
fn an_agent_answers() {
    let bytes = decent("agent", "agent");
    let agent = AgentPlugin::load("decent", &bytes, &Grants::none(), &engines());
    assert_eq!(
        text(run(&agent.expect("decent")).expect("an answer")),
        "<end>"
    );
}

#[test]
fn an_agent_that_never_answers_is_stopped() {
    let agent = agent("loop_in_run", &Grants::none());
    let start = Instant::now();
    let error = run(&agent).expect_err("it loops");
    assert!(
        error
            .to_string()
            .contains("agent_call_ms_max must be raised"),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_agent_cannot_forge_media() {
    let error = run(&agent("forged_media", &Grants::none())).expect_err("there is no media");
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().contains("found media 7"), "{error}");
    let grants: Grants = "inference".parse().expect("a grant");
    let asks = agent("asks_about_forged_media", &grants);
    assert_eq!(text(run(&asks).expect("it is told")), "inference.messages");
}

#[test]
fn an_agent_needs_the_grant_of_the_model() {
    let bytes = component("agent", "passes_on");
    let error = AgentPlugin::load("x", &bytes, &Grants::none(), &engines());
    let error = error.expect_err("nobody granted it");
    assert!(
        error.to_string().ends_with("pass --grant inference"),
        "{error}"
    );
}

#[test]
fn an_agent_drives_the_model_with_media_by_handle() {
    let grants: Grants = "inference:5000".parse().expect("a grant");
    let bytes = component("agent", "passes_on");
    let agent =
        AgentPlugin::load("passes_on", &bytes, &grants, RUNTIME.engines()).expect("granted");
    let (_, media) = seen_and_heard();
    let picture: Vec<Media> = media.into_iter().take(1).collect();
    let spent = |conversation: Conversation| {
        let before = agent.metrics().inference_tokens;
        let answer = agent
            .run(&conversation, &Interrupt::new())
            .expect("an answer");
        assert!(!text(answer).is_empty());
        agent.metrics().inference_tokens - before
    };
    let told = spent("What is this?".into());
    let shown = spent(Conversation::new().user_with(picture, "What is this?"));
    assert!(
        shown > told + 16,
        "{shown} tokens with the picture, {told} without"
    );
}

fn session(bytes: &[u8]) -> LogitsSession {
    let plugin =
        LogitsPlugin::load("x", bytes, &Grants::none(), &engines()).expect("it misbehaves later");
    let config = serde_json::json!({});
    plugin
        .session(&config, &Interrupt::new())
        .expect("it misbehaves later")
}

#[test]
fn a_processor_leans_on_scores() {
    let mut session = session(&decent("logits", "logits-processor"));
    let mut scores = vec![1.0, 2.0, 3.0];
    session.step(None, &mut scores).expect("it behaves");
    session.step(Some(1), &mut scores).expect("it behaves");
    assert_eq!(scores, [1.0, 22.0, 3.0]);
}

fn step_fails(name: &str, words: &str) -> Error {
    let mut session = session(&component("logits", name));
    let mut scores = vec![1.0, 2.0, 3.0];
    let start = Instant::now();
    let error = session.step(None, &mut scores).expect_err("it misbehaves");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(scores, [1.0, 2.0, 3.0]);
    session.step(None, &mut scores).expect_err("it ended")
}

#[test]
fn a_processor_that_misbehaves_ends_and_changes_nothing() {
    let ended = step_fails("loop_in_step", "within 200 ms");
    assert!(ended.to_string().contains("found one that ended"));
    step_fails("keeps_the_view", "broke the contract");
    step_fails("forged_view", "broke the contract");
    step_fails("endless_top", "plugin \"x\"");
}

#[test]
fn a_processor_that_never_opens_is_stopped() {
    let bytes = component("logits", "loop_in_open");
    let plugin =
        LogitsPlugin::load("x", &bytes, &Grants::none(), &engines()).expect("it misbehaves later");
    let start = Instant::now();
    let opened = plugin.session(&serde_json::json!({}), &Interrupt::new());
    let error = opened.map(|_| ()).expect_err("it loops");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(error.to_string().contains("within 200 ms"), "{error}");
}

#[test]
fn scores_stay_numbers() {
    let mut session = session(&component("logits", "not_a_number"));
    let mut scores = vec![1.0, 2.0];
    session.step(None, &mut scores).expect("it is mended");
    assert_eq!(scores, [1.0, f32::NEG_INFINITY]);
}
