//! Messages to prompt pieces, equal to transformers' rendering of the official template of 2026-07-09.

mod argument;
mod continuation;
mod declaration;
mod fault;
mod habits;
mod message;
pub mod python;
mod results;
mod schema;
mod thinking;
mod turns;
mod writer;

use crate::token;
pub use continuation::Continuation;
pub use fault::parse_json;
pub use habits::{Settled, settled};
use lapidary_guest::{Error, Message, PromptStyle, RenderRequest, Rendered, Role, Thinking};
pub use python::is_space;
use turns::{Ending, Turns};
use writer::Writer;

/// Renders one prompt.
///
/// # Errors
/// What transformers refuses, with a code of the README.
pub fn render(request: &RenderRequest) -> Result<Rendered, Error> {
    fault::refuse_extra(request.extra.as_deref())?;
    let continuation = Continuation::of(request)?;
    let given = continuation.as_ref().map(|it| it.messages.as_slice());
    let settled = settled(given.unwrap_or(&request.messages), request);
    let writer = write(request, &settled.messages);
    let mut writer = writer.map_err(|error| settled.placed(error))?;
    if let Some(continuation) = &continuation {
        continuation.cut(writer.pieces_mut())?;
    }
    Ok(writer.finish())
}

/// Everything the template depends on, with the leading system message taken apart.
struct Prompt<'a> {
    system: Option<&'a Message>,
    messages: &'a [Message],
    request: &'a RenderRequest,
    thinks: bool,
}

fn write(request: &RenderRequest, messages: &[Message]) -> Result<Writer, Error> {
    let (system, messages) = match messages {
        [first, rest @ ..] if matches!(first.role, Role::System | Role::Developer) => {
            (Some(first), rest)
        }
        all => (None, all),
    };
    let thinks = !matches!(request.thinking, Thinking::Off);
    let prompt = Prompt {
        system,
        messages,
        request,
        thinks,
    };
    let mut writer = Writer::default();
    writer.control(token::BOS);
    system_turn(&mut writer, &prompt)?;
    let ending = Turns::new(&prompt).write(&mut writer)?;
    if request.add_generation_prompt {
        generation_prompt(&mut writer, &prompt, ending);
    }
    Ok(writer)
}

/// The first turn: the thinking switch, the system text, the tools.
fn system_turn(writer: &mut Writer, prompt: &Prompt) -> Result<(), Error> {
    let tools = &prompt.request.tools;
    if !prompt.thinks && tools.is_empty() && prompt.system.is_none() {
        return Ok(());
    }
    writer.control("<|turn>system\n");
    if prompt.thinks {
        writer.control("<|think|>\n");
    }
    if let Some(system) = prompt.system {
        message::system_content(writer, system, 0)?;
    }
    for (index, tool) in tools.iter().enumerate() {
        writer.control(token::TOOL_OPEN);
        declaration::write(writer, tool, index)?;
        writer.control(token::TOOL_CLOSE);
    }
    writer.control("<turn|>\n");
    Ok(())
}

/// Opens the model's turn. After results the turn is still open; a call without a result waits.
fn generation_prompt(writer: &mut Writer, prompt: &Prompt, ending: Ending) {
    match ending {
        Ending::Calls => {}
        Ending::Results if prompt.thinks => {
            writer.open();
            writer.control("<|channel>thought\n");
        }
        Ending::Results => {}
        Ending::Other => {
            writer.control("<|turn>model\n");
            writer.open();
            // Larger models are told that they have thought already.
            if prompt.request.style == PromptStyle::Large && !prompt.thinks {
                writer.control("<|channel>thought\n<channel|>");
            }
        }
    }
}
