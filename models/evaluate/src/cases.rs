//! Held-out conversations from a folder: `cases.jsonl` and the media files that it names.

use std::path::Path;

use anyhow::{Context, ensure};
use lapidary::{ChatOptions, Content, Conversation, Message, Part, Sampling, Thinking, ToolSpec};
use serde::Deserialize;
use serde_json::Value;

/// Far over what any expected turn has: a model that goes on for so long does not end.
const TURN_TOKENS_MAX: usize = 256;

/// One line of `cases.jsonl`. What else a line has is for Python.
#[derive(Deserialize)]
struct Line {
    skill: String,
    thinking: bool,
    media: Vec<String>,
    tools: Vec<Value>,
    messages: Value,
    turns: Vec<usize>,
}

/// One conversation as it should go.
pub struct Case {
    /// Its place in the file, from 0.
    pub number: usize,
    /// What it is about, such as `tool_call` or `image_colour`.
    pub skill: String,
    /// All messages, those of the model included, with the media in place.
    pub conversation: Conversation,
    /// Indices of the model's messages that are asked for.
    pub turns: Vec<usize>,
    thinking: Thinking,
    tools: Vec<ToolSpec>,
}

/// One message that the model is asked for.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// The conversation that it belongs to.
    pub case: &'a Case,
    /// Its index among the messages.
    pub index: usize,
}

impl Turn<'_> {
    /// What the model should say.
    pub fn expected(&self) -> &Message {
        &self.case.conversation.messages[self.index]
    }

    /// The message before it.
    pub fn asked(&self) -> Option<&Message> {
        let before = self.index.checked_sub(1)?;
        self.case.conversation.messages.get(before)
    }

    /// Whether it should think.
    pub fn thinks(&self) -> bool {
        self.case.thinking == Thinking::On
    }

    /// What was said before it.
    pub fn before(&self) -> Conversation {
        Conversation {
            messages: self.case.conversation.messages[..self.index].to_vec(),
        }
    }

    /// The likeliest answer; calls come back to the caller.
    pub fn options(&self) -> ChatOptions {
        ChatOptions {
            sampling: Some(Sampling::greedy()),
            thinking: self.case.thinking,
            tools: self.case.tools.clone(),
            max_tokens: Some(TURN_TOKENS_MAX),
            ..ChatOptions::default()
        }
    }
}

impl Case {
    /// The messages that are asked for, in order.
    pub fn turns(&self) -> impl Iterator<Item = Turn<'_>> {
        self.turns.iter().map(|&index| Turn { case: self, index })
    }
}

/// All cases of a folder, media read.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let path = folder.join("cases.jsonl");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: cannot be read", path.display()))?;
    let lines = text.lines().enumerate();
    lines
        .map(|(number, line)| {
            case(folder, number, line).with_context(|| format!("{}:{}", path.display(), number + 1))
        })
        .collect()
}

fn case(folder: &Path, number: usize, line: &str) -> anyhow::Result<Case> {
    let line: Line = serde_json::from_str(line)?;
    let mut conversation = Conversation::from_json(&line.messages)?;
    place_media(folder, &line.media, &mut conversation)?;
    let count = conversation.messages.len();
    ensure!(
        line.turns.iter().all(|&turn| turn < count),
        "expected turns below {count}, the number of messages, found {:?}",
        line.turns
    );
    let tools = line.tools.iter().map(ToolSpec::from_json);
    Ok(Case {
        number,
        skill: line.skill,
        conversation,
        turns: line.turns,
        thinking: if line.thinking {
            Thinking::On
        } else {
            Thinking::Off
        },
        tools: tools.collect::<Result<_, _>>()?,
    })
}

/// Puts the files into the parts that stand for them, in order.
fn place_media(
    folder: &Path,
    names: &[String],
    conversation: &mut Conversation,
) -> anyhow::Result<()> {
    let places = conversation.media().count();
    ensure!(
        places == names.len(),
        "expected {places} media files, found {}",
        names.len()
    );
    for (media, name) in conversation.media_mut().zip(names) {
        let path = folder.join(name);
        let bytes =
            std::fs::read(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        media.bytes = bytes.into();
    }
    Ok(())
}

/// The text of a message, without its media.
pub fn text(message: &Message) -> String {
    let of_part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Media(_) => String::new(),
    };
    match &message.content {
        Some(Content::Text(text)) => text.clone(),
        Some(Content::Parts(parts)) => parts.iter().map(of_part).collect(),
        Some(Content::Structured(value)) => value.to_string(),
        None => String::new(),
    }
}
