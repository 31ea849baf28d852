//! Agents: programs that drive the host's model.

use std::marker::PhantomData;

use crate::bindings::agent::exports::lapidary::plugin::pipeline;
use crate::{Content, Error, Message};

/// A program that calls the model as often, and with whatever words, as it wants. Exported with
/// [`export_agent!`](crate::export_agent).
///
/// ```
/// use lapidary_guest::{Agent, Content, Error, GenerateRequest, Message, export_agent, inference};
///
/// struct Twice;
///
/// impl Agent for Twice {
///     fn run(mut messages: Vec<Message>) -> Result<Content, Error> {
///         let first = inference::generate(&GenerateRequest::new(messages.clone()))?;
///         messages.push(Message::assistant(first.text));
///         messages.push(Message::user("Is that so? Answer again."));
///         Ok(inference::generate(&GenerateRequest::new(messages))?.text.into())
///     }
/// }
///
/// export_agent!(Twice);
/// # fn main() {}
/// ```
pub trait Agent: 'static {
    /// Does what the conversation asks for.
    ///
    /// # Errors
    /// What it cannot do, and what the model's host says, with a stable code.
    fn run(messages: Vec<Message>) -> Result<Content, Error>;
}

/// An agent as the generated bindings want it.
#[doc(hidden)]
pub struct AgentComponent<A>(PhantomData<A>);

impl<A: Agent> pipeline::Guest for AgentComponent<A> {
    fn run(messages: Vec<Message>) -> Result<Content, Error> {
        A::run(messages)
    }
}

/// Exports an agent as a component of world `agent`; with `; adopt = Type` one that takes over from its older
/// versions, as [`Handover`](crate::Handover) says.
#[macro_export]
macro_rules! export_agent {
    ($agent:ty $(,)? $(; adopt = $heir:ty)?) => {
        $($crate::export_handover!($heir);)?
        const _: () = {
            #[allow(dead_code, reason = "only the component's exports use it")]
            type Plugin = $crate::AgentComponent<$agent>;
            // Component names are not symbols that a native linker takes.
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::agent::export_agent_world!(
                Plugin with_types_in $crate::bindings::agent
            );
        };
    };
}
