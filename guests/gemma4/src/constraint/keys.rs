//! Keys of objects: bare where the parser reads them back as they are, quoted otherwise.

use super::lark::literal;
use crate::token;

/// What a bare key may hold beside letters and digits.
const INNER: &str = "_-.$@/+%#&~ ";

/// A key and its colon.
pub fn declared(key: &str) -> String {
    if is_bare(key) {
        return literal(&format!("{key}:"));
    }
    let (quote, text) = (token::QUOTE, literal(key));
    match key {
        "" => format!("{quote} {quote} \":\""),
        _ => format!("{quote} {text} {quote} \":\""),
    }
}

/// Any key but the declared ones, bare, as a terminal; its colon stands behind it.
pub fn others(declared: &[&str]) -> String {
    let any = "/[\\p{L}_][\\p{L}\\p{N}_]{0,63}/";
    let taken = declared.iter().filter(|key| !key.is_empty());
    let taken: Vec<String> = taken.map(|key| literal(key)).collect();
    match taken.as_slice() {
        [] => any.to_owned(),
        taken => format!("{any} & ~({})", taken.join(" | ")),
    }
}

fn is_bare(key: &str) -> bool {
    let first_fits = key
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '@'));
    first_fits
        && !key.ends_with(' ')
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || INNER.contains(c))
}

#[cfg(test)]
mod tests {
    use super::others;

    #[test]
    fn an_empty_key_is_no_alternative() {
        assert_eq!(others(&[""]), others(&[]));
        assert!(others(&["", "a"]).ends_with("~(\"a\")"));
    }
}
