//! Enforcing what a model may write. The only module that knows `llguidance`.
//!
//! A chat format says what may come, as a grammar in Lark; [`Grammars`] compiles it against the model's
//! vocabulary, and an [`Enforcer`] says before each token which ids fit. It works on a thread of its own, so
//! that a mask is ready when the graph's logits are. What a grammar may cost is bounded by
//! [`Limits`](crate::Limits).

mod ending;
mod enforcer;
mod grammar;
mod probe;
mod state;
mod thought;
mod vocabulary;

pub(crate) use ending::check_ends;
pub(crate) use enforcer::Enforcer;
pub(crate) use grammar::{Grammar, Grammars};
pub use probe::GrammarProbe;
pub(crate) use thought::ThoughtGate;
