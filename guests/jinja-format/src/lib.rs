//! Runs a checkpoint's own `chat_template.jinja` in the sandbox, equal to transformers and safe from injection.
//!
//! A template is a program from the internet. Here it can only compute: the component imports no function, and
//! the host bounds its time and memory. It arrives with each request, as `template` in `extra`; what the model
//! writes is read by Gemma 4's own parser.
//!
//! What a control token is, the template's text alone decides: before it runs, every control token that it
//! spells is replaced by one code point that occurs nowhere in the request, and afterwards put back. Whatever
//! a message spells is text, and stays the text it was.

mod clock;
mod context;
mod environment;
mod fault;
mod media;
mod methods;
mod output;
mod render;
mod settings;
mod source;
mod stand_in;
mod values;

use gemma4::{Gemma4, Reader};
use lapidary_guest::{
    ChatFormat, ConstrainRequest, Constrained, Description, Error, OpenRequest, RenderRequest,
    Rendered, export_format,
};

/// The format, as the runtime sees it.
pub struct Jinja;

impl ChatFormat for Jinja {
    type Parser = Reader;

    fn describe() -> Description {
        Description {
            name: "jinja".to_owned(),
            ..Gemma4::describe()
        }
    }

    fn render(request: RenderRequest) -> Result<Rendered, Error> {
        render::render(&request)
    }

    fn open(request: OpenRequest) -> Result<Reader, Error> {
        Gemma4::open(request)
    }

    fn constrain(request: ConstrainRequest) -> Result<Constrained, Error> {
        Gemma4::constrain(request)
    }
}

export_format!(Jinja);
