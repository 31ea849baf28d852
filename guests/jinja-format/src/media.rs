//! Which media item goes where: a template writes the same placeholder for each.

use lapidary_guest::{Content, Error, MediaKind, MediaRef, Message, Part};

use crate::fault::invalid;
use crate::output::Stretch;

/// The conversation's media, in order.
pub fn of(messages: &[Message]) -> Vec<MediaRef> {
    let parts = messages.iter().flat_map(|message| match &message.content {
        Some(Content::Parts(parts)) => parts.as_slice(),
        Some(Content::Text(_) | Content::Structured(_)) | None => &[],
    });
    let media = parts.filter_map(|part| match part {
        Part::Media(media) => Some(*media),
        Part::Text(_) => None,
    });
    media.collect()
}

/// How many placeholders of a kind there are.
pub fn count(stretches: &[Stretch], kind: MediaKind) -> usize {
    stretches
        .iter()
        .filter(|stretch| **stretch == Stretch::Media(kind))
        .count()
}

/// Whether every item of the conversation has a place.
pub fn all_shown(media: &[MediaRef], stretches: &[Stretch]) -> bool {
    [MediaKind::Image, MediaKind::Audio, MediaKind::Video]
        .into_iter()
        .all(|kind| {
            let items = media.iter().filter(|item| item.kind == kind).count();
            items == count(stretches, kind)
        })
}

/// The messages without one item; an empty text is in its place.
pub fn without(messages: &[Message], index: u32) -> Vec<Message> {
    let mut messages = messages.to_vec();
    for message in &mut messages {
        let Some(Content::Parts(parts)) = &mut message.content else {
            continue;
        };
        for part in parts {
            if matches!(part, Part::Media(media) if media.index == index) {
                *part = Part::Text(String::new());
            }
        }
    }
    messages
}

/// Takes the items of a kind in order.
pub struct Places(Vec<MediaRef>);

impl Places {
    /// For the items that the template shows, in order.
    pub fn new(shown: Vec<MediaRef>) -> Self {
        Self(shown)
    }

    /// The next item of a kind.
    pub fn next(&mut self, kind: MediaKind) -> Result<MediaRef, Error> {
        let at = self.0.iter().position(|item| item.kind == kind);
        at.map(|at| self.0.remove(at)).ok_or_else(|| {
            let message = "the template writes more places for media than the messages have media";
            invalid("foreign-media", message)
        })
    }
}
