//! Chats: what they stream, and how they end.

use std::pin::pin;
use std::time::{Duration, Instant};

use lapidary::{
    ChatOptions, Conversation, Event, FinishReason, GenerateRequest, Sampling, Thinking,
    function_imports,
};

use crate::support::{RUNTIME, greedy, ids};

fn events(options: ChatOptions) -> Vec<Event> {
    RUNTIME
        .chat("Hello!", options)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn a_chat_ends_with_what_it_cost() {
    let events = events(greedy(12));
    let Some(Event::Finished { reason, usage }) = events.last() else {
        panic!("{events:?}")
    };
    assert!(matches!(
        reason,
        FinishReason::Length | FinishReason::EndOfTurn
    ));
    assert!(usage.output_tokens <= 12 && usage.output_tokens > 0);
    assert!(usage.prompt_tokens > 0 && usage.prefill_ms > 0.0);
    assert_eq!(usage.provider, "cpu");
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let options = || ChatOptions {
        sampling: Some(Sampling {
            seed: Some(11),
            ..Sampling::default()
        }),
        max_tokens: Some(24),
        ..ChatOptions::default()
    };
    let text = |options| {
        RUNTIME
            .chat("Hello!", options)
            .unwrap()
            .finish()
            .unwrap()
            .text
    };
    assert_eq!(text(options()), text(options()));
}

#[test]
fn a_chat_is_a_stream_too() {
    let mut generation = pin!(RUNTIME.chat("Hello!", greedy(8)).unwrap());
    let streamed = pollster::block_on(async {
        let mut events = Vec::new();
        while let Some(event) = std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(generation.as_mut(), context)
        })
        .await
        {
            events.push(event.unwrap());
        }
        events
    });
    let without_times = |events: &[Event]| events[..events.len() - 1].to_vec();
    assert_eq!(without_times(&streamed), without_times(&events(greedy(8))));
}

#[test]
fn a_cancelled_chat_says_so_and_the_next_one_works() {
    let options = ChatOptions {
        replay: vec![ids(&"word ".repeat(3000))],
        ..ChatOptions::default()
    };
    let mut generation = RUNTIME.chat("Hello!", options).unwrap();
    let cancel = generation.cancel_handle();
    assert!(generation.next().unwrap().is_ok());
    let started = Instant::now();
    cancel.cancel();
    let last = generation.by_ref().map(Result::unwrap).last();
    assert!(
        matches!(
            last,
            Some(Event::Finished {
                reason: FinishReason::Cancelled,
                ..
            })
        ),
        "{last:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(RUNTIME.chat("Hello!", greedy(2)).unwrap().finish().is_ok());
}

#[test]
fn a_dropped_chat_frees_the_engine() {
    for _ in 0..20 {
        let options = ChatOptions {
            replay: vec![ids(&"word ".repeat(3000))],
            ..ChatOptions::default()
        };
        let mut generation = RUNTIME.chat("Hello!", options).unwrap();
        assert!(generation.next().unwrap().is_ok());
    }
    assert!(RUNTIME.chat("Hello!", greedy(2)).unwrap().finish().is_ok());
}

#[test]
fn chats_run_side_by_side() {
    let alone = RUNTIME
        .chat("Hello!", greedy(16))
        .unwrap()
        .finish()
        .unwrap()
        .text;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                RUNTIME
                    .chat("Hello!", greedy(16))
                    .unwrap()
                    .finish()
                    .unwrap()
                    .text
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), alone);
    }
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let options = ChatOptions {
        replay: vec![ids("one two three four<turn|>")],
        stop: vec!["o three".into()],
        ..ChatOptions::default()
    };
    let reply = RUNTIME.chat("Count.", options).unwrap().finish().unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.reason),
        ("one tw", FinishReason::Stop)
    );
    assert!(reply.usage.decode_ms > 0.0 && reply.usage.graph_ms > 0.0);
}

#[test]
fn thoughts_come_apart_from_text_and_leave_the_history() {
    let options = ChatOptions {
        thinking: Thinking::On,
        replay: vec![ids("<|channel>thought\nshort<channel|>Yes.<turn|>")],
        ..ChatOptions::default()
    };
    let reply = RUNTIME.chat("Is it?", options).unwrap().finish().unwrap();
    assert_eq!(
        (reply.thought.as_str(), reply.text.as_str()),
        ("short", "Yes.")
    );
    assert!(
        reply.usage.thought_tokens > 0 && reply.usage.thought_tokens < reply.usage.output_tokens
    );
    let mut next = Conversation::new().user("Is it?");
    next.messages.extend(reply.messages);
    let rendered = RUNTIME
        .render(&next.user("Why?"), &ChatOptions::default())
        .unwrap();
    let thought = ids("short");
    assert!(
        !rendered
            .prompt
            .ids
            .windows(thought.len())
            .any(|window| window == thought)
    );
}

#[test]
fn the_chat_format_imports_no_function() {
    assert_eq!(
        function_imports(lapidary_guests::GEMMA4_FORMAT).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn a_cancelled_generation_gives_what_there_is() {
    let request = GenerateRequest {
        ids: ids("<bos>Hello"),
        max_tokens: Some(4_000),
        ignore_eos: true,
        ..GenerateRequest::default()
    };
    let cancel = request.cancel.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        cancel.cancel();
    });
    let generated = RUNTIME.generate(request).unwrap();
    stopper.join().unwrap();
    assert_eq!(generated.reason, FinishReason::Cancelled);
    assert!(generated.ids.len() < 4_000);
}
