//! What a template wrote, taken apart: control tokens, media places, and text.

use std::io;

use lapidary_guest::{MediaKind, Piece};

use crate::stand_in::StandIns;

/// A stretch of a template's output.
#[derive(Debug, PartialEq, Eq)]
pub enum Stretch {
    /// One control token.
    Control(String),
    /// Text, whoever wrote it.
    Text(String),
    /// Where a media item goes.
    Media(MediaKind),
}

/// Splits output at the stand-ins.
pub fn stretches(output: &str, stand_ins: &StandIns) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut text = String::new();
    for character in output.chars() {
        let Some(spelling) = stand_ins.spelling(character) else {
            text.push(character);
            continue;
        };
        push_text(&mut found, &mut text);
        found.push(match kind(spelling) {
            Some(kind) => Stretch::Media(kind),
            None => Stretch::Control(spelling.to_owned()),
        });
    }
    push_text(&mut found, &mut text);
    found
}

fn push_text(found: &mut Vec<Stretch>, text: &mut String) {
    if !text.is_empty() {
        found.push(Stretch::Text(std::mem::take(text)));
    }
}

/// The media item whose place a control token marks.
fn kind(spelling: &str) -> Option<MediaKind> {
    match spelling {
        "<|image|>" => Some(MediaKind::Image),
        "<|audio|>" => Some(MediaKind::Audio),
        "<|video|>" => Some(MediaKind::Video),
        _ => None,
    }
}

/// The role line of the model's turn.
const OPENING: &str = "model\n";

/// Where the model's turn stands open, as an index into `pieces`; text behind `model\n` becomes a piece of its
/// own.
pub fn open_turn(pieces: &mut Vec<Piece>) -> u32 {
    let mut open = None;
    for (at, piece) in pieces.iter().enumerate() {
        open = match control(piece) {
            Some("<|turn>") => pieces.get(at + 1).and_then(role_line).map(|_| at + 2),
            Some("<turn|>" | "<|tool_response>") => None,
            Some("<tool_response|>") => Some(at + 1),
            // A thought outside of any turn: the model goes on behind results that were followed by text.
            Some("<|channel>") => open.or(Some(at)),
            _ => open,
        };
    }
    let open = open.unwrap_or(pieces.len());
    part_role_line(pieces, open);
    u32::try_from(open).unwrap_or(u32::MAX)
}

fn control(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Control(text) => Some(text),
        Piece::Data(_) | Piece::Media(_) => None,
    }
}

/// What stands behind the model's role line in a piece that begins with it.
fn role_line(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Data(text) => text.strip_prefix(OPENING),
        Piece::Control(_) | Piece::Media(_) => None,
    }
}

/// Cuts the piece before `open` behind its role line, if it has one.
fn part_role_line(pieces: &mut Vec<Piece>, open: usize) {
    let Some([marker, line]) = open.checked_sub(2).and_then(|at| pieces.get_mut(at..open)) else {
        return;
    };
    let said = role_line(line).unwrap_or_default().to_owned();
    if control(marker) == Some("<|turn>") && !said.is_empty() {
        *line = Piece::Data(OPENING.to_owned());
        pieces.insert(open, Piece::Data(said));
    }
}

/// Takes output up to a bound.
pub struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Bounded {
    /// Empty.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max,
        }
    }

    /// What was written.
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            let detail = format!("expected a prompt of at most {} bytes", self.bytes_max);
            return Err(io::Error::other(detail));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, open_turn};
    use lapidary_guest::Piece;
    use std::io::Write;

    fn control(text: &str) -> Piece {
        Piece::Control(text.to_owned())
    }

    fn data(text: &str) -> Piece {
        Piece::Data(text.to_owned())
    }

    #[test]
    fn the_open_turn_is_found() {
        let asked = [control("<|turn>"), data("user\nQ"), control("<turn|>")];
        for (behind, open) in [
            (vec![], 3),
            (vec![control("<|turn>"), data("model\n")], 5),
            (vec![control("<|turn>"), data("model\nSo")], 5),
            (
                vec![
                    control("<|turn>"),
                    data("model\n"),
                    control("<|tool_response>"),
                ],
                6,
            ),
            (
                vec![
                    control("<|turn>"),
                    data("model\n"),
                    control("<|tool_response>"),
                    control("<tool_response|>"),
                    control("<|channel>"),
                ],
                7,
            ),
            (vec![control("<|channel>")], 3),
        ] {
            let mut pieces = [&asked[..], &behind].concat();
            assert_eq!(open_turn(&mut pieces), open, "{behind:?}");
        }
    }

    #[test]
    fn what_stands_behind_the_role_line_is_a_piece_of_its_own() {
        let mut pieces = vec![control("<|turn>"), data("model\nSo")];
        let past = [data("model\nSo"), control("<turn|>"), control("<|turn>")];
        pieces.splice(1..1, past);
        assert_eq!(open_turn(&mut pieces), 5);
        assert_eq!(
            pieces[1..],
            [
                data("model\nSo"),
                control("<turn|>"),
                control("<|turn>"),
                data("model\n"),
                data("So"),
            ]
        );
    }

    #[test]
    fn output_beyond_the_bound_is_refused() {
        let mut out = Bounded::new(3);
        assert!(out.write_all(b"abc").is_ok());
        assert!(out.write_all(b"d").is_err());
        assert_eq!(out.text(), "abc");
    }
}
