//! The vocabulary as `llguidance` wants it: the bytes of every token, control tokens apart.

use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie};

use crate::error::{Error, Result};
use crate::sample::Mask;
use crate::text::Tokenizer;

/// Builds the trie of a tokenizer's vocabulary.
///
/// No token is forced: where the grammar leaves one text only, the model still chooses how to spell it, as
/// it would without a grammar. No token ends a text by itself: grammars name the control tokens that do.
pub(super) fn environment(tokenizer: &Tokenizer) -> Result<TokEnv> {
    let ids = 0..u32::try_from(tokenizer.vocab_size()).map_err(|_| too_large())?;
    let words: Vec<Vec<u8>> = ids.clone().map(|id| word(tokenizer, id)).collect();
    let trie = TokTrie::from(&TokRxInfo::new(ids.end, INVALID_TOKEN), &words);
    Ok(Arc::new(ApproximateTokEnv::new(trie)))
}

/// The tokens that are text.
pub(super) fn text_mask(tokenizer: &Tokenizer) -> Mask {
    let mut mask = Mask::none(tokenizer.vocab_size());
    let ids = 0..u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    for id in ids.filter(|id| tokenizer.control_spelling(*id).is_none()) {
        mask.allow(id);
    }
    mask
}

/// A token's bytes. The marker cannot be part of text, so no text spells a control token.
fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    if let Some(spelling) = tokenizer.control_spelling(id) {
        let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        word.extend(spelling.bytes());
        return word;
    }
    match tokenizer.token_byte(id) {
        // The marker's own byte is in no text.
        Some(TokTrie::SPECIAL_TOKEN_MARKER) => Vec::new(),
        Some(byte) => vec![byte],
        None => tokenizer.token_text(id).into_bytes(),
    }
}

fn too_large() -> Error {
    Error::bundle("tokenizer.json", "expected fewer tokens than 2^32")
}
