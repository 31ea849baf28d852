//! Prompt segments to token ids.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tokenizers::Tokenizer as Library;

use super::control::{ControlScanner, TokenPiece};
use crate::error::{Error, Result};

/// A stretch of prompt, by whom it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Written by a chat format: control tokens in it become their ids.
    Control(&'a str),
    /// Written by anyone: never becomes a control token, whatever it spells.
    Data(&'a str),
    /// Already an id, many times over: a media item's soft tokens.
    Repeat(u32, usize),
}

/// A bundle's tokenizer, with control tokens kept apart from text.
#[derive(Debug)]
pub struct Tokenizer {
    /// Encodes every special token's spelling as plain text.
    library: Library,
    ids: HashMap<String, u32>,
    spellings: BTreeMap<u32, String>,
    scanner: ControlScanner,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, and `tokenizer_config.json` where there is one: it names control tokens too.
    ///
    /// # Errors
    /// `Bundle` when the file is not a tokenizer.
    pub fn from_json(json: &[u8], config: Option<&[u8]>) -> Result<Self> {
        let mut library = load(json)?;
        let named = config.map(control_names).transpose()?.unwrap_or_default();
        let spellings = control_tokens(&library, &named);
        if spellings.keys().any(|id| !is_special(&library, *id)) {
            library = load(&with_special(json, &spellings)?)?;
        }
        library.set_encode_special_tokens(true);
        let ids = spellings
            .iter()
            .map(|(id, spelling)| (spelling.clone(), *id))
            .collect();
        let scanner = ControlScanner::new(spellings.values().cloned())?;
        Ok(Self {
            library,
            ids,
            spellings,
            scanner,
        })
    }

    /// The id of a control token.
    pub fn control_id(&self, spelling: &str) -> Option<u32> {
        self.ids.get(spelling).copied()
    }

    /// The spelling of a control id.
    pub fn control_spelling(&self, id: u32) -> Option<&str> {
        self.spellings.get(&id).map(String::as_str)
    }

    /// Every control token, by id.
    pub fn control_tokens(&self) -> impl Iterator<Item = (u32, &str)> {
        self.spellings
            .iter()
            .map(|(id, spelling)| (*id, spelling.as_str()))
    }

    /// Trusted text as pieces, each control token in it on its own.
    pub(crate) fn split_control(&self, text: &str) -> Vec<TokenPiece> {
        self.scanner.split(text)
    }

    /// How many ids there are.
    pub fn vocab_size(&self) -> usize {
        self.library.get_vocab_size(true)
    }

    /// The ids of a prompt.
    ///
    /// Plain text between two control tokens is encoded as one run, whoever wrote its parts, as the
    /// reference does.
    ///
    /// # Errors
    /// `Bundle` when the tokenizer cannot encode some text.
    pub fn encode(&self, segments: &[Segment<'_>]) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut run = String::new();
        for segment in segments {
            match *segment {
                Segment::Data(text) => run.push_str(text),
                Segment::Control(text) => self.encode_control(text, &mut run, &mut ids)?,
                Segment::Repeat(id, count) => {
                    self.encode_run(&mut run, &mut ids)?;
                    ids.extend(std::iter::repeat_n(id, count));
                }
            }
        }
        self.encode_run(&mut run, &mut ids)?;
        Ok(ids)
    }

    fn encode_control(&self, text: &str, run: &mut String, ids: &mut Vec<u32>) -> Result<()> {
        for piece in self.scanner.split(text) {
            match piece {
                TokenPiece::Data(text) => run.push_str(&text),
                TokenPiece::Control(spelling) => {
                    self.encode_run(run, ids)?;
                    ids.push(self.ids[&spelling]);
                }
            }
        }
        Ok(())
    }

    fn encode_run(&self, run: &mut String, ids: &mut Vec<u32>) -> Result<()> {
        let text = std::mem::take(run);
        if text.is_empty() {
            return Ok(());
        }
        let encoded = self.encode_text(&text)?;
        if encoded.iter().any(|id| self.spellings.contains_key(id)) {
            // A vocabulary that reaches a control id from plain text. One character at a time cannot.
            return self.encode_characters(&text, ids);
        }
        ids.extend(encoded);
        Ok(())
    }

    fn encode_characters(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        for character in text.chars() {
            let encoded = self.encode_text(character.encode_utf8(&mut [0; 4]))?;
            ids.extend(
                encoded
                    .into_iter()
                    .filter(|id| !self.spellings.contains_key(id)),
            );
        }
        Ok(())
    }

    fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.library.encode_fast(text, false).map_err(|error| {
            Error::bundle("tokenizer", "cannot encode a text").with_source(error)
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of one token as it stands: a control token's spelling, U+FFFD for part of a character.
    pub fn text(&self, id: u32) -> String {
        match (self.control_spelling(id), self.token_byte(id)) {
            (Some(spelling), _) => spelling.to_owned(),
            (None, Some(byte)) => String::from_utf8_lossy(&[byte]).into_owned(),
            (None, None) => self.token_text(id),
        }
    }

    /// The text of ids, control tokens spelled out; bytes that make no character are replaced.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.library.decode(ids, false).unwrap_or_default()
    }

    /// The text of one plain token; empty for an id outside the vocabulary.
    pub(crate) fn token_text(&self, id: u32) -> String {
        self.decode(&[id])
    }

    /// The byte that a byte-fallback token stands for.
    pub(crate) fn token_byte(&self, id: u32) -> Option<u8> {
        let token = self.library.id_to_token(id)?;
        let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
        u8::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 2)
    }
}

fn load(json: &[u8]) -> Result<Library> {
    Library::from_bytes(json).map_err(|error| {
        let detail = "expected a tokenizer.json as the tokenizers library writes it; export the bundle again";
        Error::bundle("tokenizer.json", detail).with_source(error)
    })
}

fn is_special(library: &Library, id: u32) -> bool {
    library
        .get_added_tokens_decoder()
        .get(&id)
        .is_some_and(|token| token.special)
}

/// Added tokens that are special, named by the config, or bracketed as control tokens are.
fn control_tokens(library: &Library, named: &[String]) -> BTreeMap<u32, String> {
    library
        .get_added_tokens_decoder()
        .into_iter()
        .filter(|(_, token)| {
            token.special || named.contains(&token.content) || is_bracketed(&token.content)
        })
        .map(|(id, token)| (id, token.content))
        .collect()
}

fn is_bracketed(token: &str) -> bool {
    token.len() > 3 && token.starts_with('<') && token.ends_with('>') && token.contains('|')
}

fn control_names(config: &[u8]) -> Result<Vec<String>> {
    let config: Value = serde_json::from_slice(config).map_err(|error| {
        Error::bundle("tokenizer_config.json", "expected JSON").with_source(error)
    })?;
    let Some(fields) = config.as_object() else {
        return Ok(Vec::new());
    };
    let single = fields
        .iter()
        .filter(|(key, _)| key.ends_with("_token"))
        .map(|(_, value)| value);
    let extra = fields
        .get("extra_special_tokens")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    Ok(single.chain(extra).filter_map(token_name).collect())
}

fn token_name(value: &Value) -> Option<String> {
    value
        .as_str()
        .or_else(|| value.get("content")?.as_str())
        .map(str::to_owned)
}

fn with_special(json: &[u8], control: &BTreeMap<u32, String>) -> Result<Vec<u8>> {
    let invalid = |error| Error::bundle("tokenizer.json", "expected JSON").with_source(error);
    let mut value: Value = serde_json::from_slice(json).map_err(invalid)?;
    for token in value["added_tokens"].as_array_mut().into_iter().flatten() {
        let id = token["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        if id.is_some_and(|id| control.contains_key(&id)) {
            token["special"] = Value::Bool(true);
        }
    }
    serde_json::to_vec(&value).map_err(invalid)
}
