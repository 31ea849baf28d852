//! One string value: where it ends is the question that everything else depends on.

use super::item::Item;
use crate::template::is_space;
use crate::token;

/// What opened a string, and closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// `<|"|>`, the only one that Gemma 4 was taught.
    Token,
    /// A quotation mark, as in JSON or Python.
    Mark(char),
}

impl Quote {
    /// The quote that an item opens.
    pub fn opened_by(item: Item) -> Option<Self> {
        match item {
            Item::Token(token::QUOTE) => Some(Self::Token),
            Item::Char(mark @ ('"' | '\'')) => Some(Self::Mark(mark)),
            Item::Char(_) | Item::Token(_) => None,
        }
    }

    /// Whether an item closes it.
    pub fn closed_by(self, item: Item) -> bool {
        match self {
            Self::Token => item == Item::Token(token::QUOTE),
            Self::Mark(mark) => item == Item::Char(mark),
        }
    }
}

/// A string that is being read.
pub struct Text {
    quote: Quote,
    /// What is certainly inside.
    body: String,
    /// Closers, quotation marks and whitespace at the end: outside, if the string was never closed.
    hold: String,
    doubt: Doubt,
}

/// What is undecided.
enum Doubt {
    None,
    /// A marker came inside `<|"|>`: either the string contains it, or its end was forgotten.
    Marker {
        items: Vec<Item>,
        quote: Option<usize>,
    },
    /// Behind a backslash; the digits of `\u` so far.
    Escape(String),
    /// A quotation mark came: the end, if structure follows; the whitespace since.
    Mark(String),
}

/// What one item did to a string.
pub enum Next {
    /// It goes on.
    Open,
    /// It ended; these items stand behind it.
    Closed(Vec<Item>),
    /// Its end was forgotten; these items, a marker first, stand behind the call.
    Unclosed(Vec<Item>),
}

impl Text {
    pub fn new(quote: Quote) -> Self {
        Self {
            quote,
            body: String::new(),
            hold: String::new(),
            doubt: Doubt::None,
        }
    }

    /// What is certainly inside.
    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn step(&mut self, item: Item) -> Next {
        match std::mem::replace(&mut self.doubt, Doubt::None) {
            Doubt::None => self.step_plain(item),
            Doubt::Marker { items, quote } => self.step_marker(items, quote, item),
            Doubt::Escape(digits) => self.step_escape(digits, item),
            Doubt::Mark(space) => self.step_mark(space, item),
        }
    }

    /// The items in doubt, a marker first.
    pub fn take_held(&mut self) -> Vec<Item> {
        match std::mem::replace(&mut self.doubt, Doubt::None) {
            Doubt::Marker { items, .. } => items,
            other => {
                self.doubt = other;
                Vec::new()
            }
        }
    }

    /// Ends the string where the call ends, without those of the call's closers that were taken for
    /// text; `closers` from the outermost on. True when all of them stood there.
    pub fn end(&mut self, closers: &[char]) -> bool {
        match std::mem::replace(&mut self.doubt, Doubt::None) {
            Doubt::Mark(_) => {
                self.settle();
                return true;
            }
            Doubt::Escape(digits) => self.unescaped(&digits),
            Doubt::None | Doubt::Marker { .. } => {}
        }
        let mut tail = std::mem::take(&mut self.hold);
        let mut found = 0;
        for closer in closers {
            let Some(rest) = tail.trim_end_matches(is_space).strip_suffix(*closer) else {
                break;
            };
            tail.truncate(rest.len());
            found += 1;
        }
        if found > 0 {
            tail.truncate(tail.trim_end_matches(is_space).len());
        }
        self.body.push_str(&tail);
        self.drop_lone_mark();
        found == closers.len()
    }

    fn step_plain(&mut self, item: Item) -> Next {
        match (item, self.quote) {
            (Item::Token(token::QUOTE), _) => return self.closed(Vec::new()),
            (Item::Char(c), Quote::Mark(mark)) if c == mark => {
                self.doubt = Doubt::Mark(String::new());
            }
            (Item::Char('\\'), Quote::Mark(_)) => self.doubt = Doubt::Escape(String::new()),
            (Item::Char(c), _) => self.push(c),
            (item, Quote::Mark(_)) if item.ends_call() => return Next::Unclosed(vec![item]),
            (item, Quote::Token) if item.ends_call() => {
                self.doubt = Doubt::Marker {
                    items: vec![item],
                    quote: None,
                };
            }
            (item, _) => {
                self.settle();
                item.spell(&mut self.body);
            }
        }
        Next::Open
    }

    fn push(&mut self, c: char) {
        if is_space(c) || matches!(c, '}' | ']' | ')' | '"' | '\'') {
            self.hold.push(c);
        } else {
            self.settle();
            self.body.push(c);
        }
    }

    fn settle(&mut self) {
        self.body.push_str(&std::mem::take(&mut self.hold));
    }

    fn closed(&mut self, behind: Vec<Item>) -> Next {
        self.settle();
        Next::Closed(behind)
    }

    /// The string contains the marker if it is closed later, with structure behind the quote.
    fn step_marker(&mut self, mut items: Vec<Item>, quote: Option<usize>, item: Item) -> Next {
        items.push(item);
        let Some(at) = quote else {
            if item == Item::Token(token::CALL_OPEN) && self.was_cut_short(&items) {
                return Next::Unclosed(items);
            }
            let quote = (item == Item::Token(token::QUOTE)).then_some(items.len() - 1);
            self.doubt = Doubt::Marker { items, quote };
            return Next::Open;
        };
        match item {
            Item::Char(c) if is_space(c) => {
                self.doubt = Doubt::Marker { items, quote };
                Next::Open
            }
            Item::Char(',' | '}' | ']' | ')') | Item::Token(token::CALL_CLOSE) => {
                self.settle();
                items[..at]
                    .iter()
                    .for_each(|item| item.spell(&mut self.body));
                Next::Closed(items.split_off(at + 1))
            }
            Item::Char(_) | Item::Token(_) => Next::Unclosed(items),
        }
    }

    /// `…}<tool_call|><|tool_call>`: the call was closed and the next one begins.
    fn was_cut_short(&self, items: &[Item]) -> bool {
        let between = &items[1..items.len() - 1];
        items[0] == Item::Token(token::CALL_CLOSE)
            && self.hold.contains(['}', ')'])
            && between
                .iter()
                .all(|item| matches!(item, Item::Char(c) if is_space(*c)))
    }

    fn step_escape(&mut self, mut digits: String, item: Item) -> Next {
        let Item::Char(c) = item else {
            self.unescaped(&digits);
            return self.step_plain(item);
        };
        digits.push(c);
        match unescape(&digits) {
            Escape::Open => self.doubt = Doubt::Escape(digits),
            Escape::Char(c) => {
                self.settle();
                self.body.push(c);
            }
            Escape::None => self.unescaped(&digits),
        }
        Next::Open
    }

    /// A backslash that escaped nothing is one.
    fn unescaped(&mut self, digits: &str) {
        self.settle();
        self.body.push('\\');
        self.body.push_str(digits);
    }

    /// A mark inside is text when text goes on behind it: `"He said "hi" twice"`.
    fn step_mark(&mut self, mut space: String, item: Item) -> Next {
        match (item, self.quote) {
            (Item::Char(c), _) if is_space(c) => {
                space.push(c);
                self.doubt = Doubt::Mark(space);
                Next::Open
            }
            (Item::Char(c), Quote::Mark(mark)) if !matches!(c, ',' | '}' | ']' | ')') => {
                self.settle();
                self.body.push(mark);
                space.chars().for_each(|c| self.push(c));
                self.step_plain(item)
            }
            _ => self.closed(vec![item]),
        }
    }

    /// A quotation mark at the end that nothing opened stood for the forgotten quote.
    fn drop_lone_mark(&mut self) {
        if self.body.ends_with('"') && self.body.matches('"').count() % 2 == 1 {
            self.body.pop();
        }
    }
}

enum Escape {
    Open,
    Char(char),
    None,
}

/// JSON's escapes, and `\'`. Surrogates come in two.
fn unescape(digits: &str) -> Escape {
    let simple = match digits {
        "n" => '\n',
        "t" => '\t',
        "r" => '\r',
        "b" => '\u{8}',
        "f" => '\u{c}',
        "\"" | "'" | "\\" | "/" => return digits.chars().next().map_or(Escape::None, Escape::Char),
        _ if digits.starts_with('u') => return unicode(digits),
        _ => return Escape::None,
    };
    Escape::Char(simple)
}

/// `uXXXX`, or `uD8XX\uDCXX`.
fn unicode(digits: &str) -> Escape {
    let shape = "uXXXX\\uXXXX";
    let fits = digits.chars().zip(shape.chars()).all(|(digit, wanted)| {
        if wanted == 'X' {
            digit.is_ascii_hexdigit()
        } else {
            digit == wanted
        }
    });
    if !fits || digits.len() > shape.len() {
        return Escape::None;
    }
    let unit = |at: usize| {
        digits
            .get(at..at + 4)
            .and_then(|hex| u16::from_str_radix(hex, 16).ok())
    };
    let Some(first) = unit(1) else {
        return Escape::Open;
    };
    let units = match (0xd800..0xdc00).contains(&first).then(|| unit(7)) {
        None => vec![first],
        Some(None) => return Escape::Open,
        Some(Some(second)) => vec![first, second],
    };
    let mut chars = char::decode_utf16(units);
    chars
        .next()
        .and_then(Result::ok)
        .map_or(Escape::None, Escape::Char)
}
