//! Reading Rust, as far as the checks need it.

/// The text with comments, strings and characters emptied, line by line as it was.
pub fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = opaque_bytes(rest, in_word);
        if length > 0 {
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
            code.push(' ');
        } else {
            code.push(first);
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    code
}

/// Bytes of the comment, string or character that `rest` begins with; 0 when it begins with code.
fn opaque_bytes(rest: &str, in_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !in_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = 1 + hashes + 1;
            return rest[body..]
                .find(&close)
                .map_or(rest.len(), |end| body + end + close.len());
        }
    }
    if rest.starts_with('"') {
        return quoted_bytes(rest, '"');
    }
    let mut characters = rest.chars();
    match (characters.next(), characters.next(), characters.next()) {
        (Some('\''), Some('\\'), _) => quoted_bytes(rest, '\''),
        (Some('\''), Some(inner), Some('\'')) => 2 + inner.len_utf8(),
        _ => 0,
    }
}

fn quoted_bytes(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A word, `::`, or one sign.
#[derive(Clone, Copy)]
pub struct Word<'a> {
    pub text: &'a str,
    pub line: usize,
}

pub fn words(code: &str) -> Vec<Word<'_>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    for (index, content) in code.lines().enumerate() {
        let mut rest = content.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            words.push(Word {
                text: &rest[..length],
                line: index + 1,
            });
            rest = rest[length..].trim_start();
        }
    }
    words
}

/// Leaves out items behind `#[cfg(test)]`, also inside `all(…)`.
pub fn without_tests(words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    let mut kept = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let attribute = matches(&words[at..], &["#", "[", "cfg"]).then(|| closed(&words, at + 1));
        let is_test = attribute.is_some_and(|end| {
            let says = |text| words[at..end].iter().any(|word| word.text == text);
            says("test") && !says("not")
        });
        if is_test {
            let brace = |word: &Word<'_>| word.text == "{" || word.text == ";";
            let start = words[at..]
                .iter()
                .position(brace)
                .map_or(words.len() - 1, |i| at + i);
            at = closed(&words, start);
        } else {
            kept.push(words[at]);
            at += 1;
        }
    }
    kept
}

pub fn matches(words: &[Word<'_>], pattern: &[&str]) -> bool {
    words.len() >= pattern.len()
        && words
            .iter()
            .zip(pattern)
            .all(|(word, wanted)| word.text == *wanted)
}

/// Just after the bracket that closes the one at `open`; after the word itself when it opens nothing.
pub fn closed(words: &[Word<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    words.len()
}

/// `host/src/plugin/abi/mod.rs` is `[plugin, abi]`.
pub fn module(path: &str) -> Vec<&str> {
    let inner = path.trim_start_matches("host/src/").trim_end_matches(".rs");
    inner.trim_end_matches("/mod").split('/').collect()
}

/// What follows `crate::`, each entry of a group included.
pub fn named_modules<'a>(words: &[Word<'a>]) -> Vec<(usize, &'a str)> {
    let mut named = Vec::new();
    for at in 0..words.len() {
        let is_macro = at > 0 && words[at - 1].text == "$";
        if is_macro || !matches(&words[at..], &["crate", "::"]) || at + 2 >= words.len() {
            continue;
        }
        if words[at + 2].text != "{" {
            named.push((words[at + 2].line, words[at + 2].text));
            continue;
        }
        let end = closed(words, at + 2);
        let mut depth = 0;
        for entry in at + 2..end {
            match words[entry].text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let begins = depth == 1 && ["{", ","].contains(&words[entry].text);
            if begins && entry + 1 < end && words[entry + 1].text != "}" {
                named.push((words[entry + 1].line, words[entry + 1].text));
            }
        }
    }
    named
}

/// Each chain of `super::`, with its length.
pub fn supers<'a>(words: &'a [Word<'a>]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let is_super = |at: usize| matches(&words[at..], &["super", "::"]);
    let begins = move |at: &usize| is_super(*at) && !(*at >= 2 && is_super(*at - 2));
    (0..words.len()).filter(begins).map(move |at| {
        let count = (at..words.len())
            .step_by(2)
            .take_while(|at| is_super(*at))
            .count();
        (words[at].line, count)
    })
}

/// Lines that name a crate: at the head of a path, or alone in a `use`.
pub fn names_crate<'a>(words: &'a [Word<'a>], name: &'a str) -> impl Iterator<Item = usize> + 'a {
    (0..words.len()).filter_map(move |at| {
        let before = |back: usize| at.checked_sub(back).map_or("", |at| words[at].text);
        let after = words.get(at + 1).map_or("", |word| word.text);
        let is_name = |word: &str| word.starts_with(|c: char| c.is_alphabetic()) && word != "use";
        // `a::image::b` is a module of ours; `::image::b` is the crate.
        let is_head = before(1) != "::" || !(is_name(before(2)) || [">", "}"].contains(&before(2)));
        let is_path = after == "::" || (before(1) == "use" && [";", "as"].contains(&after));
        (words[at].text == name && is_head && is_path).then_some(words[at].line)
    })
}
