//! Logits processors: what leans on the model's choice of tokens.

use std::cell::RefCell;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::logits::exports::lapidary::plugin::processor;
use crate::{Error, ErrorKind, Json, Logits};

/// Changes scores before a token is chosen, in one generation. Exported with
/// [`export_logits!`](crate::export_logits).
///
/// The scores stay in the host; [`Logits`] gets and changes the few that matter.
///
/// ```
/// use lapidary_guest::{Error, Logits, LogitsProcessor, export_logits};
///
/// /// Never says the same token twice in a row.
/// struct NoStutter;
///
/// impl LogitsProcessor for NoStutter {
///     type Config = serde_json::Value;
///
///     fn open(_: Self::Config) -> Result<Self, Error> {
///         Ok(NoStutter)
///     }
///
///     fn step(&mut self, last: Option<u32>, logits: &Logits) -> Result<(), Error> {
///         logits.ban(last.as_slice());
///         Ok(())
///     }
/// }
///
/// export_logits!(NoStutter);
/// # fn main() {}
/// ```
pub trait LogitsProcessor: Sized + 'static {
    /// What the caller tells it, read from a JSON object.
    type Config: DeserializeOwned;

    /// One for a generation that begins.
    ///
    /// # Errors
    /// A configuration that cannot be used, with a stable code.
    fn open(config: Self::Config) -> Result<Self, Error>;

    /// Before each token. `last` is the token before it, none at the start.
    ///
    /// # Errors
    /// What ends the generation.
    fn step(&mut self, last: Option<u32>, logits: &Logits) -> Result<(), Error>;
}

/// A processor as the generated bindings want it.
#[doc(hidden)]
pub struct LogitsComponent<P>(PhantomData<P>);

/// One generation's: shared, so the state sits in a cell.
#[doc(hidden)]
pub struct LiveProcessor<P>(RefCell<P>);

impl<P: LogitsProcessor> processor::Guest for LogitsComponent<P> {
    type Session = LiveProcessor<P>;
}

impl<P: LogitsProcessor> processor::GuestSession for LiveProcessor<P> {
    fn open(config: Json) -> Result<processor::Session, Error> {
        let config = serde_json::from_str(&config).map_err(|error| {
            let message = format!("configuration: {error}");
            Error::new(ErrorKind::InvalidInput, "config.invalid", message)
        })?;
        Ok(processor::Session::new(Self(RefCell::new(P::open(
            config,
        )?))))
    }

    fn step(&self, last: Option<u32>, logits: &Logits) -> Result<(), Error> {
        self.0.borrow_mut().step(last, logits)
    }
}

/// Exports a logits processor as a component of world `logits-processor`.
#[macro_export]
macro_rules! export_logits {
    ($processor:ty $(,)?) => {
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            type Plugin = $crate::LogitsComponent<$processor>;
            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::logits::export_logits_processor!(
                Plugin with_types_in $crate::bindings::logits
            );
        };
    };
}
