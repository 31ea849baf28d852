//! What a turn is worth: the rows of the table that it counts for, and whether it is right.

use anyhow::bail;
use lapidary::Role;
use serde::{Deserialize, Serialize};

use crate::cases::{self, Turn};
use crate::heard::Heard;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// Name and all arguments of every call, and nothing else called.
    Calls,
    /// Nothing called.
    NoCall,
    /// The words for that.
    NoFit,
    /// The answer after a tool's result.
    Results,
    /// The answer after a tool's error.
    Errors,
    /// A thought where it is asked for, and nowhere else.
    Thinking,
    /// Nothing malformed, and an end.
    WellFormed,
    /// About itself, small facts, and what it does not know.
    SmallTalk,
    /// What was said before.
    Memory,
    /// Made-up words, given back as they are.
    Repeat,
    /// What the system message asks for.
    Instructions,
    /// Of objects in a picture.
    Colour,
    /// Of objects in a picture.
    Shape,
    /// Of objects in a picture.
    Count,
    /// Of an object in a picture.
    Position,
    /// All that can be said of a picture.
    Picture,
    /// The same of two pictures, in order.
    Pictures,
    /// Spoken digits: word errors.
    Digits,
    /// Spoken commands: word errors.
    Commands,
    /// Where an object in a video goes.
    Direction,
    /// All that can be said of a video.
    Video,
}

/// What a row has to reach, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bar {
    /// Right ones of all.
    AtLeast(f64),
    /// Word errors of all words.
    AtMost(f64),
}

impl Row {
    /// In the order of the table.
    pub const ALL: [Self; 21] = [
        Self::Calls,
        Self::NoCall,
        Self::NoFit,
        Self::Results,
        Self::Errors,
        Self::Thinking,
        Self::WellFormed,
        Self::SmallTalk,
        Self::Memory,
        Self::Repeat,
        Self::Instructions,
        Self::Colour,
        Self::Shape,
        Self::Count,
        Self::Position,
        Self::Picture,
        Self::Pictures,
        Self::Digits,
        Self::Commands,
        Self::Direction,
        Self::Video,
    ];

    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "tool calls exactly right",
            Self::NoCall => "no call where none fits",
            Self::NoFit => "says that no tool fits",
            Self::Results => "answers that use the tool's result",
            Self::Errors => "errors of a tool told",
            Self::Thinking => "thinking on or off obeyed",
            Self::WellFormed => "well-formed output",
            Self::SmallTalk => "small talk",
            Self::Memory => "remembers earlier turns",
            Self::Repeat => "made-up words given back",
            Self::Instructions => "system instructions",
            Self::Colour => "picture: colour",
            Self::Shape => "picture: shape",
            Self::Count => "picture: count",
            Self::Position => "picture: position",
            Self::Picture => "picture: described",
            Self::Pictures => "two pictures",
            Self::Digits => "spoken digits: word errors",
            Self::Commands => "spoken commands: word errors",
            Self::Direction => "video: direction",
            Self::Video => "video: described",
        }
    }

    /// What it has to reach.
    pub fn bar(self) -> Option<Bar> {
        match self {
            Self::Calls | Self::NoCall | Self::Results | Self::Errors => Some(Bar::AtLeast(95.0)),
            Self::Thinking => Some(Bar::AtLeast(100.0)),
            Self::WellFormed => Some(Bar::AtLeast(99.0)),
            Self::Colour | Self::Shape => Some(Bar::AtLeast(95.0)),
            Self::Count | Self::Position | Self::Direction | Self::Instructions => {
                Some(Bar::AtLeast(90.0))
            }
            Self::Digits => Some(Bar::AtMost(5.0)),
            Self::NoFit
            | Self::SmallTalk
            | Self::Memory
            | Self::Repeat
            | Self::Picture
            | Self::Pictures
            | Self::Commands
            | Self::Video => None,
        }
    }

    /// Whether it counts errors of words, where all others count right turns.
    pub fn counts_errors(self) -> bool {
        matches!(self, Self::Digits | Self::Commands)
    }
}

/// What one turn adds to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which row.
    pub row: Row,
    /// Right turns; in rows that count errors, word errors.
    pub count: usize,
    /// Turns, or words.
    pub of: usize,
}

impl Mark {
    fn turn(row: Row, right: bool) -> Self {
        Self {
            row,
            count: usize::from(right),
            of: 1,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.count == if self.row.counts_errors() { 0 } else { self.of }
    }
}

/// Everything that one turn counts for.
///
/// # Errors
/// For a skill that has no row.
pub fn marks(turn: &Turn<'_>, heard: &Heard) -> anyhow::Result<Vec<Mark>> {
    let thinks = heard
        .thought
        .as_ref()
        .is_some_and(|thought| !thought.trim().is_empty());
    let says = !heard.text.trim().is_empty() || !heard.calls.is_empty();
    let mut marks = content(turn, heard)?;
    marks.push(Mark::turn(Row::Thinking, thinks == turn.thinks()));
    let well_formed = heard.malformed.is_empty() && heard.is_ended && says;
    marks.push(Mark::turn(Row::WellFormed, well_formed));
    Ok(marks)
}

fn content(turn: &Turn<'_>, heard: &Heard) -> anyhow::Result<Vec<Mark>> {
    let expected = cases::text(turn.expected());
    let says = Mark::turn(
        row_of(turn)?,
        heard.calls.is_empty() && same(&expected, heard),
    );
    let alike = |words: &[&[&'static str]]| {
        let right = words
            .iter()
            .all(|kind| chosen(&expected, kind) == chosen(&heard.text, kind));
        Mark::turn(says.row, right && heard.calls.is_empty())
    };
    Ok(match says.row {
        Row::Calls => vec![Mark::turn(Row::Calls, same_calls(turn, heard))],
        Row::NoFit => vec![Mark::turn(Row::NoCall, heard.calls.is_empty()), says],
        Row::NoCall => {
            let talk = Row::SmallTalk;
            vec![
                Mark::turn(Row::NoCall, heard.calls.is_empty()),
                Mark { row: talk, ..says },
            ]
        }
        Row::Colour => vec![alike(&[&COLOURS])],
        Row::Shape => vec![alike(&[&SHAPES])],
        Row::Count => vec![alike(&[&NUMBERS])],
        Row::Position => vec![alike(&[&PLACES])],
        Row::Picture | Row::Pictures => vec![alike(&[&COLOURS, &SHAPES, &NUMBERS, &PLACES])],
        Row::Direction => vec![alike(&[&DIRECTIONS])],
        Row::Video => vec![alike(&[&COLOURS, &SHAPES, &NUMBERS, &DIRECTIONS])],
        Row::Digits | Row::Commands => {
            let (wanted, found) = (words(&expected), words(&heard.text));
            vec![Mark {
                row: says.row,
                count: word_errors(&wanted, &found),
                of: wanted.len(),
            }]
        }
        Row::Results
        | Row::Errors
        | Row::Thinking
        | Row::WellFormed
        | Row::SmallTalk
        | Row::Memory
        | Row::Repeat
        | Row::Instructions => vec![says],
    })
}

fn row_of(turn: &Turn<'_>) -> anyhow::Result<Row> {
    if !turn.expected().tool_calls.is_empty() {
        return Ok(Row::Calls);
    }
    let after_tool = turn.asked().is_some_and(|asked| asked.role == Role::Tool);
    Ok(match turn.case.skill.as_str() {
        "tool_error" if after_tool => Row::Errors,
        _ if after_tool => Row::Results,
        "no_fit" => Row::NoFit,
        "no_call" => Row::NoCall,
        "about" | "outside" | "fact" => Row::SmallTalk,
        "memory" => Row::Memory,
        "repeat" => Row::Repeat,
        "instruction" => Row::Instructions,
        "image_colour" => Row::Colour,
        "image_shape" => Row::Shape,
        "image_count" => Row::Count,
        "image_position" => Row::Position,
        "image_two" => Row::Pictures,
        "audio_digits" => Row::Digits,
        "video_direction" => Row::Direction,
        skill if skill.starts_with("image_") => Row::Picture,
        skill if skill.starts_with("audio_") => Row::Commands,
        skill if skill.starts_with("video_") => Row::Video,
        skill => bail!("skill {skill:?} has no row in the table; give it one in `row_of`"),
    })
}

fn same(expected: &str, heard: &Heard) -> bool {
    expected.trim() == heard.text.trim()
}

fn same_calls(turn: &Turn<'_>, heard: &Heard) -> bool {
    let expected = &turn.expected().tool_calls;
    let pairs = expected.iter().zip(&heard.calls);
    expected.len() == heard.calls.len()
        && heard.text.trim().is_empty()
        && pairs
            .into_iter()
            .all(|(a, b)| a.name == b.name && a.arguments == b.arguments)
}

const COLOURS: [&str; 8] = [
    "red", "green", "blue", "yellow", "purple", "orange", "white", "black",
];
const SHAPES: [&str; 6] = ["circle", "square", "triangle", "star", "cross", "ring"];
const NUMBERS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];
const PLACES: [&str; 5] = ["top", "middle", "bottom", "left", "right"];
const DIRECTIONS: [&str; 5] = ["left", "right", "up", "down", "stays"];

/// Lower-case words without punctuation.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The words of one kind in a text, in order; plurals count as their word.
fn chosen(text: &str, kind: &[&'static str]) -> Vec<&'static str> {
    let find = |word: String| {
        let singular = |known: &str| {
            word.strip_prefix(known)
                .is_some_and(|rest| ["", "s", "es"].contains(&rest))
        };
        kind.iter().copied().find(|known| singular(known))
    };
    words(text).into_iter().filter_map(find).collect()
}

/// Words to insert, remove or replace to get from one text to the other.
fn word_errors(expected: &[String], found: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (i, wanted) in expected.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, word) in found.iter().enumerate() {
            let replaced = diagonal + usize::from(wanted != word);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[found.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(expected: &str, found: &str) -> usize {
        word_errors(&words(expected), &words(found))
    }

    #[test]
    fn word_errors_are_the_fewest_edits() {
        assert_eq!(errors("3 1 4", "3 1 4"), 0);
        assert_eq!(errors("3 1 4", "3 4"), 1);
        assert_eq!(errors("3 1 4", "1 4 4"), 2);
        assert_eq!(errors("3 1 4", ""), 3);
        assert_eq!(errors("3", "1 2 3"), 2);
    }

    #[test]
    fn only_words_of_the_kind_are_compared() {
        assert_eq!(chosen("The crosses are Red.", &COLOURS), ["red"]);
        assert_eq!(chosen("two crosses and a ring", &SHAPES), ["cross", "ring"]);
        assert_eq!(chosen("It is in the top left.", &PLACES), ["top", "left"]);
        assert_eq!(chosen("It is red or blue.", &COLOURS), ["red", "blue"]);
    }
}
