//! One code point for each control token, while a template runs.

use std::collections::HashSet;

use lapidary_guest::Error;

use crate::fault::invalid;

/// Where code points are taken from: nobody's, so that nearly no data has them.
const PRIVATE: [std::ops::RangeInclusive<u32>; 3] =
    [0xe000..=0xf8ff, 0xf_0000..=0xf_fffd, 0x10_0000..=0x10_fffd];

/// The control tokens and the code points that stand for them in this rendering.
pub struct StandIns {
    /// Longest spelling first.
    pairs: Vec<(String, char)>,
}

impl StandIns {
    /// Chooses code points that `texts`, everything that takes part in the rendering, do not contain.
    pub fn choose(mut spellings: Vec<String>, texts: &[&str]) -> Result<Self, Error> {
        let taken: HashSet<char> = texts
            .iter()
            .flat_map(|text| text.chars())
            .filter(|character| !character.is_ascii())
            .collect();
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        let free = PRIVATE.into_iter().flatten().filter_map(char::from_u32);
        let free = free.filter(|character| !taken.contains(character));
        let count = spellings.len();
        let pairs: Vec<(String, char)> = spellings.into_iter().zip(free).collect();
        if pairs.len() < count {
            let message =
                "messages: expected some private-use code point that is not in them, found none";
            return Err(invalid("no-stand-in", message));
        }
        Ok(Self { pairs })
    }

    /// The control tokens, each with its code point, longest spelling first.
    pub fn pairs(&self) -> &[(String, char)] {
        &self.pairs
    }

    /// What stands for a control token.
    pub fn of(&self, spelling: &str) -> Option<char> {
        let pair = self.pairs.iter().find(|(known, _)| known == spelling)?;
        Some(pair.1)
    }

    /// The control token that a code point stands for.
    pub fn spelling(&self, character: char) -> Option<&str> {
        // Nearly all text: a prompt of a megabyte is looked at character by character.
        if u32::from(character) < *PRIVATE[0].start() {
            return None;
        }
        let pair = self.pairs.iter().find(|(_, known)| *known == character)?;
        Some(&pair.0)
    }

    /// The text with its control tokens spelled out.
    pub fn spelled(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match self.spelling(character) {
                Some(spelling) => out.push_str(spelling),
                None => out.push(character),
            }
        }
        out
    }

    /// Whether any stand-in occurs.
    pub fn are_in(&self, text: &str) -> bool {
        !text.is_ascii()
            && text
                .chars()
                .any(|character| self.spelling(character).is_some())
    }
}
