//! Formats whose grammars are hostile.

use super::*;

/// What a chat with this format ends with.
fn chat_with(name: &str) -> Result<lapidary::Reply> {
    let runtime = builder()
        .format(name, component("constraint", name))
        .build()
        .expect("it misbehaves later");
    let options = ChatOptions {
        response_format: ResponseFormat::Regex("a".into()),
        ..greedy(16)
    };
    runtime.chat("hello", options)?.finish()
}

#[test]
fn a_grammar_that_is_too_large_is_refused() {
    let error = chat_with("huge_grammar").expect_err("3 MiB of grammar");
    assert_eq!(error.kind(), ErrorKind::Limit("constraint_bytes_max"));
}

#[test]
fn a_grammar_that_is_none_is_refused() {
    let error = chat_with("no_grammar").expect_err("no grammar");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn a_grammar_that_explodes_ends_in_an_error_or_an_answer_in_bounded_time() {
    let start = Instant::now();
    if let Err(error) = chat_with("exploding_grammar") {
        let kinds = [
            ErrorKind::Unsupported,
            ErrorKind::Limit("constraint_mask_ms_max"),
            ErrorKind::Limit("constraint_compile_ms_max"),
        ];
        assert!(kinds.contains(&error.kind()), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_grammar_that_never_ends_is_cut_at_the_token_limit() {
    let reply = chat_with("endless_grammar").expect("text");
    assert_eq!(reply.reason, FinishReason::Length);
    assert_eq!(reply.usage.output_tokens, 16);
}

#[test]
fn rules_inside_rules_do_not_overflow_the_hosts_stack() {
    let reply = chat_with("deep_grammar");
    match reply {
        Ok(reply) => assert_eq!(reply.usage.output_tokens, 2),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Limit("constraint_compile_ms_max")),
    }
}

#[test]
fn a_format_that_never_says_what_may_come_is_stopped() {
    let error = chat_with("constrains_forever").expect_err("it loops");
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    assert!(error.to_string().contains("found none"), "{error}");
}

#[test]
fn a_format_without_a_constraint_still_chats_and_refuses_only_what_needs_one() {
    let parts = component::read("constraint", "no_grammar");
    let plain = parts.split("(func $constrain").next().expect("a beginning");
    let bytes = component::altered("format", "chat-format", plain);
    let runtime = builder().format("plain", bytes).build().expect("a format");
    assert!(runtime.chat("hello", greedy(4)).unwrap().finish().is_ok());
    let strict = ChatOptions {
        response_format: ResponseFormat::Regex("a".into()),
        ..greedy(4)
    };
    let error = runtime.chat("hello", strict).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("constraint"), "{error}");
}
