//! The tool loop, through the same graphs, parser and sandbox as any chat. What the model writes is a
//! recorded token sequence, so that the tests do not depend on what the weights have learnt.

use lapidary::{
    Approval, ChatOptions, Content, Conversation, ErrorKind, Event, FinishReason, Grants, Limits,
    Runtime, Thinking, ToolResult, ToolSpec, ToolTraits,
};
use serde_json::json;

use crate::hostile::component::altered;
use crate::support::{RUNTIME, bounded, builder, greedy, ids};

fn replay(turns: &[&str]) -> ChatOptions {
    ChatOptions {
        replay: turns.iter().map(|turn| ids(turn)).collect(),
        ..ChatOptions::default()
    }
}

const SUM: &str =
    "<|tool_call>call:calculator{expression:<|\"|>17*23<|\"|>}<tool_call|><|tool_response>";
const ANSWER: &str = "The answer is 391.<turn|>";

#[test]
fn a_call_runs_in_the_sandbox_and_its_result_goes_back() {
    let conversation = Conversation::new().user("What is 17 times 23?");
    let reply = RUNTIME
        .chat(conversation.clone(), replay(&[SUM, ANSWER]))
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(reply.text, "The answer is 391.");
    assert_eq!(reply.reason, FinishReason::EndOfTurn);
    assert_eq!(reply.tool_calls[0].name, "calculator");
    assert_eq!(
        reply.tool_calls[0].arguments,
        json!({"expression": "17*23"})
    );
    let result = reply
        .messages
        .iter()
        .find(|message| message.tool_call_id.is_some())
        .unwrap();
    assert_eq!(result.content, Some(Content::Text("391".into())));
    assert_eq!(
        reply.usage.output_tokens,
        ids(SUM).len() + ids(ANSWER).len()
    );
}

#[test]
fn the_second_prompt_shows_the_call_and_its_result() {
    let mut conversation = Conversation::new().user("What is 17 times 23?");
    let reply = RUNTIME
        .chat(conversation.clone(), replay(&[SUM, ANSWER]))
        .unwrap()
        .finish()
        .unwrap();
    conversation
        .messages
        .extend(reply.messages[..2].iter().cloned());
    let rendered = RUNTIME
        .render(&conversation, &ChatOptions::default())
        .unwrap();
    let expected = [
        ids("<|tool_call>call:calculator{expression:<|\"|>17*23<|\"|>}<tool_call|>"),
        ids("<|tool_response>response:calculator{value:<|\"|>391<|\"|>}<tool_response|>"),
    ]
    .concat();
    assert!(rendered.prompt.ids.ends_with(&expected));
    assert_eq!(rendered.prompt.ids.len(), reply.usage.prompt_tokens);
}

#[test]
fn two_plugins_of_one_name_are_refused() {
    let tool = |builder: lapidary::RuntimeBuilder, bytes: &[u8]| {
        builder.tool("mine.wasm", bytes.to_vec(), Grants::clock())
    };
    let runtime = tool(builder(), lapidary_guests::TOOL_CALCULATOR);
    let error = tool(runtime, lapidary_guests::TOOL_CLOCK)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let words = "plugin \"mine.wasm\": is the name of two plugins";
    assert!(error.to_string().starts_with(words), "{error}");
}

#[test]
fn two_calls_in_one_turn_run_in_order() {
    let both = "<|tool_call>call:current_time{offset:<|\"|>+00:00<|\"|>}<tool_call|>\
        <|tool_call>call:calculator{expression:<|\"|>2+2<|\"|>}<tool_call|><|tool_response>";
    let events: Vec<Event> = RUNTIME
        .chat("What time is it, and what is 2+2?", replay(&[both, ANSWER]))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let results: Vec<_> = events
        .iter()
        .filter_map(|event| {
            if let Event::ToolResult(result) = event {
                Some(result)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(
        results
            .iter()
            .map(|result| result.name.as_str())
            .collect::<Vec<_>>(),
        ["current_time", "calculator"]
    );
    assert_ne!(results[0].id, results[1].id);
    assert_eq!(results[1].content, Content::Text("4".into()));
    assert!(!results[0].is_error, "{results:?}");
}

#[test]
fn a_failing_tool_and_an_unknown_tool_are_results_that_the_model_sees() {
    for call in [
        "calculator{expression:<|\"|>1/0<|\"|>}",
        "umbrella{city:<|\"|>Oslo<|\"|>}",
    ] {
        let turn = format!("<|tool_call>call:{call}<tool_call|><|tool_response>");
        let events: Vec<Event> = RUNTIME
            .chat("Go on.", replay(&[&turn, ANSWER]))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let failed = |event: &Event| matches!(event, Event::ToolResult(result) if result.is_error);
        assert!(events.iter().any(failed), "{call}: {events:?}");
        assert!(matches!(
            events.last(),
            Some(Event::Finished {
                reason: FinishReason::EndOfTurn,
                ..
            })
        ));
    }
}

#[test]
fn text_before_a_call_stays_before_it() {
    let turn = format!("Let me see.{SUM}");
    let reply = RUNTIME
        .chat("17*23?", replay(&[&turn, ANSWER]))
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(reply.text, "Let me see.The answer is 391.");
    let mut conversation = Conversation::new().user("17*23?");
    conversation
        .messages
        .extend(reply.messages.iter().take(3).cloned());
    let prompt = RUNTIME
        .render(&conversation, &ChatOptions::default())
        .unwrap()
        .prompt
        .ids;
    let (text, call) = (ids("Let me see."), ids("<|tool_call>"));
    let at = |part: &[u32]| {
        prompt
            .windows(part.len())
            .rposition(|window| window == part)
    };
    assert!(at(&text) < at(&call), "{prompt:?}");
}

#[test]
fn text_that_may_become_a_stop_text_stays_before_a_call() {
    let options = ChatOptions {
        stop: vec![". No".into()],
        ..replay(&[&format!("Let me see.{SUM}"), ANSWER])
    };
    let events: Vec<Event> = RUNTIME
        .chat("17*23?", options)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let before = events
        .iter()
        .take_while(|event| !matches!(event, Event::ToolCall(_)));
    let said: String = before
        .filter_map(|event| match event {
            Event::Text { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, "Let me see.", "{events:?}");
}

#[test]
fn a_call_to_the_callers_own_tool_ends_the_chat() {
    let spec = ToolSpec {
        name: "open_door".into(),
        description: "Opens a door.".into(),
        parameters: json!({"type": "object", "properties": {"door": {"type": "string"}}}),
        response: None,
        traits: ToolTraits::default(),
    };
    let turn = "<|tool_call>call:open_door{door:<|\"|>red<|\"|>}<tool_call|><|tool_response>";
    let options = ChatOptions {
        tools: vec![spec],
        ..replay(&[turn])
    };
    let reply = RUNTIME
        .chat("Open the red door.", options)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(reply.reason, FinishReason::ToolCall);
    assert_eq!(reply.tool_calls[0].arguments, json!({"door": "red"}));
}

#[test]
fn endless_calls_end_at_the_limit() {
    let runtime = bounded(Limits {
        tool_rounds_max: 2,
        ..Limits::default()
    });
    let error = runtime
        .chat("Go on.", replay(&[SUM; 9]))
        .unwrap()
        .finish()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit("tool_rounds_max"));
    assert!(
        runtime
            .chat("Go on.", replay(&[ANSWER]))
            .unwrap()
            .finish()
            .is_ok()
    );
}

#[test]
fn a_broken_call_is_an_event_and_not_text() {
    let turn = "<|tool_call>call:calculator{expression<tool_call|><turn|>";
    let events: Vec<Event> = RUNTIME
        .chat("Go on.", replay(&[turn]))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Malformed { .. })),
        "{events:?}"
    );
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Text { .. })),
        "{events:?}"
    );
}

#[test]
fn after_a_result_the_model_goes_on_inside_its_thought() {
    let options = ChatOptions {
        thinking: Thinking::On,
        ..replay(&[SUM, "so it is<channel|>391.<turn|>"])
    };
    let reply = RUNTIME.chat("17*23?", options).unwrap().finish().unwrap();
    assert_eq!(
        (reply.thought.as_str(), reply.text.as_str()),
        ("so it is", "391.")
    );
}

#[test]
fn the_embedded_model_calls_tools_by_itself() {
    let asked = [
        ("What is 17 times 23?", "391"),
        ("What is the weather in Oslo?", "snowy"),
    ];
    for (question, answer) in asked {
        let reply = RUNTIME
            .chat(question, greedy(96))
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(reply.tool_calls.len(), 1, "{reply:?}");
        assert!(reply.text.contains(answer), "{reply:?}");
    }
}

/// A runtime with the tool `door`: it needs approval or not, and answers, traps or never ends.
fn with_door(traits: &str, call: &str, limits: Limits) -> Runtime {
    let parts = format!(
        r#"(data (i32.const 8) "door")
        (data (i32.const 16) "{{}}")
        (data (i32.const 32) "\08\00\00\00\04\00\00\00\08\00\00\00\04\00\00\00\10\00\00\00\02\00\00\00"
          "\00\00\00\00\00\00\00\00\00\00\00\00{traits}\00\00\00")
        (data (i32.const 80) "\20\00\00\00\01\00\00\00")
        (func $definitions (export "lapidary:plugin/tools@0.1.0#definitions") (result i32)
          (i32.const 80))
        (data (i32.const 96) "\00\00\00\00\00\00\00\00\08\00\00\00\04\00\00\00\00\00\00\00")
        (func $call (export "lapidary:plugin/tools@0.1.0#call")
          (param i32 i32 i32 i32 i32 i32) (result i32)
          {call})"#
    );
    builder()
        .tool(
            "door",
            altered("tools", "tool-provider", &parts),
            Grants::none(),
        )
        .limits(limits)
        .build()
        .unwrap()
}

const ANSWERS: &str = "(i32.const 96)";
const DOOR: &str = "<|tool_call>call:door{}<tool_call|><|tool_response>";

fn results(runtime: &Runtime, options: ChatOptions) -> lapidary::Result<Vec<ToolResult>> {
    let events = runtime.chat("Go on.", options)?;
    let mut results = Vec::new();
    for event in events {
        if let Event::ToolResult(result) = event? {
            results.push(result);
        }
    }
    Ok(results)
}

#[test]
fn a_tool_that_needs_approval_runs_only_with_it() {
    let runtime = with_door("\\10", ANSWERS, Limits::default());
    for (approval, runs) in [
        (None, false),
        (Some(Approval::new(|_| false)), false),
        (Some(Approval::new(|call| call.name == "door")), true),
    ] {
        let options = ChatOptions {
            approval,
            ..replay(&[DOOR, ANSWER])
        };
        let results = results(&runtime, options).unwrap();
        assert_eq!((results.len(), results[0].is_error), (1, !runs));
    }
    let free = with_door("\\00", ANSWERS, Limits::default());
    assert!(!results(&free, replay(&[DOOR, ANSWER])).unwrap()[0].is_error);
}

#[test]
fn time_to_think_about_an_approval_is_not_the_tools() {
    let limits = Limits {
        tool_total_ms_max: 1_500,
        ..Limits::default()
    };
    let slow = Approval::new(|_| {
        std::thread::sleep(std::time::Duration::from_secs(2));
        true
    });
    let options = ChatOptions {
        approval: Some(slow),
        ..replay(&[DOOR, ANSWER])
    };
    let results = results(&with_door("\\10", ANSWERS, limits), options).unwrap();
    assert!(!results[0].is_error, "{results:?}");
}

#[test]
fn a_tool_that_breaks_is_a_result_that_the_model_sees() {
    let runtime = with_door("\\00", "(unreachable)", Limits::default());
    let results = results(&runtime, replay(&[DOOR, ANSWER])).unwrap();
    assert!(results[0].is_error);
    let Content::Text(text) = &results[0].content else {
        panic!("{results:?}");
    };
    assert!(text.contains("panicked"), "{text}");
}

#[test]
fn calls_of_one_turn_run_side_by_side_and_keep_their_order() {
    let limits = |total| Limits {
        tool_call_ms_max: 2_500,
        tool_total_ms_max: total,
        ..Limits::default()
    };
    let runtime = with_door(
        "\\00",
        "(loop $again (br $again)) (unreachable)",
        limits(60_000),
    );
    let turn = "<|tool_call>call:door{}<tool_call|>".repeat(6) + "<|tool_response>";
    let started = std::time::Instant::now();
    let results = results(&runtime, replay(&[&turn, ANSWER])).unwrap();
    // One after the other they would take fifteen seconds.
    assert!(started.elapsed().as_secs() < 12, "{:?}", started.elapsed());
    let ids: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(
        ids,
        ["call_0", "call_1", "call_2", "call_3", "call_4", "call_5"]
    );
}

fn limit(runtime: &Runtime, turns: &[&str]) -> ErrorKind {
    results(runtime, replay(turns)).unwrap_err().kind()
}

#[test]
fn tool_calls_max() {
    let runtime = bounded(Limits {
        tool_calls_max: 1,
        ..Limits::default()
    });
    let turn = "<|tool_call>call:calculator{expression:<|\"|>1<|\"|>}<tool_call|>".repeat(2);
    let turn = turn + "<|tool_response>";
    assert_eq!(
        limit(&runtime, &[&turn, ANSWER]),
        ErrorKind::Limit("tool_calls_max")
    );
}

#[test]
fn tool_repeats_max() {
    let runtime = bounded(Limits {
        tool_repeats_max: 2,
        ..Limits::default()
    });
    assert_eq!(
        limit(&runtime, &[SUM; 9]),
        ErrorKind::Limit("tool_repeats_max")
    );
    let other = SUM.replace("17*23", "17*24");
    assert!(results(&runtime, replay(&[SUM, &other, SUM, &other, ANSWER])).is_ok());
}

#[test]
fn tool_total_ms_max() {
    let runtime = with_door(
        "\\00",
        "(loop $again (br $again)) (unreachable)",
        Limits {
            tool_call_ms_max: 100,
            tool_total_ms_max: 50,
            ..Limits::default()
        },
    );
    assert_eq!(
        limit(&runtime, &[DOOR, ANSWER]),
        ErrorKind::Limit("tool_total_ms_max")
    );
}

#[test]
fn tool_total_bytes_max() {
    let runtime = bounded(Limits {
        tool_total_bytes_max: 5,
        ..Limits::default()
    });
    let other = SUM.replace("17*23", "17*24");
    let turns = [SUM, &other, ANSWER];
    assert_eq!(
        limit(&runtime, &turns),
        ErrorKind::Limit("tool_total_bytes_max")
    );
}
