//! A template's text, made ready to run: stand-ins for the control tokens that it writes.

use crate::stand_in::StandIns;

/// The template with a stand-in for every control token in it.
///
/// A string that the template only compares, `'<|channel>' in part`, stays spelled: there it means the text of
/// a message. transformers' `generation` blocks, which mark text for training, become plain blocks.
pub fn prepared(template: &str, stand_ins: &StandIns) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (text, from) = rest.split_at(at);
        out.push_str(&replaced(text, stand_ins));
        let (block, behind) = block(from);
        out.push_str(&block_text(block, stand_ins));
        rest = behind;
    }
    out.push_str(&replaced(rest, stand_ins));
    out
}

/// Splits off the block, or the lone brace, that `text` begins with.
fn block(text: &str) -> (&str, &str) {
    let end = match text.get(..2) {
        Some("{#") => text.find("#}").map_or(text.len(), |at| at + 2),
        Some("{{") => end_of_code(text, "}}"),
        Some("{%") => end_of_code(text, "%}"),
        _ => 1,
    };
    text.split_at(end)
}

/// Behind the closer that is in no string.
fn end_of_code(text: &str, closer: &str) -> usize {
    let mut at = 2;
    while let Some(character) = text[at..].chars().next() {
        if text[at..].starts_with(closer) {
            return at + 2;
        }
        at += match character {
            '"' | '\'' => string_bytes(&text[at..]),
            other => other.len_utf8(),
        };
    }
    text.len()
}

/// The bytes of the string literal that `text` begins with.
fn string_bytes(text: &str) -> usize {
    let quote = text.chars().next();
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if Some(character) == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn block_text(block: &str, stand_ins: &StandIns) -> String {
    let word = block.trim_matches(|c: char| "{%-+}".contains(c) || c.is_whitespace());
    match word {
        "generation" => return block.replace(word, "if true"),
        "endgeneration" => return block.replace(word, "endif"),
        _ if block.starts_with("{#") => return block.to_owned(),
        _ => {}
    }
    let mut out = String::with_capacity(block.len());
    let mut rest = block;
    while let Some(at) = rest.find(['"', '\'']) {
        let (code, from) = rest.split_at(at);
        out.push_str(code);
        let (literal, behind) = from.split_at(string_bytes(from));
        match is_compared(&out, behind) {
            true => out.push_str(literal),
            false => out.push_str(&replaced(literal, stand_ins)),
        }
        rest = behind;
    }
    out + rest
}

/// Whether the literal between these is an operand of a comparison, or looked for in something.
fn is_compared(before: &str, behind: &str) -> bool {
    let (before, behind) = (before.trim_end(), behind.trim_start());
    let compares = |text: &str| text.starts_with("==") || text.starts_with("!=");
    let word = |text: &str, word: &str| {
        text.strip_prefix(word)
            .is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_'))
    };
    let negated = behind.strip_prefix("not").map(str::trim_start);
    before.ends_with("==")
        || before.ends_with("!=")
        || compares(behind)
        || word(behind, "in")
        || negated.is_some_and(|rest| word(rest, "in"))
}

fn replaced(text: &str, stand_ins: &StandIns) -> String {
    if !text.contains('<') {
        return text.to_owned();
    }
    stand_ins
        .pairs()
        .iter()
        .fold(text.to_owned(), |text, (spelling, stand_in)| {
            let stand_in = stand_in.to_string();
            let text = text.replace(spelling.as_str(), &stand_in);
            // As a string between double quotes has it.
            text.replace(&spelling.replace('"', "\\\""), &stand_in)
        })
}

#[cfg(test)]
mod tests {
    use super::prepared;
    use crate::stand_in::StandIns;

    fn stand_ins() -> StandIns {
        let spellings = ["<|a>", "<|\"|>", "<a|>"].map(str::to_owned);
        StandIns::choose(spellings.to_vec(), &[]).expect("free code points")
    }

    fn spelled(template: &str) -> String {
        let stand_ins = stand_ins();
        let name = |c: char| {
            stand_ins
                .spelling(c)
                .map(|_| format!("[{:x}]", u32::from(c)))
        };
        let ready = prepared(template, &stand_ins);
        ready
            .chars()
            .map(|c| name(c).unwrap_or_else(|| c.to_string()))
            .collect()
    }

    #[test]
    fn what_the_template_writes_has_stand_ins() {
        for (template, ready) in [
            ("<|a>x<a|>", "[e001]x[e002]"),
            ("{{ '<|a>' + x }}", "{{ '[e001]' + x }}"),
            (
                "{{ \"<|\\\"|>\" + '<|\"|>' }}",
                "{{ \"[e000]\" + '[e000]' }}",
            ),
            ("{# <|a> #}<|a>", "{# <|a> #}[e001]"),
            ("{{ x.split('<a|>') }}", "{{ x.split('[e002]') }}"),
            ("{ <|a>", "{ [e001]"),
            ("{{ '}}' }}<|a>", "{{ '}}' }}[e001]"),
        ] {
            assert_eq!(spelled(template), ready, "{template}");
        }
    }

    #[test]
    fn what_the_template_compares_stays_spelled() {
        for template in [
            "{% if '<|a>' in x %}",
            "{% if '<|a>' not in x %}",
            "{% if x == '<|a>' %}",
            "{% if \"<|a>\" != x %}",
        ] {
            assert_eq!(spelled(template), template);
        }
    }

    #[test]
    fn marks_for_training_become_plain_blocks() {
        assert_eq!(
            spelled("{%- generation -%}x{% endgeneration %}"),
            "{%- if true -%}x{% endif %}"
        );
    }

    #[test]
    fn an_unclosed_template_ends() {
        for template in ["{{ 'x", "{% if", "{#", "{", "{{ \"\\"] {
            assert_eq!(spelled(template), template);
        }
    }
}
