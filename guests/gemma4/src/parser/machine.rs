//! One state machine for thought, text and calls.

use super::call::{Call, Progress, Surroundings};
use super::item::Item;
use super::region::{Label, Labelled, Trimmer};
use super::schema::Tools;
use super::sink::{Flaw, Sink};
use crate::token;
use lapidary_guest::{Event, StopReason};
use std::collections::VecDeque;

/// Turns items into events.
pub struct Machine {
    state: State,
    text: Trimmer,
    thought: Trimmer,
    tools: Tools,
    sink: Sink,
    /// Calls begun so far.
    calls: u32,
    /// Items that a broken call gave back.
    queue: VecDeque<Item>,
}

enum State {
    /// Nothing came yet: a thought may begin without its opener.
    Start(Label),
    Text,
    /// Behind the opener of a channel.
    Label(Label),
    Thought,
    Call(Box<Call>),
    /// A turn was opened: its role, up to the end of the line.
    Role {
        role: String,
        first: bool,
    },
    /// The turn ended; what came behind.
    Ended(String),
}

impl Machine {
    pub fn new(tools: Tools) -> Self {
        Self {
            state: State::Start(Label::default()),
            text: Trimmer::new(""),
            thought: Trimmer::new("\n"),
            tools,
            sink: Sink::default(),
            calls: 0,
            queue: VecDeque::new(),
        }
    }

    /// Brings the machine into the state that a prompt leaves; the prompt's own events are gone.
    pub fn prime(&mut self, items: &[Item]) {
        for item in items {
            self.take(*item);
            if !matches!(self.state, State::Call(_)) {
                self.sink.take();
                self.calls = 0;
            }
        }
        self.text.resume(matches!(self.state, State::Text));
        self.thought.resume(matches!(self.state, State::Thought));
    }

    pub fn take(&mut self, item: Item) {
        self.queue.push_back(item);
        while let Some(item) = self.queue.pop_front() {
            self.step(item);
        }
    }

    pub fn events(&mut self) -> Vec<Event> {
        self.sink.take()
    }

    /// Whatever was held back comes out.
    pub fn finish(&mut self, reason: StopReason) {
        // A call that gives items back leaves a state that must be finished as well.
        loop {
            let next = State::Ended(String::new());
            match std::mem::replace(&mut self.state, next) {
                State::Start(label) => self.flush(&label.into_text(), Self::say),
                State::Label(label) => self.flush(&label.into_body(), Self::think),
                State::Call(call) => {
                    let rest = call.finish(reason, &mut self.around());
                    self.state = State::Text;
                    rest.into_iter().for_each(|item| self.take(item));
                    continue;
                }
                State::Role { role, first } => self.stray(&role, first),
                State::Ended(rest) => self.leftover(&rest),
                State::Text | State::Thought => {}
            }
            return;
        }
    }

    fn step(&mut self, item: Item) {
        match (&mut self.state, item) {
            (State::Call(_), item) => self.step_call(item),
            (State::Ended(rest), item) => item.spell(rest),
            (State::Role { .. }, item) => self.step_role(item),
            (State::Start(_) | State::Label(_), Item::Char(c)) => self.step_label(c),
            (State::Text, Item::Char(c)) => self.say(c),
            (State::Thought, Item::Char(c)) => self.think(c),
            (_, Item::Token(token)) => self.step_token(token),
        }
    }

    fn around(&mut self) -> Surroundings<'_> {
        let Self {
            tools, calls, sink, ..
        } = self;
        Surroundings { tools, calls, sink }
    }

    fn say(&mut self, c: char) {
        self.text.push(c, |text| self.sink.text(text));
    }

    fn think(&mut self, c: char) {
        self.thought.push(c, |text| self.sink.thought(text));
    }

    fn step_label(&mut self, c: char) {
        let (label, body) = match &mut self.state {
            State::Start(label) => (label, State::Text),
            State::Label(label) => (label, State::Thought),
            _ => return,
        };
        match label.push(c) {
            Labelled::Open => {}
            Labelled::Whole => self.state = State::Thought,
            Labelled::None(seen) => {
                self.state = body;
                for c in seen.chars() {
                    self.step(Item::Char(c));
                }
            }
        }
    }

    /// A label that never came to its end.
    fn flush(&mut self, seen: &str, emit: impl Fn(&mut Self, char)) {
        seen.chars().for_each(|c| emit(self, c));
    }

    /// A control token in text or thought.
    fn step_token(&mut self, token: &'static str) {
        if matches!(token, token::BOS | token::PAD) {
            return;
        }
        let first = matches!(&self.state, State::Start(label) if label.is_empty());
        self.settle();
        let thinks = matches!(self.state, State::Thought);
        match token {
            token::CHANNEL_OPEN => self.part(State::Label(Label::default())),
            token::CHANNEL_CLOSE if thinks => self.part(State::Text),
            token::CALL_OPEN => self.part(State::Call(Box::new(Call::new()))),
            token::TURN_OPEN => self.part(State::Role {
                role: String::new(),
                first,
            }),
            token::TURN_CLOSE | token::EOS | token::RESPONSE_OPEN => {
                self.part(State::Ended(String::new()));
            }
            // The delimiter of strings stands for a quotation mark everywhere else.
            token::QUOTE => self.step(Item::Char('"')),
            token::CHANNEL_CLOSE | token::CALL_CLOSE | token::RESPONSE_CLOSE => {}
            _ => self.sink.malformed(token, Flaw::UnexpectedToken),
        }
    }

    /// Decides an undecided label, because a token comes.
    fn settle(&mut self) {
        match std::mem::replace(&mut self.state, State::Text) {
            State::Start(label) => self.flush(&label.into_text(), Self::say),
            State::Label(label) => {
                self.flush(&label.into_body(), Self::think);
                self.state = State::Thought;
            }
            other => self.state = other,
        }
    }

    fn part(&mut self, next: State) {
        self.text.part();
        self.thought.part();
        self.state = next;
    }

    fn step_call(&mut self, item: Item) {
        let State::Call(call) = &mut self.state else {
            return;
        };
        let Self {
            tools, calls, sink, ..
        } = self;
        match call.step(item, &mut Surroundings { tools, calls, sink }) {
            Progress::Open => {}
            Progress::Done(rest) => {
                self.state = State::Text;
                for item in rest.into_iter().rev() {
                    self.queue.push_front(item);
                }
            }
        }
    }

    /// A model that repeats the opening of its own turn goes on; any other turn is not its to write.
    fn step_role(&mut self, item: Item) {
        let State::Role { role, first } = &mut self.state else {
            return;
        };
        match item {
            Item::Char('\n') if *first && role.trim() == "model" => {
                self.state = State::Start(Label::default());
            }
            Item::Char(c) if c != '\n' => role.push(c),
            Item::Char(_) | Item::Token(_) => {
                let mut rest = format!("{}{role}", token::TURN_OPEN);
                item.spell(&mut rest);
                self.state = State::Ended(rest);
            }
        }
    }

    /// An unfinished turn opening at the end of the output.
    fn stray(&mut self, role: &str, first: bool) {
        if !(first && "model".starts_with(role.trim())) {
            self.leftover(&format!("{}{role}", token::TURN_OPEN));
        }
    }

    /// What came behind the end of the turn, padding and further ends aside.
    fn leftover(&mut self, rest: &str) {
        let mut said = rest.to_owned();
        for noise in [token::TURN_CLOSE, token::EOS, token::BOS, token::PAD] {
            said = said.replace(noise, "");
        }
        if !said.trim().is_empty() {
            self.sink.malformed(rest, Flaw::AfterEnd);
        }
    }
}
