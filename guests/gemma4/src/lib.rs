//! Gemma 4's chat format: messages to prompt pieces, what the model may write as a grammar, and what it
//! writes to events.
//!
//! Template, grammar and parser live in one place because they must agree. `gemma4-format` makes a component of
//! it, which imports no function: it can do nothing but compute.

mod constraint;
mod parser;
mod template;
mod token;

pub use constraint::constrain;
pub use parser::Reader;
pub use template::{Continuation, Settled, parse_json, python, render, settled};

use lapidary_guest::{
    ChatFormat, ConstrainRequest, Constrained, Description, Error, OpenRequest, RenderRequest,
    Rendered,
};

/// The format, as the runtime sees it.
pub struct Gemma4;

impl ChatFormat for Gemma4 {
    type Parser = Reader;

    fn describe() -> Description {
        Description {
            name: "gemma4".to_owned(),
            control_tokens: token::ALL.iter().map(ToString::to_string).collect(),
            stop_tokens: token::STOPS.iter().map(ToString::to_string).collect(),
        }
    }

    fn render(request: RenderRequest) -> Result<Rendered, Error> {
        template::render(&request)
    }

    fn open(request: OpenRequest) -> Result<Reader, Error> {
        Ok(Reader::open(&request))
    }

    fn constrain(request: ConstrainRequest) -> Result<Constrained, Error> {
        constraint::constrain(&request)
    }
}
