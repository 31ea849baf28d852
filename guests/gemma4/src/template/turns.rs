//! The conversation as turns. Tool messages form none; assistant messages in a row share one.

use super::argument::{self, Keys};
use super::fault::{invalid, parse_json};
use super::writer::Writer;
use super::{Prompt, message, results};
use crate::token;
use lapidary_guest::{Error, Message, Role, ToolCall};
use serde_json::Value;

/// How the last message left the model's turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With calls that wait for their results.
    Calls,
    /// With results: the model goes on in the same turn.
    Results,
    /// With anything else, or there was no message.
    Other,
}

/// The messages behind the leading system message.
pub struct Turns<'a> {
    prompt: &'a Prompt<'a>,
    messages: &'a [Message],
    /// Where `messages` begins in the request.
    offset: usize,
    last_user: Option<usize>,
}

impl<'a> Turns<'a> {
    pub fn new(prompt: &'a Prompt<'a>) -> Self {
        let messages = prompt.messages;
        let last_user = messages
            .iter()
            .rposition(|message| message.role == Role::User);
        let offset = usize::from(prompt.system.is_some());
        Self {
            prompt,
            messages,
            offset,
            last_user,
        }
    }

    /// All of them.
    pub fn write(&self, writer: &mut Writer) -> Result<Ending, Error> {
        let mut ending = Ending::Other;
        let mut previous = None;
        for (index, message) in self.messages.iter().enumerate() {
            if message.role == Role::Tool {
                continue;
            }
            let continues = is_assistant(previous) && message.role == Role::Assistant;
            if !continues {
                open_turn(writer, message.role);
            }
            ending = self.write_message(writer, index)?;
            previous = Some(message.role);
        }
        Ok(ending)
    }

    fn write_message(&self, writer: &mut Writer, index: usize) -> Result<Ending, Error> {
        let message = &self.messages[index];
        self.write_reasoning(writer, index);
        for (place, call) in message.tool_calls.iter().enumerate() {
            write_call(writer, call, self.offset + index, place)?;
        }
        let results = self.write_results(writer, index)?;
        let speaks = message::content(writer, message, self.offset + index)?;
        let ending = match (message.tool_calls.is_empty(), results) {
            (false, false) => Ending::Calls,
            (_, true) => Ending::Results,
            (true, false) => Ending::Other,
        };
        self.close(writer, index, ending, speaks);
        Ok(ending)
    }

    /// Thoughts of the running tool loop, and of earlier calls where they are to be preserved.
    fn write_reasoning(&self, writer: &mut Writer, index: usize) {
        let message = &self.messages[index];
        let running = self.last_user.is_none_or(|last| index > last);
        let kept = self.prompt.request.preserve_thinking && !message.tool_calls.is_empty();
        let thought = message
            .reasoning
            .as_deref()
            .filter(|thought| !thought.is_empty());
        if let Some(thought) = thought.filter(|_| running || kept) {
            writer.control("<|channel>thought\n");
            writer.data(thought);
            writer.control("\n<channel|>");
        }
    }

    /// The tool messages directly behind a message with calls. True when there are any.
    fn write_results(&self, writer: &mut Writer, index: usize) -> Result<bool, Error> {
        let message = &self.messages[index];
        if message.tool_calls.is_empty() {
            return Ok(false);
        }
        let behind = self.messages.iter().enumerate().skip(index + 1);
        let mut any = false;
        for (at, result) in behind.take_while(|(_, message)| message.role == Role::Tool) {
            results::write(writer, &message.tool_calls, result, self.offset + at)?;
            any = true;
        }
        Ok(any)
    }

    fn close(&self, writer: &mut Writer, index: usize, ending: Ending, speaks: bool) {
        let next = self.messages[index + 1..]
            .iter()
            .find(|message| message.role != Role::Tool);
        let next = next.map(|message| message.role);
        if ending == Ending::Calls {
            writer.close();
            writer.control(token::RESPONSE_OPEN);
            return;
        }
        let role = self.messages[index].role;
        let goes_on = role == Role::Assistant && is_assistant(next);
        let waits = ending == Ending::Results && !speaks && next.is_none();
        if !goes_on && !waits {
            writer.close();
            writer.control("<turn|>\n");
        }
    }
}

fn is_assistant(role: Option<Role>) -> bool {
    role == Some(Role::Assistant)
}

fn open_turn(writer: &mut Writer, role: Role) {
    let name = match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "model",
        Role::Tool => "tool",
    };
    writer.control(token::TURN_OPEN);
    writer.control(name);
    writer.control("\n");
    if role == Role::Assistant {
        writer.open();
    }
}

fn write_call(
    writer: &mut Writer,
    call: &ToolCall,
    message: usize,
    place: usize,
) -> Result<(), Error> {
    let at = format!("/messages/{message}/tool_calls/{place}/arguments");
    writer.control("<|tool_call>call:");
    writer.data(&call.name);
    writer.control("{");
    match parse_json(&call.arguments, at.clone())? {
        Value::Object(map) => argument::entries(writer, &map, Keys::Bare),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let message = format!("arguments of {}: expected a JSON object", call.name);
            return Err(invalid("bad-arguments", message).at(at));
        }
    }
    writer.control("}");
    writer.control(token::CALL_CLOSE);
    Ok(())
}
