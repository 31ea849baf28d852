//! Thoughts in history.

use super::python;
use crate::token;

/// Assistant text without the thoughts that are written inside it.
///
/// History is text: a marker spelled there is taken for one, as the reference takes it.
pub fn strip(text: &str) -> String {
    let spoken: String = text
        .split(token::CHANNEL_CLOSE)
        .map(|part| {
            part.split_once(token::CHANNEL_OPEN)
                .map_or(part, |(before, _)| before)
        })
        .collect();
    python::trim(&spoken).to_owned()
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn thoughts_inside_a_text_are_removed() {
        for (text, spoken) in [
            ("<|channel>thought\nhm<channel|> Hi ", "Hi"),
            ("a<|channel>x<channel|>b<|channel>y<channel|>c", "abc"),
            ("open <|channel>never closed", "open"),
            ("closed <channel|> only", "closed  only"),
            ("plain", "plain"),
        ] {
            assert_eq!(strip(text), spoken);
        }
    }
}
