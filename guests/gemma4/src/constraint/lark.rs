//! Writing Lark: rules by number, literals escaped.

use std::collections::HashMap;
use std::fmt::Write;

/// A grammar that is being written.
#[derive(Default)]
pub struct Lark {
    body: String,
    rules: usize,
    terminals: HashMap<String, String>,
}

impl Lark {
    /// A name for a rule that is written later, as recursion needs it.
    pub fn reserve(&mut self) -> String {
        self.rules += 1;
        format!("r{}", self.rules)
    }

    /// Writes a rule under a reserved name.
    pub fn define(&mut self, name: &str, body: &str) {
        let _ = writeln!(self.body, "{name}: {body}");
    }

    /// Writes a rule; the name of it.
    pub fn rule(&mut self, body: &str) -> String {
        let name = self.reserve();
        self.define(&name, body);
        name
    }

    /// Writes a terminal, once; the name of it.
    pub fn terminal(&mut self, body: &str) -> String {
        if let Some(name) = self.terminals.get(body) {
            return name.clone();
        }
        let name = format!("T{}", self.terminals.len());
        let _ = writeln!(self.body, "{name}: {body}");
        self.terminals.insert(body.to_owned(), name.clone());
        name
    }

    /// Any text but none.
    pub fn text(&mut self) -> String {
        self.terminal("/(?s:.+)/")
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// The whole grammar, which begins with `start`.
    pub fn finish(&self, start: &str) -> String {
        format!("start: {start}\n{}", self.body)
    }
}

/// A text, as it stands. Lark's literals are JSON's, but for DEL.
pub fn literal(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.replace('\u{7f}', "\\u007f")
}

/// A regular expression between slashes.
pub fn regex(pattern: &str) -> String {
    let mut escaped = String::from("/");
    let mut quoted = false;
    for c in pattern.chars() {
        match c {
            '/' if !quoted => escaped.push_str("\\/"),
            '\n' => escaped.push_str(if quoted { "n" } else { "\\n" }),
            '\r' => escaped.push_str(if quoted { "r" } else { "\\r" }),
            c => escaped.push(c),
        }
        quoted = c == '\\' && !quoted;
    }
    escaped.push('/');
    escaped
}
