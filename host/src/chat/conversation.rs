//! What was said so far.

use std::sync::Arc;

use super::tool::{ToolCall, ToolResult};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// OpenAI's newer name for [`Role::System`].
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// What a media item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A recording.
    Audio,
    /// Moving pictures.
    Video,
}

/// An image, a recording or a video, as the bytes of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// The file's bytes, in its own format.
    pub bytes: Arc<[u8]>,
    /// The most soft tokens an image or a frame may take: 70, 140, 280, 560 or 1120. `None`: the bundle's default,
    /// for frames 70.
    pub budget: Option<u32>,
    /// What of a video is looked at and heard.
    pub video: VideoView,
}

/// What of a video the model gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoView {
    /// So many frames, evenly spread over a video of any length; the reference takes 32. `None`: one a second of
    /// at most a minute.
    pub frame_count: Option<usize>,
    /// Its sound too, after its frames, if it has any. Only for models that hear.
    pub sound: bool,
}

impl Media {
    /// A picture: the bytes of a PNG, JPEG or other image file.
    pub fn image(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            kind: MediaKind::Image,
            bytes: bytes.into(),
            budget: None,
            video: VideoView::default(),
        }
    }

    /// A recording: the bytes of a WAV file.
    pub fn audio(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            kind: MediaKind::Audio,
            bytes: bytes.into(),
            budget: None,
            video: VideoView::default(),
        }
    }

    /// A video: the bytes of a GIF, APNG, animated WebP, or of a movie, which an installed `ffmpeg` reads.
    pub fn video(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            kind: MediaKind::Video,
            bytes: bytes.into(),
            budget: None,
            video: VideoView::default(),
        }
    }

    /// The same video with so many frames, evenly spread.
    pub fn with_frames(mut self, frame_count: usize) -> Self {
        self.video.frame_count = Some(frame_count);
        self
    }

    /// The same video with its sound.
    pub fn with_sound(mut self) -> Self {
        self.video.sound = true;
        self
    }

    /// The same item with a bound on its soft tokens.
    pub fn with_budget(mut self, soft_tokens_max: u32) -> Self {
        self.budget = Some(soft_tokens_max);
        self
    }
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture, recording or video, in its place.
    Media(Media),
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text and media, in order.
    Parts(Vec<Part>),
    /// A JSON object, as some tools return it.
    Structured(serde_json::Value),
}

impl Content {
    /// Bytes of text in it; media do not count.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Parts(parts) => parts.iter().map(Part::text_bytes).sum(),
            Self::Structured(value) => value.to_string().len(),
        }
    }
}

impl Part {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Media(_) => 0,
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// On a tool's result: the tool's name, where no call id tells it.
    pub name: Option<String>,
    /// `None` where the message only carries calls.
    pub content: Option<Content>,
    /// What the model thought before it spoke.
    pub reasoning: Option<String>,
    /// The calls the model made.
    pub tool_calls: Vec<ToolCall>,
    /// On a tool's result: the call it answers.
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message with text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            name: None,
            content: Some(Content::Text(text.into())),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// A message of several parts.
    pub fn of_parts(role: Role, parts: Vec<Part>) -> Self {
        Self {
            content: Some(Content::Parts(parts)),
            ..Self::new(role, "")
        }
    }

    /// The model's turn: what it thought, said and called.
    pub fn assistant(
        text: Option<String>,
        reasoning: Option<String>,
        calls: Vec<ToolCall>,
    ) -> Self {
        Self {
            content: text.map(Content::Text),
            reasoning,
            tool_calls: calls,
            ..Self::new(Role::Assistant, "")
        }
    }

    /// A tool's result, as the next prompt shows it to the model.
    pub fn tool(result: &ToolResult) -> Self {
        Self {
            name: Some(result.name.clone()),
            content: Some(result.content.clone()),
            tool_call_id: Some(result.id.clone()),
            ..Self::new(Role::Tool, "")
        }
    }

    /// The message's media, in order.
    pub fn media(&self) -> impl Iterator<Item = &Media> {
        let parts = match &self.content {
            Some(Content::Parts(parts)) => parts.as_slice(),
            Some(Content::Text(_) | Content::Structured(_)) | None => &[],
        };
        parts.iter().filter_map(|part| match part {
            Part::Media(media) => Some(media),
            Part::Text(_) => None,
        })
    }

    /// Bytes of text in the message, calls and thoughts included.
    pub fn text_bytes(&self) -> usize {
        let content = self.content.as_ref().map_or(0, Content::text_bytes);
        let calls: usize = self
            .tool_calls
            .iter()
            .map(|call| call.arguments.to_string().len())
            .sum();
        content + calls + self.reasoning.as_ref().map_or(0, String::len)
    }
}

/// Messages in order.
///
/// ```
/// use lapidary::Conversation;
/// let conversation = Conversation::new().system("Answer in one word.").user("What colour is snow?");
/// assert_eq!(conversation.messages.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// An empty conversation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the operator's instructions.
    pub fn system(self, text: impl Into<String>) -> Self {
        self.with(Message::new(Role::System, text))
    }

    /// Adds what the person says.
    pub fn user(self, text: impl Into<String>) -> Self {
        self.with(Message::new(Role::User, text))
    }

    /// Adds what the person says about some media, which come first.
    pub fn user_with(
        self,
        media: impl IntoIterator<Item = Media>,
        text: impl Into<String>,
    ) -> Self {
        let mut parts: Vec<Part> = media.into_iter().map(Part::Media).collect();
        parts.push(Part::Text(text.into()));
        self.with(Message::of_parts(Role::User, parts))
    }

    /// Adds any message.
    pub fn with(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// As [`Conversation::media`], to change them.
    pub fn media_mut(&mut self) -> impl Iterator<Item = &mut Media> {
        let contents = self
            .messages
            .iter_mut()
            .filter_map(|message| match &mut message.content {
                Some(Content::Parts(parts)) => Some(parts.iter_mut()),
                Some(Content::Text(_) | Content::Structured(_)) | None => None,
            });
        contents.flatten().filter_map(|part| match part {
            Part::Media(media) => Some(media),
            Part::Text(_) => None,
        })
    }

    /// Every media item, in the order in which prompts number them.
    pub fn media(&self) -> impl Iterator<Item = &Media> {
        self.messages.iter().flat_map(Message::media)
    }
}

impl From<&str> for Conversation {
    fn from(text: &str) -> Self {
        Self::new().user(text)
    }
}
