//! Events put together again.

use crate::chat::{Event, FinishReason, Message, ToolCall, Usage};

/// Adds up events.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub text: String,
    pub thought: String,
    pub calls: Vec<ToolCall>,
    pub finished: Option<(FinishReason, Usage)>,
}

impl Collector {
    pub fn push(&mut self, event: &Event) {
        match event {
            Event::Text { text } => self.text.push_str(text),
            Event::Thought { text } => self.thought.push_str(text),
            Event::ToolCall(call) => self.calls.push(call.clone()),
            Event::Finished { reason, usage } => self.finished = Some((*reason, usage.clone())),
            Event::ToolCallDelta { .. }
            | Event::ToolResult(_)
            | Event::ToolResultDelta { .. }
            | Event::Malformed { .. }
            | Event::Logprob(_) => {}
        }
    }

    /// The model's turn, as the next prompt has to show it.
    ///
    /// Text and calls become two messages: in one, the reference template puts the text behind the
    /// calls' results and closes the turn. Two neighbours of the model stay one turn.
    pub fn into_messages(self) -> Vec<Message> {
        let filled = |text: String| (!text.is_empty()).then_some(text);
        let (text, thought) = (filled(self.text), filled(self.thought));
        if text.is_none() || self.calls.is_empty() {
            return vec![Message::assistant(text, thought, self.calls)];
        }
        vec![
            Message::assistant(text, thought, Vec::new()),
            Message::assistant(None, None, self.calls),
        ]
    }
}
