//! `pattern` and the lengths of strings, as terminals.

use super::fault::unsupported;
use super::lark::regex;
use lapidary_guest::Error;

/// A terminal of texts that match `pattern` somewhere, as JSON Schema means it.
///
/// Anchors may stand at the ends of the whole or of its outermost alternatives.
pub fn search(pattern: &str, at: &str) -> Result<String, Error> {
    let branches = alternatives(pattern)
        .into_iter()
        .map(|branch| anchored(branch, at))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(regex(&branches.join("|")))
}

/// A terminal of texts with at least `min` characters, and at most `max`.
pub fn length(min: u64, max: Option<u64>) -> String {
    match max {
        Some(max) => format!("/(?s:.{{{min},{max}}})/"),
        None => format!("/(?s:.{{{min},}})/"),
    }
}

/// One alternative without its anchors; where there is none, anything may stand.
fn anchored(branch: &str, at: &str) -> Result<String, Error> {
    let (start, rest) = match branch.strip_prefix('^') {
        Some(rest) => ("", rest),
        None => ("(?s:.*)", branch),
    };
    let (end, rest) = match rest.strip_suffix('$').filter(|rest| !is_escaped(rest)) {
        Some(rest) => ("", rest),
        None => ("(?s:.*)", rest),
    };
    if let Some(inside) = anchor_inside(rest) {
        let message = format!("pattern: expected {inside} at the ends only, found it inside");
        return Err(unsupported(&message, at));
    }
    Ok(format!("{start}(?:{}){end}", ascii_classes(rest)))
}

/// Whether what follows is escaped: an odd number of backslashes.
fn is_escaped(before: &str) -> bool {
    before.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// Cuts at the bars that stand in no group and no class.
fn alternatives(pattern: &str) -> Vec<&str> {
    let (mut branches, mut start) = (Vec::new(), 0);
    let mut scan = Scan::default();
    for (at, c) in pattern.char_indices() {
        if scan.step(c) && c == '|' && scan.depth == 0 {
            branches.push(&pattern[start..at]);
            start = at + 1;
        }
    }
    branches.push(&pattern[start..]);
    branches
}

fn anchor_inside(pattern: &str) -> Option<&'static str> {
    let mut scan = Scan::default();
    for c in pattern.chars() {
        let plain = scan.step(c);
        match c {
            '^' if plain => return Some("^"),
            '$' if plain => return Some("$"),
            'b' | 'B' if scan.escaping && !scan.in_class => return Some("\\b"),
            _ => {}
        }
    }
    None
}

/// Where a pattern stands, character by character.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_class: bool,
    escaped: bool,
    /// The last character was escaped.
    escaping: bool,
}

impl Scan {
    /// Takes a character. True when it is an operator outside of classes.
    fn step(&mut self, c: char) -> bool {
        self.escaping = self.escaped;
        if self.escaped {
            self.escaped = false;
            return false;
        }
        match c {
            '\\' => self.escaped = true,
            ']' if self.in_class => self.in_class = false,
            _ if self.in_class => {}
            '[' => self.in_class = true,
            '(' => self.depth += 1,
            ')' => self.depth = self.depth.saturating_sub(1),
            _ => return true,
        }
        false
    }
}

/// ECMA-262's `\d` and `\w` are ASCII.
fn ascii_classes(pattern: &str) -> String {
    let mut written = String::new();
    let mut scan = Scan::default();
    for c in pattern.chars() {
        scan.step(c);
        if scan.escaped {
            continue;
        }
        let class = match c {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            _ => "",
        };
        match (scan.escaping, class, scan.in_class) {
            (true, "", _) => written.extend(['\\', c]),
            (true, class, true) => written.push_str(class),
            (true, class, false) => written.push_str(&format!("[{class}]")),
            (false, ..) => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::search;

    #[test]
    fn anchors_at_the_ends_are_what_they_mean() {
        for (pattern, terminal) in [
            ("^a+$", "/(?:a+)/"),
            ("a", "/(?s:.*)(?:a)(?s:.*)/"),
            ("^a|b$", "/(?:a)(?s:.*)|(?s:.*)(?:b)/"),
            ("^(a|b)$", "/(?:(a|b))/"),
            (r"^a\$", r"/(?:a\$)(?s:.*)/"),
            (r"^[|^$]\d[\w-]$", r"/(?:[|^$][0-9][0-9A-Za-z_-])/"),
            (r"^\d{2}/\d{2}$", r"/(?:[0-9]{2}\/[0-9]{2})/"),
        ] {
            assert_eq!(search(pattern, "").expect(pattern), terminal);
        }
    }

    #[test]
    fn anchors_inside_are_refused() {
        for pattern in ["(^a)", "a$b", r"\bword\b", "^^"] {
            assert!(search(pattern, "").is_err(), "{pattern}");
        }
    }
}
