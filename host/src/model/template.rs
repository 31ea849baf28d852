//! A bundle's own chat template: its text, and which revision of Gemma 4's it is.

use sha2::{Digest, Sha256};

use crate::chat::PromptStyle;

/// The official templates that the built-in format renders byte for byte, by SHA-256.
const NATIVE: [(&str, PromptStyle); 2] = [
    (
        "0a2c8073c878ab1da004bee933a998606537bbb62016310352c7285c3f01c5b5",
        PromptStyle::Small,
    ),
    (
        "ae53464bf3be25802b3a5b37def7fd89667067d7577049b3b2d74c4d8de4c6d4",
        PromptStyle::Large,
    ),
];

/// The chat template that came with a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    text: String,
}

impl ChatTemplate {
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }

    /// Its source, Jinja.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which revision it is, as far as it can be told: by its bytes, by the date in its head, or by what it can do.
    pub fn revision(&self) -> String {
        if let Some(style) = self.native_style() {
            return format!("Gemma 4 of 2026-07-09, {}", style.name());
        }
        if !self.text.contains("<|turn>") {
            return "not Gemma 4's".to_owned();
        }
        match self.published() {
            Some(date) => format!("Gemma 4 of {date}, changed"),
            None => format!("Gemma 4 before 2026-07-09, {}", self.features()),
        }
    }

    /// The prompt style whose official template this is, which the built-in format renders byte for byte.
    pub fn native_style(&self) -> Option<PromptStyle> {
        let digest = hex(&Sha256::digest(&self.text));
        let known = NATIVE.iter().find(|(known, _)| *known == digest);
        known.map(|(_, style)| *style)
    }

    /// The day in `Published: 2026-07-09`, which Google writes at the head since July 2026.
    fn published(&self) -> Option<&str> {
        let (_, behind) = self.text.split_once("Published:")?;
        let date = behind.trim_start().get(..10)?;
        let fits = |c: char| c.is_ascii_digit() || c == '-';
        date.chars().all(fits).then_some(date)
    }

    /// What the undated revisions differ in.
    fn features(&self) -> String {
        let results = match self.text.contains("tool_call_id") {
            true => "with OpenAI's tool history",
            false => "the first: without OpenAI's tool history",
        };
        let gaps = match self.text.contains("\\n\\n<|image|>\\n\\n") {
            true => ", blank lines around media",
            false => "",
        };
        format!("{results}{gaps}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::ChatTemplate;

    #[test]
    fn revisions_are_told_apart() {
        for (text, revision) in [
            ("{{ '<start_of_turn>' }}", "not Gemma 4's"),
            (
                "{# Published: 2026-08-01 #}<|turn>",
                "Gemma 4 of 2026-08-01, changed",
            ),
            (
                "<|turn>{{ m.tool_call_id }}",
                "Gemma 4 before 2026-07-09, with OpenAI's tool history",
            ),
            (
                "<|turn>{{ '\\n\\n<|image|>\\n\\n' }}",
                "Gemma 4 before 2026-07-09, the first: without OpenAI's tool history, blank lines around media",
            ),
        ] {
            let template = ChatTemplate::new(text.to_owned());
            assert_eq!(template.revision(), revision);
            assert_eq!(template.native_style(), None);
        }
    }
}
