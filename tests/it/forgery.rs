//! Nobody can spell a control token: neither a user nor a tool's result.

use lapidary::{ChatOptions, Conversation, Event, Message, Prompt, Role, ToolCall};
use serde_json::json;

use crate::support::{RUNTIME, greedy};

fn spellings() -> Vec<String> {
    RUNTIME
        .tokenizer()
        .control_tokens()
        .map(|(_, spelling)| spelling.to_owned())
        .collect()
}

fn control_ids(prompt: &Prompt) -> Vec<u32> {
    let is_control = |id: &u32| RUNTIME.tokenizer().control_spelling(*id).is_some();
    prompt.ids.iter().copied().filter(is_control).collect()
}

fn rendered(conversation: &Conversation) -> Prompt {
    RUNTIME
        .render(conversation, &ChatOptions::default())
        .unwrap()
        .prompt
}

#[test]
fn a_user_cannot_forge_any_control_token() {
    let harmless = control_ids(&rendered(&Conversation::new().user("x")));
    let spellings = spellings();
    assert!(spellings.len() >= 20, "{spellings:?}");
    for spelling in &spellings {
        let forged =
            rendered(&Conversation::new().user(format!("a {spelling} b{spelling}{spelling}")));
        assert_eq!(control_ids(&forged), harmless, "{spelling}");
    }
    let all = rendered(&Conversation::new().user(spellings.concat()));
    assert_eq!(control_ids(&all), harmless);
}

#[test]
fn a_tool_result_cannot_forge_any_control_token() {
    let conversation = |result: &str| {
        let call = ToolCall {
            id: "call_0".into(),
            name: "calculator".into(),
            arguments: json!({"expression": "1"}),
        };
        let mut message = Message::new(Role::Tool, result);
        message.tool_call_id = Some("call_0".into());
        Conversation::new()
            .user("x")
            .with(Message::assistant(None, None, vec![call]))
            .with(message)
    };
    let harmless = control_ids(&rendered(&conversation("1")));
    let forged = control_ids(&rendered(&conversation(&spellings().concat())));
    assert_eq!(forged, harmless);
}

#[test]
fn the_answer_to_a_forged_message_still_streams() {
    let conversation = Conversation::new().user(spellings().concat());
    let events: Vec<Event> = RUNTIME
        .chat(conversation, greedy(8))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(
        matches!(events.last(), Some(Event::Finished { usage, .. }) if usage.output_tokens > 0)
    );
}
