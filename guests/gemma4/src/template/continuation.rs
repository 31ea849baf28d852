//! Ending inside the last message, the way transformers does it: a tag behind the text shows where.

use super::fault::invalid;
use super::python;
use lapidary_guest::{Content, Error, Message, Part, Piece, RenderRequest};

/// Nobody writes this; the trailing space shows whether the template trimmed.
const TAG: &str = "\u{10FFFD}lapidary-continues-here ";

/// A request to go on with the last message.
pub struct Continuation {
    /// The messages, the last one tagged.
    pub messages: Vec<Message>,
    /// The text that is continued.
    text: String,
}

impl Continuation {
    /// None when the request does not ask for it.
    ///
    /// # Errors
    /// A request that also asks for the next turn, or whose last message has no text.
    pub fn of(request: &RenderRequest) -> Result<Option<Self>, Error> {
        if !request.continue_final_message {
            return Ok(None);
        }
        if request.add_generation_prompt {
            let message = "continue_final_message: expected without add_generation_prompt";
            return Err(invalid("continue-and-generate", message));
        }
        let mut messages = request.messages.clone();
        let text = messages
            .last_mut()
            .and_then(final_text)
            .ok_or_else(nothing_to_continue)?;
        let original = text.clone();
        text.push_str(TAG);
        Ok(Some(Self {
            text: original,
            messages,
        }))
    }

    /// The prompt up to the end of the continued text.
    ///
    /// # Errors
    /// `template.nothing-to-continue` where the template drops it.
    pub fn cut(&self, pieces: &mut Vec<Piece>) -> Result<(), Error> {
        let place = find_tag(pieces).filter(|_| shows(pieces, python::trim(&self.text)));
        let Some((index, at)) = place else {
            return Err(nothing_to_continue());
        };
        let Piece::Data(data) = &mut pieces[index] else {
            return Err(nothing_to_continue());
        };
        let trimmed = !data[at..].starts_with(TAG);
        data.truncate(at);
        pieces.truncate(index + 1);
        if trimmed {
            trim_end(pieces);
        }
        Ok(())
    }
}

/// The text that goes on: the whole content, or the last text part.
fn final_text(message: &mut Message) -> Option<&mut String> {
    match message.content.as_mut()? {
        Content::Text(text) => Some(text),
        Content::Parts(parts) => parts.iter_mut().rev().find_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Media(_) => None,
        }),
        Content::Structured(_) => None,
    }
}

fn nothing_to_continue() -> Error {
    let message =
        "continue_final_message: expected a last message with text that the template keeps";
    invalid("nothing-to-continue", message)
}

/// The last tag: piece and byte.
fn find_tag(pieces: &[Piece]) -> Option<(usize, usize)> {
    let tag = TAG.trim_end();
    pieces
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, piece)| match piece {
            Piece::Data(text) => text.rfind(tag).map(|at| (index, at)),
            Piece::Control(_) | Piece::Media(_) => None,
        })
}

/// Whether the prompt contains the text, as it must when nothing of it was removed.
fn shows(pieces: &[Piece], text: &str) -> bool {
    let joined: String = pieces.iter().map(spelled).collect();
    joined.contains(text)
}

fn spelled(piece: &Piece) -> &str {
    match piece {
        Piece::Control(text) | Piece::Data(text) => text,
        Piece::Media(_) => "",
    }
}

/// Without whitespace at the end, through as many pieces as it takes.
fn trim_end(pieces: &mut Vec<Piece>) {
    while let Some(Piece::Control(text) | Piece::Data(text)) = pieces.last_mut() {
        text.truncate(python::trim_end(text).len());
        if !text.is_empty() {
            return;
        }
        pieces.pop();
    }
}
