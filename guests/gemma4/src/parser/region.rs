//! Stretches of one kind, trimmed at their edges while they stream.

use crate::template::is_space;

/// Holds whitespace back until more comes, so that none is left at the end.
#[derive(Default)]
pub struct Trimmer {
    held: String,
    /// Something of this kind was let through.
    spoke: bool,
    /// The next character begins a region.
    parted: bool,
    /// What stands between two regions when the model wrote no whitespace there.
    separator: &'static str,
}

impl Trimmer {
    pub fn new(separator: &'static str) -> Self {
        Self {
            separator,
            ..Self::default()
        }
    }

    /// Takes one character and lets through what is certain to be inside.
    pub fn push(&mut self, c: char, mut emit: impl FnMut(&str)) {
        if is_space(c) {
            self.held.push(c);
            return;
        }
        if self.spoke && self.held.is_empty() && self.parted {
            emit(self.separator);
        }
        if self.spoke {
            emit(&self.held);
        }
        self.held.clear();
        (self.spoke, self.parted) = (true, false);
        emit(c.encode_utf8(&mut [0; 4]));
    }

    /// The region ends.
    pub fn part(&mut self) {
        self.parted = true;
    }

    /// Forgets what a prompt said; an open region goes on where the prompt left it.
    pub fn resume(&mut self, open: bool) {
        let goes_on = open && self.spoke && !self.parted;
        *self = Self {
            spoke: goes_on,
            ..Self::new(self.separator)
        };
    }
}

/// Recognises the line `thought` that opens a thought.
#[derive(Default)]
pub struct Label {
    seen: String,
    /// Bytes of whitespace before the line.
    lead: usize,
}

/// What became of a label.
pub enum Labelled {
    /// Not decided yet.
    Open,
    /// The label is complete and gone.
    Whole,
    /// There is none: these characters belong to the body.
    None(String),
}

impl Label {
    pub fn push(&mut self, c: char) -> Labelled {
        if self.lead == self.seen.len() && is_space(c) {
            self.lead += c.len_utf8();
        }
        self.seen.push(c);
        let line = &self.seen[self.lead..];
        if line.len() > LENGTH_MAX {
            return Labelled::None(std::mem::take(&mut self.seen));
        }
        let name_end = line
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(line.len());
        let (name, rest) = line.split_at(name_end);
        let fits = NAME.starts_with(name) && (rest.is_empty() || name == NAME);
        match rest.chars().find(|c| !matches!(c, ' ' | '\t' | '\r')) {
            None if fits => Labelled::Open,
            Some('\n') if fits => Labelled::Whole,
            _ => Labelled::None(std::mem::take(&mut self.seen)),
        }
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The body of a channel that ends here. A label that was cut off is no part of it.
    pub fn into_body(self) -> String {
        let line = self.seen.trim_matches(is_space);
        if NAME.starts_with(line) {
            String::new()
        } else {
            self.seen
        }
    }

    /// The text that this turned out to be, where no channel was opened.
    pub fn into_text(self) -> String {
        self.seen
    }
}

const NAME: &str = "thought";
/// A line with more spaces behind the name is none of the template's.
const LENGTH_MAX: usize = 64;
