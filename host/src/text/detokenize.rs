//! Token ids to text, as they stream.

use super::control::TokenPiece;
use super::tokenizer::Tokenizer;

/// Turns one id after the other into pieces, and holds the bytes of an unfinished character.
#[derive(Debug, Default)]
pub(crate) struct Detokenizer {
    bytes: Vec<u8>,
}

impl Detokenizer {
    /// The pieces that `id` completes: at most one of text and one control token.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Vec<TokenPiece> {
        if let Some(spelling) = tokenizer.control_spelling(id) {
            let mut pieces = self.finish();
            pieces.push(TokenPiece::Control(spelling.to_owned()));
            return pieces;
        }
        match tokenizer.token_byte(id) {
            Some(byte) => self.bytes.push(byte),
            None => self
                .bytes
                .extend_from_slice(tokenizer.token_text(id).as_bytes()),
        }
        data(self.take_complete())
    }

    /// What is left: an unfinished character becomes U+FFFD.
    pub fn finish(&mut self) -> Vec<TokenPiece> {
        data(String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned())
    }

    fn take_complete(&mut self) -> String {
        let held = unfinished_len(&self.bytes);
        let rest = self.bytes.split_off(self.bytes.len() - held);
        let complete = std::mem::replace(&mut self.bytes, rest);
        String::from_utf8(complete)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn data(text: String) -> Vec<TokenPiece> {
    if text.is_empty() {
        Vec::new()
    } else {
        vec![TokenPiece::Data(text)]
    }
}

/// How many bytes at the end may become a character with more bytes.
fn unfinished_len(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(chunk) if bytes.ends_with(chunk.invalid()) => {
            let tail = chunk.invalid();
            let open = std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
            if open { tail.len() } else { 0 }
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_character_is_held() {
        assert_eq!(unfinished_len("é".as_bytes()), 0);
        assert_eq!(unfinished_len(&[b'a', 0xE2, 0x82]), 2);
        assert_eq!(unfinished_len(&[0xFF]), 0);
        assert_eq!(unfinished_len(&[]), 0);
    }
}
