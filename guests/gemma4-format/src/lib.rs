//! Gemma 4's chat format as a component of world `constrained-chat-format`.
//!
//! The format itself is the crate `gemma4`, which other formats use as a library; a component's exports stand in
//! a crate of their own, because a program can have them once only.

use gemma4::Gemma4;
use lapidary_guest::export_format;

export_format!(Gemma4);
