//! What to say with a recording to have it written down or translated, in the words that Gemma 4 was trained with
//! (Google's audio notebook for Gemma 4: the text first, the recording after it, thinking off).

use super::conversation::{Conversation, Media, Message, Part, Role};

const WRITE_ONLY: &str = "Follow these specific instructions for formatting the answer:\n\
    * Only output the transcription, with no newlines.\n\
    * When transcribing numbers, write the digits, i.e. write 1.7 and not one point seven, and write 3 instead of \
    three.";

impl Conversation {
    /// Asks what `recording` says, in the language that is spoken.
    ///
    /// ```
    /// use lapidary::{Conversation, Media};
    /// let wav = vec![0; 44];
    /// let conversation = Conversation::new().transcribe(Media::audio(wav));
    /// assert_eq!(conversation.media().count(), 1);
    /// ```
    pub fn transcribe(self, recording: Media) -> Self {
        let what = "Transcribe the following speech segment in its original language.";
        self.about(recording, format!("{what} {WRITE_ONLY}"))
    }

    /// As [`Conversation::transcribe`], of speech in `language`, such as `English`.
    pub fn transcribe_from(self, recording: Media, language: &str) -> Self {
        let what =
            format!("Transcribe the following speech segment in {language} into {language} text.");
        self.about(recording, format!("{what} {WRITE_ONLY}"))
    }

    /// Asks what `recording` says in the language `from`, and what that is in the language `to`. The answer has the
    /// two on lines of their own, the second behind `to` and a colon.
    pub fn translate(self, recording: Media, from: &str, to: &str) -> Self {
        let what = format!(
            "Transcribe the following speech segment in {from}, then translate it into {to}. When formatting the \
             answer, first output the transcription in {from}, then one newline, then output the string '{to}: ', \
             then the translation in {to}."
        );
        self.about(recording, what)
    }

    fn about(self, recording: Media, text: String) -> Self {
        let parts = vec![Part::Text(text), Part::Media(recording)];
        self.with(Message::of_parts(Role::User, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::Content;
    use super::*;

    fn text(conversation: &Conversation) -> &str {
        match &conversation.messages[0].content {
            Some(Content::Parts(parts)) => match &parts[..] {
                [Part::Text(text), Part::Media(_)] => text,
                _ => panic!("expected text, then a recording: {parts:?}"),
            },
            content => panic!("{content:?}"),
        }
    }

    #[test]
    fn the_words_are_the_official_ones() {
        let recording = Media::audio(vec![0]);
        let written = Conversation::new().transcribe(recording.clone());
        assert_eq!(
            text(&written),
            "Transcribe the following speech segment in its original language. Follow these specific instructions \
             for formatting the answer:\n* Only output the transcription, with no newlines.\n* When transcribing \
             numbers, write the digits, i.e. write 1.7 and not one point seven, and write 3 instead of three."
        );
        let english = Conversation::new().transcribe_from(recording.clone(), "English");
        assert!(text(&english).starts_with(
            "Transcribe the following speech segment in English into English text. Follow these specific"
        ));
        let translated = Conversation::new().translate(recording, "English", "Korean");
        assert_eq!(
            text(&translated),
            "Transcribe the following speech segment in English, then translate it into Korean. When formatting the \
             answer, first output the transcription in English, then one newline, then output the string 'Korean: ', \
             then the translation in Korean."
        );
    }
}
