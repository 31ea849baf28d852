//! The product as its users see it: the real graphs, the real components, the embedded model.

mod bad_input;
mod chat;
mod forgery;
mod hostile;
mod limits;
mod parity;
mod parser;
mod support;
mod tools;
