//! Collects prompt pieces and remembers where the model's turn stands open.

use lapidary_guest::{MediaRef, Piece, Rendered};

/// Prompt pieces under construction.
#[derive(Default)]
pub struct Writer {
    pieces: Vec<Piece>,
    /// Piece counts at which the model's turn opened or closed, in order.
    borders: Vec<Border>,
    /// The next piece starts anew even if it is of the same kind.
    divided: bool,
}

#[derive(Clone, Copy)]
enum Border {
    Open(usize),
    Close(usize),
}

impl Writer {
    /// A marker that the template writes.
    pub fn control(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Control(last)) if !self.divided => last.push_str(text),
            _ => self.add(Piece::Control(text.to_owned()), text),
        }
    }

    /// Anything that came from a message, a tool or a person.
    pub fn data(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Data(last)) if !self.divided => last.push_str(text),
            _ => self.add(Piece::Data(text.to_owned()), text),
        }
    }

    /// The place of a media item.
    pub fn media(&mut self, media: MediaRef) {
        self.pieces.push(Piece::Media(media));
        self.divided = false;
    }

    /// From here on the model speaks.
    pub fn open(&mut self) {
        self.borders.push(Border::Open(self.pieces.len()));
        self.divided = true;
    }

    /// The model's turn ended.
    pub fn close(&mut self) {
        // The closing marker may become part of the piece before it.
        let joins = matches!(self.pieces.last(), Some(Piece::Control(_))) && !self.divided;
        self.borders
            .push(Border::Close(self.pieces.len() - usize::from(joins)));
    }

    /// The prompt.
    pub fn finish(self) -> Rendered {
        self.finish_at(usize::MAX)
    }

    /// The prompt's first pieces only; a turn that closed behind them is open.
    pub fn finish_at(mut self, piece_count: usize) -> Rendered {
        self.pieces.truncate(piece_count);
        let count = self.pieces.len();
        let open = self.borders.iter().rev().find_map(|border| match *border {
            Border::Open(at) if at <= count => Some(at),
            Border::Close(at) if at < count => Some(count),
            Border::Open(_) | Border::Close(_) => None,
        });
        let open_turn = u32::try_from(open.unwrap_or(count)).unwrap_or(u32::MAX);
        Rendered {
            pieces: self.pieces,
            open_turn,
        }
    }

    /// The pieces so far, for cutting.
    pub fn pieces_mut(&mut self) -> &mut Vec<Piece> {
        &mut self.pieces
    }

    fn add(&mut self, piece: Piece, text: &str) {
        if !text.is_empty() {
            self.pieces.push(piece);
            self.divided = false;
        }
    }
}
