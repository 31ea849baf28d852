//! What the model writes to typed events.

mod arguments;
mod bare;
mod call;
mod header;
mod item;
mod machine;
mod region;
mod scalar;
mod schema;
mod sink;
mod string;

use crate::token;
pub use header::is_callable;
use item::Item;
use lapidary_guest::{Error, ErrorKind, Event, OpenRequest, Parser, StopReason, TokenPiece};
use machine::Machine;
use schema::Tools;

/// Reads one generation.
pub struct Reader {
    machine: Machine,
    finished: bool,
}

impl Reader {
    /// A reader in the state that the prompt leaves.
    #[must_use]
    pub fn open(request: &OpenRequest) -> Self {
        let mut machine = Machine::new(Tools::new(&request.tools));
        let mut items = Vec::new();
        for piece in &request.prefix {
            item::each(piece, |item| items.push(item));
        }
        machine.prime(open_turn(&items));
        Self {
            machine,
            finished: false,
        }
    }

    fn refuse_after_end(&self) -> Result<(), Error> {
        if !self.finished {
            return Ok(());
        }
        let message = "parser: expected nothing after finish, found another call";
        Err(Error::new(
            ErrorKind::InvalidInput,
            "parser.finished",
            message,
        ))
    }
}

impl Parser for Reader {
    fn push(&mut self, pieces: Vec<TokenPiece>) -> Result<Vec<Event>, Error> {
        self.refuse_after_end()?;
        for piece in &pieces {
            item::each(piece, |item| self.machine.take(item));
        }
        Ok(self.machine.events())
    }

    fn finish(&mut self, reason: StopReason) -> Result<Vec<Event>, Error> {
        self.refuse_after_end()?;
        self.finished = true;
        self.machine.finish(reason);
        Ok(self.machine.events())
    }
}

/// What stands behind the last place where a prompt gives the word to the model.
fn open_turn(items: &[Item]) -> &[Item] {
    let start = (0..items.len()).rev().find_map(|at| match items[at] {
        Item::Token(token::RESPONSE_CLOSE) => Some(at + 1),
        Item::Token(token::TURN_OPEN) if items[at + 1..].starts_with(&MODEL) => {
            Some(at + 1 + MODEL.len())
        }
        Item::Token(_) | Item::Char(_) => None,
    });
    &items[start.unwrap_or(0)..]
}

/// The role line of the model's turn.
const MODEL: [Item; 6] = [
    Item::Char('m'),
    Item::Char('o'),
    Item::Char('d'),
    Item::Char('e'),
    Item::Char('l'),
    Item::Char('\n'),
];
