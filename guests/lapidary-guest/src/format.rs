//! Chat formats: how a family of models speaks.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::format::exports::lapidary::plugin::{constraint, format, parser, template};
use crate::{
    ConstrainRequest, Constrained, Description, Error, ErrorKind, Event, OpenRequest,
    RenderRequest, Rendered, StopReason, TokenPiece,
};

/// A family's template and parser, which must agree. Exported with
/// [`export_format!`](crate::export_format).
pub trait ChatFormat: 'static {
    /// Reads one generation.
    type Parser: Parser;

    /// What the host needs to know before it can use the format.
    fn describe() -> Description;

    /// Messages and tools to prompt pieces.
    ///
    /// # Errors
    /// A request that has no rendering, with a stable code.
    fn render(request: RenderRequest) -> Result<Rendered, Error>;

    /// A parser in the state that the prompt leaves.
    ///
    /// # Errors
    /// A request that cannot be used, with a stable code.
    fn open(request: OpenRequest) -> Result<Self::Parser, Error>;

    /// What the model may write. A format that does not say so leaves this out.
    ///
    /// # Errors
    /// What the format cannot put into a grammar, with a stable code.
    fn constrain(request: ConstrainRequest) -> Result<Constrained, Error> {
        let _ = request;
        Err(Error {
            kind: ErrorKind::Unsupported,
            code: "constraint.none".to_owned(),
            message: "this format has no grammar of what its model writes".to_owned(),
            at: None,
        })
    }
}

/// Reads one generation as it streams.
///
/// Cutting the stream elsewhere must give the same events, once neighbours of one kind are joined.
pub trait Parser: 'static {
    /// Takes the next pieces.
    ///
    /// # Errors
    /// A push after the end, or a bound that was reached.
    fn push(&mut self, pieces: Vec<TokenPiece>) -> Result<Vec<Event>, Error>;

    /// Ends the stream: whatever was held back comes out.
    ///
    /// # Errors
    /// A second end.
    fn finish(&mut self, reason: StopReason) -> Result<Vec<Event>, Error>;
}

/// A format as the generated bindings want it.
#[doc(hidden)]
pub struct Component<F>(PhantomData<F>);

/// A parser as the generated bindings want it: shared, so the state sits in a cell.
#[doc(hidden)]
pub struct Live<F: ChatFormat>(RefCell<F::Parser>);

impl<F: ChatFormat> format::Guest for Component<F> {
    fn describe() -> Description {
        F::describe()
    }
}

impl<F: ChatFormat> template::Guest for Component<F> {
    fn render(request: RenderRequest) -> Result<Rendered, Error> {
        F::render(request)
    }
}

impl<F: ChatFormat> constraint::Guest for Component<F> {
    fn constrain(request: ConstrainRequest) -> Result<Constrained, Error> {
        F::constrain(request)
    }
}

impl<F: ChatFormat> parser::Guest for Component<F> {
    type Session = Live<F>;
}

impl<F: ChatFormat> parser::GuestSession for Live<F> {
    fn open(request: OpenRequest) -> Result<parser::Session, Error> {
        let parser = F::open(request)?;
        Ok(parser::Session::new(Self(RefCell::new(parser))))
    }

    fn push(&self, pieces: Vec<TokenPiece>) -> Result<Vec<Event>, Error> {
        self.0.borrow_mut().push(pieces)
    }

    fn finish(&self, reason: StopReason) -> Result<Vec<Event>, Error> {
        self.0.borrow_mut().finish(reason)
    }
}

/// Exports a chat format as a component of world `constrained-chat-format`.
#[macro_export]
macro_rules! export_format {
    ($format:ty $(,)?) => {
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            type Plugin = $crate::Component<$format>;
            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::format::export_constrained_chat_format!(
                Plugin with_types_in $crate::bindings::format
            );
        };
    };
}
