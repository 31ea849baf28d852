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
    if declared.is_empty() {
        return any.to_owned();
    }
    let taken: Vec<String> = declared.iter().map(|key| literal(key)).collect();
    let taken = taken.into_iter().filter(|key| key != "\"\"");
    format!("{any} & ~({})", taken.collect::<Vec<_>>().join(" | "))
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
