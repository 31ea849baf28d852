//! Text to token ids and back. The only user of `tokenizers`.

mod control;
mod detokenize;
mod stop;
mod tokenizer;

pub use control::{ControlScanner, TokenPiece};
pub(crate) use detokenize::Detokenizer;
pub(crate) use stop::{Passed, StopMatcher};
pub use tokenizer::{Segment, Tokenizer};
