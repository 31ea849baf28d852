//! The parser's alphabet: characters that the model spelled, and control tokens that it chose.

use crate::token;
use lapidary_guest::TokenPiece;

/// One step of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    Char(char),
    /// One of [`token::ALL`].
    Token(&'static str),
}

impl Item {
    /// Appends the item as spelled.
    pub fn spell(self, text: &mut String) {
        match self {
            Self::Char(c) => text.push(c),
            Self::Token(token) => text.push_str(token),
        }
    }

    /// Whether no call goes on behind it, strings aside.
    pub fn ends_call(self) -> bool {
        matches!(self, Self::Token(token) if ENDS_CALL.contains(&token))
    }
}

const ENDS_CALL: [&str; 7] = [
    token::CALL_CLOSE,
    token::CALL_OPEN,
    token::TURN_CLOSE,
    token::TURN_OPEN,
    token::EOS,
    token::RESPONSE_OPEN,
    token::CHANNEL_OPEN,
];

/// Hands over the items of a piece. A control piece may hold several markers and the plain text
/// between them, as prompt pieces do; a control token that the format does not know is text.
pub fn each(piece: &TokenPiece, mut take: impl FnMut(Item)) {
    match piece {
        TokenPiece::Data(text) => text.chars().for_each(|c| take(Item::Char(c))),
        TokenPiece::Control(text) => markers(text, take),
    }
}

fn markers(text: &str, mut take: impl FnMut(Item)) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let marker = token::ALL.iter().find(|marker| rest.starts_with(**marker));
        let length = match marker {
            Some(marker) => {
                take(Item::Token(marker));
                marker.len()
            }
            None => {
                take(Item::Char(first));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
}
