//! Every limit is enforced. What a hostile plugin does is in `hostile.rs`; here is what a limit means to its
//! operator.

use lapidary::{
    Conversation, Engines, Error, ErrorKind, FinishReason, Format, Interrupt, Limits, Media,
    RenderRequest, Runtime,
};

use crate::support::{bounded, builder, code_cache, greedy, ids};

/// Every field has a test of its name below or in `hostile.rs`: a new one does not compile until it is here.
#[test]
fn every_limit_is_known_to_the_tests() {
    let Limits {
        messages_max: _,
        text_bytes_max: _,
        parsed_bytes_max: _,
        media_count_max: _,
        media_bytes_max: _,
        image_pixels_max: _,
        audio_seconds_max: _,
        // media.rs: a_video_of_more_frames_than_the_limit_is_refused
        video_frames_max: _,
        // media/ffmpeg.rs: a program that takes too long is stopped
        movie_ms_max: _,
        prompt_tokens_max: _,
        // prefill.rs: a prompt in chunks gives the logits of one run
        prefill_tokens_max: _,
        new_tokens_max: _,
        sequences_max: _,
        // tools.rs: endless_calls_end_at_the_limit
        tool_rounds_max: _,
        component_bytes_max: _,
        plugin_memory_bytes_max: _,
        plugin_table_elements_max: _,
        plugin_instances_max: _,
        plugin_parts_max: _,
        plugin_stack_bytes_max: _,
        format_call_ms_max: _,
        tool_call_ms_max: _,
        plugin_copy_bytes_max: _,
        tool_result_bytes_max: _,
        // hostile.rs: the log of a guest is cut
        plugin_log_bytes_max: _,
        // tools.rs: tool_calls_max and the three below it
        tool_calls_max: _,
        tool_repeats_max: _,
        tool_total_ms_max: _,
        tool_total_bytes_max: _,
        // constraint.rs: a_grammar_larger_than_the_limit_is_refused; the two others in `constrain/enforcer.rs`
        // hostile.rs: fuel, calls at once, calls of the host, rests
        plugin_fuel_max: _,
        plugin_calls_max: _,
        plugin_host_calls_max: _,
        plugin_failures_max: _,
        // worlds.rs: an agent that never answers is stopped
        agent_call_ms_max: _,
        // capabilities.rs
        key_value_bytes_max: _,
        file_bytes_max: _,
        http_body_bytes_max: _,
        http_ms_max: _,
        // wasi.rs
        http_headers_bytes_max: _,
        http_requests_max: _,
        plugin_resources_max: _,
        constraint_bytes_max: _,
        constraint_compile_ms_max: _,
        constraint_mask_ms_max: _,
        // plugin/record/steps.rs: a generation is written down as far as there is room
        recorded_values_max: _,
    } = Limits::default();
}

fn picture() -> Media {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/reference/test.png"
    );
    Media::image(std::fs::read(path).unwrap())
}

fn recording() -> Media {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/reference/test.wav"
    );
    Media::audio(std::fs::read(path).unwrap())
}

fn refusal(runtime: &Runtime, conversation: Conversation) -> Error {
    runtime
        .chat(conversation, greedy(1))
        .and_then(lapidary::Generation::finish)
        .expect_err("it is over the limit")
}

/// Under `limits` the conversation is refused for `name`, and a small one still works.
fn assert_limit(limits: Limits, conversation: Conversation, name: &'static str) {
    let runtime = bounded(limits);
    assert_eq!(
        refusal(&runtime, conversation).kind(),
        ErrorKind::Limit(name)
    );
    assert!(runtime.chat("a", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn messages_max() {
    let limits = Limits {
        messages_max: 1,
        ..Limits::default()
    };
    assert_limit(
        limits,
        Conversation::new().system("b").user("a"),
        "messages_max",
    );
}

#[test]
fn text_bytes_max() {
    let limits = Limits {
        text_bytes_max: 3,
        ..Limits::default()
    };
    assert_limit(limits, "four".into(), "text_bytes_max");
}

#[test]
fn media_count_max() {
    let limits = Limits {
        media_count_max: 1,
        ..Limits::default()
    };
    assert_limit(
        limits,
        Conversation::new().user_with([picture(), picture()], "a"),
        "media_count_max",
    );
}

#[test]
fn media_bytes_max() {
    let limits = Limits {
        media_bytes_max: 100,
        ..Limits::default()
    };
    assert_limit(
        limits,
        Conversation::new().user_with([picture()], "a"),
        "media_bytes_max",
    );
}

#[test]
fn image_pixels_max() {
    let limits = Limits {
        image_pixels_max: 100,
        ..Limits::default()
    };
    assert_limit(
        limits,
        Conversation::new().user_with([picture()], "a"),
        "image_pixels_max",
    );
}

#[test]
fn audio_seconds_max() {
    let limits = Limits {
        audio_seconds_max: 0,
        ..Limits::default()
    };
    assert_limit(
        limits,
        Conversation::new().user_with([recording()], "a"),
        "audio_seconds_max",
    );
}

#[test]
fn prompt_tokens_max() {
    let limits = Limits {
        prompt_tokens_max: 40,
        ..Limits::default()
    };
    let runtime = builder().limits(limits).build().unwrap();
    let kind = refusal(&runtime, "word ".repeat(50).as_str().into()).kind();
    assert_eq!(kind, ErrorKind::Limit("prompt_tokens_max"));
    assert!(runtime.chat("a", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn new_tokens_max() {
    let runtime = bounded(Limits {
        new_tokens_max: 3,
        ..Limits::default()
    });
    let options = lapidary::ChatOptions {
        replay: vec![ids("one two three four five six")],
        ..Default::default()
    };
    let reply = runtime.chat("a", options).unwrap().finish().unwrap();
    assert_eq!(
        (reply.reason, reply.usage.output_tokens),
        (FinishReason::Length, 3)
    );
}

#[test]
fn sequences_max() {
    let runtime = bounded(Limits {
        sequences_max: 1,
        ..Limits::default()
    });
    let both: Vec<_> = (0..2)
        .map(|_| runtime.chat("a", greedy(8)).unwrap())
        .collect();
    assert!(
        both.into_iter()
            .all(|generation| generation.finish().is_ok())
    );
}

#[test]
fn component_bytes_max() {
    let error = builder()
        .limits(Limits {
            component_bytes_max: 1_000,
            ..Limits::default()
        })
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit("component_bytes_max"));
}

/// Under `limits` the built-in format cannot even describe itself, and the message names the limit.
fn assert_plugin_refused(limits: Limits, name: &str) {
    let error = Engines::new(&limits, None)
        .and_then(|engines| Format::builtin(&engines))
        .and_then(|format| {
            let conversation = Conversation::from("a");
            format.render(&RenderRequest::new(&conversation, &[]), &Interrupt::new())
        })
        .expect_err("it is over the limit");
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error:#}");
    assert!(format!("{error:#}").contains(name), "{error:#}");
}

#[test]
fn plugin_memory_bytes_max() {
    let limits = Limits {
        plugin_memory_bytes_max: 64 << 10,
        ..Limits::default()
    };
    assert_plugin_refused(limits, "plugin_memory_bytes_max");
}

#[test]
fn plugin_copy_bytes_max() {
    let limits = Limits {
        plugin_copy_bytes_max: 16,
        ..Limits::default()
    };
    assert_plugin_refused(limits, "plugin_copy_bytes_max");
}

#[test]
fn plugin_instances_max() {
    let limits = Limits {
        plugin_instances_max: 1,
        ..Limits::default()
    };
    let engines = Engines::new(&limits, Some(code_cache())).unwrap();
    let format = Format::builtin(&engines).unwrap();
    let open = format.parser(&[], &[], &Interrupt::new()).unwrap();
    let error = format.parser(&[], &[], &Interrupt::new()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Limit("plugin_instances_max"));
    drop(open);
    assert!(format.parser(&[], &[], &Interrupt::new()).is_ok());
}

#[test]
fn tool_result_bytes_max() {
    let runtime = bounded(Limits {
        tool_result_bytes_max: 2,
        ..Limits::default()
    });
    let turn =
        "<|tool_call>call:calculator{expression:<|\"|>17*23<|\"|>}<tool_call|><|tool_response>";
    let options = lapidary::ChatOptions {
        replay: vec![ids(turn)],
        ..Default::default()
    };
    let error = runtime.chat("a", options).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit("tool_result_bytes_max"));
}
