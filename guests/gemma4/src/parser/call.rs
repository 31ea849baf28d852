//! One call, from its opening marker to whatever ends it.

use super::arguments::{Arguments, Step};
use super::header;
use super::item::Item;
use super::schema::{Schema, Tools};
use super::sink::{Flaw, Sink};
use crate::template::is_space;
use crate::token;
use lapidary_guest::StopReason;
use std::collections::VecDeque;

/// A call that is being read.
pub struct Call {
    /// Everything since the opening marker, should it turn out malformed.
    raw: String,
    stage: Stage,
    started: Option<Started>,
}

/// A call whose name is known and told.
struct Started {
    index: u32,
    name: String,
    /// Bytes of the arguments' JSON that are told.
    sent: usize,
}

enum Stage {
    Header(String),
    Arguments(Arguments),
    /// The arguments are closed; what came since.
    Tail(Arguments, String),
    /// Beyond repair; the rest is collected up to the end of the call.
    Broken(Flaw),
}

/// Where a call stands after an item.
pub enum Progress {
    Open,
    /// It is over; these items stand behind it.
    Done(Vec<Item>),
}

/// What one item did inside.
enum Turn {
    Open,
    Again(Vec<Item>),
    End(End),
}

/// The end of a call: what stands behind it, and what was wrong with it.
struct End {
    behind: Vec<Item>,
    flaw: Option<Flaw>,
}

/// What a call tells and asks while it is read.
pub struct Surroundings<'a> {
    pub tools: &'a Tools,
    /// Calls begun so far.
    pub calls: &'a mut u32,
    pub sink: &'a mut Sink,
}

impl Call {
    /// Behind the opening marker.
    pub fn new() -> Self {
        let raw = token::CALL_OPEN.to_owned();
        Self {
            raw,
            stage: Stage::Header(String::new()),
            started: None,
        }
    }

    pub fn step(&mut self, item: Item, around: &mut Surroundings) -> Progress {
        item.spell(&mut self.raw);
        let mut queue = VecDeque::from([item]);
        while let Some(item) = queue.pop_front() {
            match self.turn(item, around) {
                Turn::Open => {}
                Turn::Again(items) => {
                    items
                        .into_iter()
                        .rev()
                        .for_each(|item| queue.push_front(item));
                }
                Turn::End(mut end) => {
                    end.behind.extend(queue);
                    self.settle(&end, around);
                    return Progress::Done(end.behind);
                }
            }
        }
        Progress::Open
    }

    /// The output ends inside the call. Gives back what was held and does not belong to it.
    pub fn finish(mut self, reason: StopReason, around: &mut Surroundings) -> Vec<Item> {
        let end = match self.take_stage() {
            Stage::Header(_) => End::flawed(Flaw::Truncated, Vec::new()),
            Stage::Broken(flaw) => End::flawed(flaw, Vec::new()),
            Stage::Tail(arguments, tail) => self.end_call(&arguments, behind_tail(&tail), around),
            Stage::Arguments(mut arguments) => {
                let held = arguments.take_held();
                let ended = reason == StopReason::EndOfTurn || is_close(held.first());
                if ended {
                    self.close(arguments, held, around)
                } else {
                    End::flawed(Flaw::Truncated, held)
                }
            }
        };
        self.settle(&end, around);
        end.behind
    }

    fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Broken(Flaw::BadArguments))
    }

    fn turn(&mut self, item: Item, around: &mut Surroundings) -> Turn {
        match self.take_stage() {
            Stage::Header(header) => self.turn_header(header, item, around),
            Stage::Arguments(arguments) => self.turn_arguments(arguments, item, around),
            Stage::Tail(arguments, tail) => self.turn_tail(arguments, tail, item, around),
            Stage::Broken(flaw) if item.ends_call() => {
                Turn::End(End::flawed(flaw, behind(vec![item])))
            }
            Stage::Broken(flaw) => self.go_on(Stage::Broken(flaw)),
        }
    }

    fn go_on(&mut self, stage: Stage) -> Turn {
        self.stage = stage;
        Turn::Open
    }

    fn turn_header(&mut self, mut header: String, item: Item, around: &mut Surroundings) -> Turn {
        let blank = header.trim_matches(is_space).is_empty();
        match item {
            Item::Char('{') => return self.begin(&header, '}', around),
            Item::Char('(') => return self.begin(&header, ')', around),
            Item::Char(_) if header.len() > header::LENGTH_MAX => {
                return self.go_on(Stage::Broken(Flaw::BadName));
            }
            Item::Char(c) => header.push(c),
            Item::Token(token::QUOTE) => header.push('"'),
            // The opening marker twice is once.
            Item::Token(token::CALL_OPEN) if blank => {}
            Item::Token(_) if item.ends_call() => return self.end_header(&header, item, around),
            Item::Token(_) => return self.go_on(Stage::Broken(Flaw::BadName)),
        }
        self.go_on(Stage::Header(header))
    }

    fn begin(&mut self, header: &str, closer: char, around: &mut Surroundings) -> Turn {
        let stage = match header::read(header, |name| around.tools.declares(name)) {
            Ok(Some(written)) => {
                let schema = self.start(&written.name, around);
                Stage::Arguments(Arguments::new(closer, schema))
            }
            // A JSON object that names the tool itself.
            Ok(None) if closer == '}' => {
                Stage::Arguments(Arguments::new(closer, Schema::default()))
            }
            Ok(None) => Stage::Broken(Flaw::NoName),
            Err(flaw) => Stage::Broken(flaw),
        };
        self.go_on(stage)
    }

    /// A call without braces has no arguments, if it was meant to be one.
    fn end_header(&mut self, header: &str, item: Item, around: &mut Surroundings) -> Turn {
        let flaw = match header::read(header, |name| around.tools.declares(name)) {
            Ok(Some(written)) if is_close(Some(&item)) => {
                if written.marked || around.tools.declares(&written.name) {
                    self.start(&written.name, around);
                    let mut arguments = Arguments::new('}', Schema::default());
                    return match arguments.close(true) {
                        Ok(()) => {
                            self.tell(&arguments, around);
                            Turn::End(self.end_call(&arguments, Vec::new(), around))
                        }
                        Err(flaw) => Turn::End(End::flawed(flaw, Vec::new())),
                    };
                }
                Flaw::BadName
            }
            Ok(Some(_)) => Flaw::Truncated,
            Ok(None) => Flaw::NoName,
            Err(flaw) => flaw,
        };
        Turn::End(End::flawed(flaw, behind(vec![item])))
    }

    fn start(&mut self, written: &str, around: &mut Surroundings) -> Schema {
        let (name, schema) = around.tools.resolve(written);
        let index = *around.calls;
        *around.calls += 1;
        around.sink.call_start(index, &name);
        self.started = Some(Started {
            index,
            name,
            sent: 0,
        });
        schema
    }

    fn turn_arguments(
        &mut self,
        mut arguments: Arguments,
        item: Item,
        around: &mut Surroundings,
    ) -> Turn {
        if item.ends_call() && !arguments.in_string() {
            return Turn::End(self.close(arguments, vec![item], around));
        }
        let step = arguments.step(item);
        self.tell(&arguments, around);
        match step {
            Ok(Step::Open) => self.go_on(Stage::Arguments(arguments)),
            Ok(Step::Closed) => self.go_on(Stage::Tail(arguments, String::new())),
            Ok(Step::Again(items)) => {
                self.stage = Stage::Arguments(arguments);
                Turn::Again(items)
            }
            Ok(Step::Unclosed(items)) => Turn::End(self.close(arguments, items, around)),
            Err(flaw) => self.go_on(Stage::Broken(flaw)),
        }
    }

    fn tell(&mut self, arguments: &Arguments, around: &mut Surroundings) {
        if let Some(started) = &mut self.started {
            let json = arguments.json();
            around.sink.call_delta(started.index, &json[started.sent..]);
            started.sent = json.len();
        }
    }

    /// Ends open arguments at a marker, the first of `items`; none is the end of the output.
    fn close(
        &mut self,
        mut arguments: Arguments,
        items: Vec<Item>,
        around: &mut Surroundings,
    ) -> End {
        let closed = arguments.close(is_close(items.first()));
        let behind = behind(items);
        match closed {
            Ok(()) => {
                self.tell(&arguments, around);
                self.end_call(&arguments, behind, around)
            }
            Err(flaw) => End::flawed(flaw, behind),
        }
    }

    /// Behind the arguments: the end, another call in the same brackets, or text.
    fn turn_tail(
        &mut self,
        arguments: Arguments,
        mut tail: String,
        item: Item,
        around: &mut Surroundings,
    ) -> Turn {
        match item {
            Item::Char(c) => tail.push(c),
            Item::Token(token::QUOTE | token::CHANNEL_CLOSE) => {}
            Item::Token(_) => {
                let mut items = behind_tail(&tail);
                items.extend(behind(vec![item]));
                return Turn::End(self.end_call(&arguments, items, around));
            }
        }
        let tail = without_closers(&tail).to_owned();
        if tail == NEXT_CALL {
            let mut items = vec![Item::Token(token::CALL_OPEN)];
            items.extend(behind_tail(&tail));
            return Turn::End(self.end_call(&arguments, items, around));
        }
        if NEXT_CALL.starts_with(&tail) {
            return self.go_on(Stage::Tail(arguments, tail));
        }
        Turn::End(self.end_call(&arguments, behind_tail(&tail), around))
    }

    fn end_call(
        &mut self,
        arguments: &Arguments,
        behind: Vec<Item>,
        around: &mut Surroundings,
    ) -> End {
        let json = arguments.json();
        if let Some(Started { index, name, .. }) = &self.started {
            around.sink.call_end(*index, name, json);
            return End { behind, flaw: None };
        }
        let Some((name, json)) = header::self_naming(json) else {
            return End::flawed(Flaw::NoName, behind);
        };
        self.start(&name, around);
        if let Some(Started { index, name, .. }) = &self.started {
            around.sink.call_delta(*index, &json);
            around.sink.call_end(*index, name, &json);
        }
        End { behind, flaw: None }
    }

    /// Reports a flaw with what the model wrote, up to what stands behind.
    fn settle(&self, end: &End, around: &mut Surroundings) {
        let Some(flaw) = end.flaw else { return };
        let mut rest = String::new();
        end.behind.iter().for_each(|item| item.spell(&mut rest));
        around
            .sink
            .malformed(self.raw.strip_suffix(&rest).unwrap_or(&self.raw), flaw);
    }
}

impl End {
    fn flawed(flaw: Flaw, behind: Vec<Item>) -> Self {
        Self {
            behind,
            flaw: Some(flaw),
        }
    }
}

/// What begins another call without a marker of its own.
const NEXT_CALL: &str = "call:";

fn is_close(item: Option<&Item>) -> bool {
    item == Some(&Item::Token(token::CALL_CLOSE))
}

/// Without the closing marker, which belongs to the call.
fn behind(mut items: Vec<Item>) -> Vec<Item> {
    if is_close(items.first()) {
        items.remove(0);
    }
    items
}

/// Too many closers belong to the call.
fn without_closers(tail: &str) -> &str {
    tail.trim_start_matches(|c| is_space(c) || matches!(c, '}' | ')' | ']' | ',' | ';'))
}

fn behind_tail(tail: &str) -> Vec<Item> {
    without_closers(tail).chars().map(Item::Char).collect()
}
