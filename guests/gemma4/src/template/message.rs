//! What a message says.

use super::fault::invalid;
use super::writer::Writer;
use super::{python, thinking};
use lapidary_guest::{Content, Error, Message, Part, Role};

/// A message's content in its turn. True when it says anything.
pub fn content(writer: &mut Writer, message: &Message, index: usize) -> Result<bool, Error> {
    match &message.content {
        None => Ok(false),
        Some(Content::Text(text)) => Ok(spoken(writer, message.role, text)),
        Some(Content::Parts(parts)) => {
            // Not a short-circuit: every part is written.
            Ok(parts.iter().fold(false, |said, part| {
                self::part(writer, message.role, part) | said
            }))
        }
        Some(Content::Structured(_)) => Err(structured(index)),
    }
}

fn part(writer: &mut Writer, role: Role, part: &Part) -> bool {
    match part {
        Part::Text(text) => spoken(writer, role, text),
        Part::Media(media) => {
            writer.media(*media);
            true
        }
    }
}

fn spoken(writer: &mut Writer, role: Role, text: &str) -> bool {
    let said = match role {
        Role::Assistant => thinking::strip(text),
        Role::System | Role::Developer | Role::User | Role::Tool => python::trim(text).to_owned(),
    };
    writer.data(&said);
    !said.is_empty()
}

/// The leading system message. Parts are followed by a space each; media have no place there and
/// leave only the space, as in the reference.
pub fn system_content(writer: &mut Writer, message: &Message, index: usize) -> Result<(), Error> {
    match &message.content {
        None => {}
        Some(Content::Text(text)) => writer.data(python::trim(text)),
        Some(Content::Parts(parts)) => {
            for part in parts {
                if let Part::Text(text) = part {
                    writer.data(python::trim(text));
                }
                writer.data(" ");
            }
        }
        Some(Content::Structured(_)) => return Err(structured(index)),
    }
    Ok(())
}

fn structured(index: usize) -> Error {
    let message = "content: expected text or parts, found an object";
    invalid("structured-content", message).at(format!("/messages/{index}/content"))
}
