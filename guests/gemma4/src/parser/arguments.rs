//! The arguments of a call, from Gemma's notation to JSON, as they stream.
//!
//! Taught: `{key:<|"|>text<|"|>,list:[1,true],inner:{k:null}}`. Read as well, because models write it:
//! quoted keys, `=` for `:`, JSON's and Python's strings, strings without quotes, stray or missing
//! commas and closers, parentheses for the outer braces.

use super::bare::{self, Bare, Place};
use super::item::Item;
use super::scalar;
use super::schema::{Kinds, Schema};
use super::sink::Flaw;
use super::string::{self, Quote, Text};
use crate::template::is_space;
use crate::token;

/// Objects and lists may nest this deep.
const DEPTH_MAX: usize = 64;

/// Arguments that are being read.
pub struct Arguments {
    json: String,
    frames: Vec<Frame>,
    state: State,
    /// The key whose value comes.
    key: Option<String>,
}

/// An open object or list.
struct Frame {
    /// What closes it: `}` or `)` an object, `]` a list.
    closer: char,
    schema: Schema,
    count: usize,
}

enum State {
    Key,
    BareKey(BareKey),
    QuotedKey(Quote, String),
    Colon(String),
    /// Behind `=`, which may be the first half of `=>`.
    Arrow,
    Value,
    Bare(Bare),
    Text {
        text: Text,
        kinds: Kinds,
        sent: usize,
    },
    After,
    Closed,
}

/// A key without quotes.
struct BareKey {
    text: String,
    /// No comma stood before it: only a colon makes it a key.
    doubtful: bool,
}

/// What one item did.
pub enum Step {
    Open,
    /// The outermost object is closed.
    Closed,
    /// These items are to be read again.
    Again(Vec<Item>),
    /// A string's end was forgotten; these items, a marker first, stand behind the call.
    Unclosed(Vec<Item>),
}

impl Arguments {
    /// Behind the opening brace or parenthesis.
    pub fn new(closer: char, schema: Schema) -> Self {
        let frames = vec![Frame {
            closer,
            schema,
            count: 0,
        }];
        Self {
            json: "{".to_owned(),
            frames,
            state: State::Key,
            key: None,
        }
    }

    /// The JSON text so far.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Inside a string a marker may be text.
    pub fn in_string(&self) -> bool {
        matches!(self.state, State::Text { .. })
    }

    pub fn step(&mut self, item: Item) -> Result<Step, Flaw> {
        match std::mem::replace(&mut self.state, State::After) {
            State::Text { text, kinds, sent } => return Ok(self.step_text(text, kinds, sent, item)),
            state if is_noise(item) => self.state = state,
            State::Key => self.step_key(item)?,
            State::BareKey(key) => return self.step_bare_key(key, item),
            State::QuotedKey(quote, key) => self.step_quoted_key(quote, key, item)?,
            State::Colon(key) => self.step_colon(key, item)?,
            State::Arrow => return Ok(self.step_arrow(item)),
            State::Value => self.step_value(item)?,
            State::Bare(bare) => return self.step_bare(bare, item),
            State::After | State::Closed => self.step_after(item)?,
        }
        Ok(self.progress())
    }

    /// Ends the arguments where the call ends, as far as the intent is certain. A string that was
    /// never closed needs the model's own end of the call, or all closers.
    pub fn close(&mut self, call_closed: bool) -> Result<(), Flaw> {
        match std::mem::replace(&mut self.state, State::After) {
            State::Key | State::After | State::Closed => {}
            State::Value if self.in_list() => {}
            State::BareKey(_) | State::QuotedKey(..) | State::Colon(_) => {
                return Err(Flaw::BadArguments);
            }
            State::Value | State::Arrow => return Err(Flaw::MissingValue),
            State::Bare(bare) => self.put_bare(&bare)?,
            State::Text {
                mut text,
                kinds,
                sent,
            } => {
                let closers: Vec<char> = self.frames.iter().map(|frame| frame.closer).collect();
                if !text.end(&closers) && !call_closed {
                    return Err(Flaw::Truncated);
                }
                self.put_text(&text, kinds, sent);
            }
        }
        self.close_to(0);
        Ok(())
    }

    /// The items that an open string holds in doubt, a marker first.
    pub fn take_held(&mut self) -> Vec<Item> {
        match &mut self.state {
            State::Text { text, .. } => text.take_held(),
            _ => Vec::new(),
        }
    }

    fn progress(&self) -> Step {
        if matches!(self.state, State::Closed) {
            Step::Closed
        } else {
            Step::Open
        }
    }

    fn in_list(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.closer == ']')
    }

    /// The schema of the value that comes.
    fn schema(&self) -> Schema {
        let Some(frame) = self.frames.last() else {
            return Schema::default();
        };
        self.key
            .as_deref()
            .map_or_else(|| frame.schema.items(), |key| frame.schema.property(key))
    }

    fn step_key(&mut self, item: Item) -> Result<(), Flaw> {
        self.state = match item {
            Item::Char(c) if is_space(c) || matches!(c, ',' | ';') => State::Key,
            Item::Char('{') if self.is_empty() => {
                // `({…})` and `{{…}}` mean one object.
                self.frames[0].closer = '}';
                State::Key
            }
            Item::Char(c @ ('}' | ']' | ')')) => return self.close_frame(c),
            Item::Char(_) | Item::Token(_) => match (Quote::opened_by(item), item) {
                (Some(quote), _) => State::QuotedKey(quote, String::new()),
                (None, Item::Char(c)) => State::BareKey(BareKey::new(c)),
                (None, Item::Token(_)) => return Err(Flaw::BadArguments),
            },
        };
        Ok(())
    }

    fn is_empty(&self) -> bool {
        matches!(self.frames.as_slice(), [Frame { count: 0, .. }])
    }

    fn step_bare_key(&mut self, mut key: BareKey, item: Item) -> Result<Step, Flaw> {
        match item {
            Item::Char(':') => self.begin_value(&key.text, State::Value)?,
            Item::Char('=') => self.begin_value(&key.text, State::Arrow)?,
            Item::Token(token::QUOTE) if !key.doubtful => {
                self.begin_value(&key.text, State::Value)?;
                return Ok(Step::Again(vec![item]));
            }
            Item::Char(c) if !matches!(c, ',' | '{' | '}') => {
                key.text.push(c);
                self.state = State::BareKey(key);
            }
            Item::Char(_) | Item::Token(_) => return Err(Flaw::BadArguments),
        }
        Ok(Step::Open)
    }

    fn begin_value(&mut self, key: &str, state: State) -> Result<(), Flaw> {
        let key = key.trim_matches(|c| is_space(c) || matches!(c, '"' | '\'' | '`'));
        if key.is_empty() {
            return Err(Flaw::BadArguments);
        }
        self.key = Some(key.to_owned());
        self.state = state;
        Ok(())
    }

    fn step_quoted_key(&mut self, quote: Quote, mut key: String, item: Item) -> Result<(), Flaw> {
        self.state = match item {
            item if quote.closed_by(item) => State::Colon(key),
            Item::Char(c) => {
                key.push(c);
                State::QuotedKey(quote, key)
            }
            Item::Token(_) => return Err(Flaw::BadArguments),
        };
        Ok(())
    }

    fn step_colon(&mut self, key: String, item: Item) -> Result<(), Flaw> {
        self.state = match item {
            Item::Char(c) if is_space(c) => State::Colon(key),
            Item::Char(sign @ (':' | '=')) => {
                // A quoted key is taken whole, spaces and all.
                self.key = Some(key);
                if sign == ':' {
                    State::Value
                } else {
                    State::Arrow
                }
            }
            Item::Char(_) | Item::Token(_) => return Err(Flaw::BadArguments),
        };
        Ok(())
    }

    fn step_arrow(&mut self, item: Item) -> Step {
        self.state = State::Value;
        if matches!(item, Item::Char('>' | '=')) {
            Step::Open
        } else {
            Step::Again(vec![item])
        }
    }

    fn step_value(&mut self, item: Item) -> Result<(), Flaw> {
        if let Some(quote) = Quote::opened_by(item) {
            return self.open_text(quote);
        }
        match item {
            Item::Char(c) if is_space(c) => self.state = State::Value,
            Item::Char('{') => return self.open_frame('}'),
            Item::Char('[') => return self.open_frame(']'),
            Item::Char(c @ (',' | '}' | ']' | ')')) if !self.in_list() => {
                // A parenthesis closes nothing here unless one is open.
                if c == ')' && self.frames[0].closer != ')' {
                    self.state = State::Bare(Bare::new(c));
                    return Ok(());
                }
                return Err(Flaw::MissingValue);
            }
            Item::Char(',') => self.state = State::Value,
            Item::Char(c @ ('}' | ']' | ')')) => return self.close_frame(c),
            Item::Char(c) => self.state = State::Bare(Bare::new(c)),
            Item::Token(_) => return Err(Flaw::BadArguments),
        }
        Ok(())
    }

    fn step_bare(&mut self, mut bare: Bare, item: Item) -> Result<Step, Flaw> {
        let closers: Vec<char> = self.frames.iter().map(|frame| frame.closer).collect();
        let object = self
            .frames
            .last()
            .filter(|_| !self.in_list())
            .map(|frame| &frame.schema);
        match bare.step(
            item,
            &Place {
                object,
                closers: &closers,
            },
        ) {
            bare::Next::Open => self.state = State::Bare(bare),
            bare::Next::Ended(item) => {
                self.put_bare(&bare)?;
                return Ok(Step::Again(vec![item]));
            }
            bare::Next::Key(key, item) => {
                self.put_bare(&bare)?;
                self.state = State::BareKey(BareKey {
                    text: key,
                    doubtful: false,
                });
                return Ok(Step::Again(vec![item]));
            }
            bare::Next::Quoted => {
                let text = bare.text();
                let json = scalar::delimited(text.trim_matches(is_space), self.schema().kinds());
                self.put(&json);
            }
            bare::Next::Flawed => return Err(Flaw::BadArguments),
        }
        Ok(Step::Open)
    }

    fn put_bare(&mut self, bare: &Bare) -> Result<(), Flaw> {
        let text = bare.text();
        if text.trim_matches(is_space).is_empty() {
            return Err(Flaw::MissingValue);
        }
        let json = scalar::bare(&text, self.schema().kinds());
        self.put(&json);
        Ok(())
    }

    fn open_text(&mut self, quote: Quote) -> Result<(), Flaw> {
        let kinds = self.schema().kinds();
        if kinds.allows(Kinds::STRING) {
            self.put("\"");
        }
        self.state = State::Text {
            text: Text::new(quote),
            kinds,
            sent: 0,
        };
        Ok(())
    }

    fn step_text(&mut self, mut text: Text, kinds: Kinds, sent: usize, item: Item) -> Step {
        match text.step(item) {
            string::Next::Open => {
                let sent = self.send(&text, kinds, sent);
                self.state = State::Text { text, kinds, sent };
                Step::Open
            }
            string::Next::Closed(behind) => {
                self.put_text(&text, kinds, sent);
                Step::Again(behind)
            }
            string::Next::Unclosed(behind) => {
                self.state = State::Text { text, kinds, sent };
                Step::Unclosed(behind)
            }
        }
    }

    /// Streams what is certain, if a string is certain.
    fn send(&mut self, text: &Text, kinds: Kinds, sent: usize) -> usize {
        if kinds.allows(Kinds::STRING) {
            scalar::escape_into(&mut self.json, &text.body()[sent..]);
        }
        text.body().len()
    }

    fn put_text(&mut self, text: &Text, kinds: Kinds, sent: usize) {
        if kinds.allows(Kinds::STRING) {
            self.send(text, kinds, sent);
            self.json.push('"');
        } else {
            self.put(&scalar::delimited(text.body(), kinds));
        }
        self.state = State::After;
    }

    fn step_after(&mut self, item: Item) -> Result<(), Flaw> {
        match item {
            Item::Char(c) if is_space(c) => {}
            Item::Char(',' | ';') if self.in_list() => self.state = State::Value,
            Item::Char(',' | ';') => self.state = State::Key,
            Item::Char(c @ ('}' | ']' | ')')) => return self.close_frame(c),
            // A forgotten comma.
            _ if Quote::opened_by(item).is_some() && self.in_list() => {
                return self.step_value(item);
            }
            _ if Quote::opened_by(item).is_some() => return self.step_key(item),
            Item::Char(c) if !self.in_list() && (c.is_alphanumeric() || c == '_') => {
                self.state = State::BareKey(BareKey {
                    doubtful: true,
                    ..BareKey::new(c)
                });
            }
            Item::Char(_) | Item::Token(_) => return Err(Flaw::BadArguments),
        }
        Ok(())
    }

    fn open_frame(&mut self, closer: char) -> Result<(), Flaw> {
        if self.frames.len() == DEPTH_MAX {
            return Err(Flaw::TooDeep);
        }
        let schema = self.schema();
        self.put(if closer == ']' { "[" } else { "{" });
        self.frames.push(Frame {
            closer,
            schema,
            count: 0,
        });
        self.state = if closer == ']' {
            State::Value
        } else {
            State::Key
        };
        Ok(())
    }

    /// Closes the innermost frame with this closer, and those inside it that were left open.
    fn close_frame(&mut self, closer: char) -> Result<(), Flaw> {
        // A closer of nothing is dropped.
        if let Some(depth) = self.frames.iter().rposition(|frame| frame.closer == closer) {
            self.close_to(depth);
        }
        self.state = if self.frames.is_empty() {
            State::Closed
        } else {
            State::After
        };
        Ok(())
    }

    fn close_to(&mut self, depth: usize) {
        for frame in self.frames.drain(depth..).rev() {
            self.json.push(if frame.closer == ']' { ']' } else { '}' });
        }
    }

    /// Appends a value, or the beginning of one, behind its comma and key.
    fn put(&mut self, json: &str) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if frame.count > 0 {
            self.json.push(',');
        }
        frame.count += 1;
        if let Some(key) = self.key.take() {
            self.json.push_str(&scalar::quote(&key));
            self.json.push(':');
        }
        self.json.push_str(json);
    }
}

impl BareKey {
    fn new(first: char) -> Self {
        Self {
            text: first.to_string(),
            doubtful: false,
        }
    }
}

/// Tokens that say nothing between values.
fn is_noise(item: Item) -> bool {
    matches!(
        item,
        Item::Token(token::CHANNEL_CLOSE | token::BOS | token::PAD)
    )
}
