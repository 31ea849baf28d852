//! An answer as it comes, and the rounds in which the model calls tools of MCP servers.

use lapidary::{
    ChatOptions, Conversation, Error, ErrorKind, Event, FinishReason, Generation, Message, Runtime,
    ToolChoice,
};

use crate::mcp::Servers;
use crate::screen;
use crate::transcript::Transcript;

/// How events are shown.
pub enum View {
    /// To a person.
    Terminal(Transcript),
    /// To a program, one a line.
    Json,
}

impl View {
    fn event(&mut self, event: &Event) -> anyhow::Result<()> {
        match self {
            Self::Terminal(transcript) => transcript.show(event),
            Self::Json => Ok(screen::result(&format!(
                "{}\n",
                serde_json::to_string(event)?
            ))?),
        }
    }

    /// Streams what the model writes. Gives why it ended and what it adds to the conversation.
    fn follow(
        &mut self,
        mut generation: Generation,
    ) -> anyhow::Result<(FinishReason, Vec<Message>)> {
        stop_on_interrupt(&generation);
        let mut reason = FinishReason::Cancelled;
        for event in generation.by_ref() {
            let event = event?;
            self.event(&event)?;
            if let Event::Finished { reason: last, .. } = event {
                reason = last;
            }
        }
        Ok((reason, generation.messages()))
    }
}

/// Answers a conversation, again and again while the model calls tools of `servers`, which the options need not
/// name. Gives why the last answer
/// ended and what all of them add to the conversation.
pub fn answer(
    runtime: &Runtime,
    mut conversation: Conversation,
    mut options: ChatOptions,
    servers: &mut Servers,
    mut view: View,
) -> anyhow::Result<(FinishReason, Vec<Message>)> {
    let given = conversation.messages.len();
    let max = runtime.limits().tool_rounds_max;
    for _ in 0..=max {
        servers.refresh(runtime);
        options.tools = servers.specs();
        let generation = runtime.chat(conversation.clone(), options.clone())?;
        let (reason, messages) = view.follow(generation)?;
        conversation.messages.extend(messages);
        if reason != FinishReason::ToolCall {
            return Ok((reason, conversation.messages.split_off(given)));
        }
        // As with plugins' tools: what was required has been called.
        if options.tool_choice != ToolChoice::None {
            options.tool_choice = ToolChoice::Auto;
        }
        let results = match servers.results(&conversation, options.approval.as_ref()) {
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                let added = conversation.messages.split_off(given);
                return Ok((FinishReason::Cancelled, added));
            }
            results => results?,
        };
        for result in results {
            conversation.messages.push(Message::tool(&result));
            view.event(&Event::ToolResult(result))?;
        }
    }
    let detail = format!("expected at most {max} rounds (tool_rounds_max), found more");
    Err(Error::new(ErrorKind::Limit("tool_rounds_max"), "tool calls", detail).into())
}

/// Ctrl-C stops the answer; a second one, the process.
fn stop_on_interrupt(generation: &Generation) {
    let cancel = generation.cancel_handle();
    screen::on_interrupt(move || cancel.cancel());
}
