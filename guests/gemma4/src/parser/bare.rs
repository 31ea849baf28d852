//! A value without delimiters. It ends at a closer of the call, or at a comma with a key behind it.

use super::item::Item;
use super::scalar;
use super::schema::Schema;
use super::string::Quote;
use crate::template::is_space;
use crate::token;

/// A bare value that is being read.
pub struct Bare {
    text: String,
    /// Brackets that the value opened itself.
    nest: Vec<char>,
    /// What came behind a comma: a key, or more of the value.
    comma: Option<Behind>,
}

/// What came behind a comma.
#[derive(Default)]
struct Behind {
    text: String,
    /// More than whitespace.
    speaks: bool,
}

/// Where the value stands.
pub struct Place<'a> {
    /// The object's schema; None inside an array.
    pub object: Option<&'a Schema>,
    /// The closers that are open around it.
    pub closers: &'a [char],
}

/// What one item did to a bare value.
pub enum Next {
    Open,
    /// It ended; the item stands behind it.
    Ended(Item),
    /// It ended, and so did this key.
    Key(String, Item),
    /// It was a string whose opening quote is missing.
    Quoted,
    /// This does not belong into a call.
    Flawed,
}

impl Bare {
    pub fn new(first: char) -> Self {
        let mut bare = Self {
            text: String::new(),
            nest: Vec::new(),
            comma: None,
        };
        bare.push(first);
        bare
    }

    /// The value, as far as it came.
    pub fn text(&self) -> String {
        match &self.comma {
            Some(behind) if behind.speaks => {
                format!("{},{}", self.text, behind.text)
            }
            _ => self.text.clone(),
        }
    }

    pub fn step(&mut self, item: Item, place: &Place) -> Next {
        if let Some(behind) = self.comma.take() {
            return self.step_comma(behind, item, place);
        }
        match item {
            Item::Char(',') if self.nest.is_empty() => self.step_border(place),
            Item::Char(c) if self.nest.is_empty() && self.ends_at(c, place) => Next::Ended(item),
            Item::Char(c) => {
                self.push(c);
                Next::Open
            }
            Item::Token(token::QUOTE) => Next::Quoted,
            Item::Token(_) => Next::Flawed,
        }
    }

    fn push(&mut self, c: char) {
        match c {
            '{' => self.nest.push('}'),
            '[' => self.nest.push(']'),
            '(' => self.nest.push(')'),
            _ if self.nest.last() == Some(&c) => {
                self.nest.pop();
            }
            _ => {}
        }
        self.text.push(c);
    }

    /// A closer of the call, or a closer of nothing behind a literal.
    fn ends_at(&self, c: char, place: &Place) -> bool {
        let stray = matches!(c, '}' | ']' | ')') && scalar::is_literal(&self.text);
        stray || place.closers.contains(&c)
    }

    /// A comma ends a literal, and anything inside an array.
    fn step_border(&mut self, place: &Place) -> Next {
        if place.object.is_none() || scalar::is_literal(&self.text) {
            return Next::Ended(Item::Char(','));
        }
        self.comma = Some(Behind::default());
        Next::Open
    }

    fn step_comma(&mut self, mut behind: Behind, item: Item, place: &Place) -> Next {
        let blank = !behind.speaks;
        let closes = matches!(item, Item::Char(c) if place.closers.contains(&c));
        match item {
            _ if blank && (closes || Quote::opened_by(item).is_some()) => Next::Ended(item),
            Item::Char(',') if blank => Next::Ended(item),
            Item::Char(':' | '=') | Item::Token(token::QUOTE) if is_key(&behind.text, place) => {
                Next::Key(behind.text, item)
            }
            Item::Token(_) => Next::Flawed,
            Item::Char(',') => {
                self.join(&behind.text);
                self.comma = Some(Behind::default());
                Next::Open
            }
            Item::Char(c) if closes || matches!(c, ':' | '=' | '{' | '[' | '(') => {
                self.join(&behind.text);
                self.step(item, place)
            }
            Item::Char(c) => {
                behind.text.push(c);
                behind.speaks |= !is_space(c);
                self.comma = Some(behind);
                Next::Open
            }
        }
    }

    /// The comma was part of the value.
    fn join(&mut self, behind: &str) {
        self.text.push(',');
        self.text.push_str(behind);
    }
}

/// Whether the words behind a comma are a key: one that the schema lists, or else one word.
fn is_key(words: &str, place: &Place) -> bool {
    let word = words.trim_matches(is_space);
    let listed = place.object.and_then(|schema| schema.declares(word));
    let mut chars = word.chars();
    listed.unwrap_or_else(|| {
        let starts = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        starts && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'))
    })
}
