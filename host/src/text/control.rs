//! Finding control tokens in text that spells them.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A stretch of model text: one control token, or plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenPiece {
    /// One control token, as spelled.
    Control(String),
    /// Plain text, whole characters only.
    Data(String),
}

/// Splits trusted text, in which control tokens are spelled out, into pieces.
///
/// Never give it what a user wrote: there a spelling is only text.
///
/// ```
/// use lapidary::{ControlScanner, TokenPiece};
/// let scanner = ControlScanner::new(["<|turn>", "<turn|>"])?;
/// let pieces = scanner.split("<|turn>user");
/// assert_eq!(pieces[0], TokenPiece::Control("<|turn>".into()));
/// assert_eq!(pieces[1], TokenPiece::Data("user".into()));
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ControlScanner {
    spellings: Vec<String>,
    automaton: AhoCorasick,
}

impl ControlScanner {
    /// A scanner for these spellings. Where two begin at one place, the longer wins.
    ///
    /// # Errors
    /// `Invalid` when the spellings are too many to search for.
    pub fn new<S: Into<String>>(spellings: impl IntoIterator<Item = S>) -> Result<Self> {
        let spellings: Vec<String> = spellings.into_iter().map(Into::into).collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Unanchored)
            .build(&spellings)
            .map_err(|error| Error::invalid("control tokens", error.to_string()))?;
        Ok(Self {
            spellings,
            automaton,
        })
    }

    /// The text as pieces, in order; no piece is empty.
    pub fn split(&self, text: &str) -> Vec<TokenPiece> {
        let mut pieces = Vec::new();
        let mut start = 0;
        for found in self
            .automaton
            .find_iter(Input::new(text).anchored(Anchored::No))
        {
            push_data(&mut pieces, &text[start..found.start()]);
            pieces.push(TokenPiece::Control(text[found.range()].to_owned()));
            start = found.end();
        }
        push_data(&mut pieces, &text[start..]);
        pieces
    }

    /// How many bytes at the end of `text` may be the beginning of a spelling, so that a stream has to
    /// hold them until more comes.
    pub fn open_tail_len(&self, text: &str) -> usize {
        let longest = self.spellings.iter().map(String::len).max().unwrap_or(0);
        let first = text.len().saturating_sub(longest.saturating_sub(1));
        (first..text.len())
            .filter(|&start| text.is_char_boundary(start))
            .find(|&start| self.opens(&text[start..]))
            .map_or(0, |start| text.len() - start)
    }

    fn opens(&self, tail: &str) -> bool {
        self.spellings
            .iter()
            .any(|spelling| spelling.len() > tail.len() && spelling.starts_with(tail))
    }
}

fn push_data(pieces: &mut Vec<TokenPiece>, text: &str) {
    if !text.is_empty() {
        pieces.push(TokenPiece::Data(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_cut_by_the_stream_is_held() {
        let scanner = ControlScanner::new(["<|turn>", "<turn|>"]).unwrap();
        assert_eq!(scanner.open_tail_len("hello <|tu"), 4);
        assert_eq!(scanner.open_tail_len("hello <b"), 0);
        assert_eq!(scanner.open_tail_len("<|turn>"), 0);
    }
}
