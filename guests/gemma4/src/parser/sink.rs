//! Events on their way out, neighbours of one kind joined.

use lapidary_guest::{CallDelta, CallEnd, CallStart, Event, Malformed};

/// Collects the events of one push.
#[derive(Default)]
pub struct Sink {
    events: Vec<Event>,
}

impl Sink {
    /// What has come together.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub fn text(&mut self, text: &str) {
        match self.events.last_mut() {
            Some(Event::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.events.push(Event::Text(text.to_owned())),
        }
    }

    pub fn thought(&mut self, text: &str) {
        match self.events.last_mut() {
            Some(Event::Thought(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.events.push(Event::Thought(text.to_owned())),
        }
    }

    pub fn call_start(&mut self, index: u32, name: &str) {
        self.events.push(Event::CallStart(CallStart {
            index,
            name: name.to_owned(),
        }));
    }

    pub fn call_delta(&mut self, index: u32, json: &str) {
        match self.events.last_mut() {
            Some(Event::CallDelta(last)) if last.index == index => last.json_delta.push_str(json),
            _ if json.is_empty() => {}
            _ => self.events.push(Event::CallDelta(CallDelta {
                index,
                json_delta: json.to_owned(),
            })),
        }
    }

    pub fn call_end(&mut self, index: u32, name: &str, arguments: &str) {
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        self.events.push(Event::CallEnd(CallEnd {
            index,
            name,
            arguments,
        }));
    }

    pub fn malformed(&mut self, raw: &str, flaw: Flaw) {
        let (raw, code, message) = (raw.to_owned(), flaw.code(), flaw.message());
        let (code, message) = (code.to_owned(), message.to_owned());
        self.events
            .push(Event::Malformed(Malformed { raw, code, message }));
    }
}

/// What the model got wrong beyond repair. The codes are stable; the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    NoName,
    BadName,
    BadArguments,
    MissingValue,
    TooDeep,
    Truncated,
    UnexpectedToken,
    AfterEnd,
}

impl Flaw {
    fn code(self) -> &'static str {
        match self {
            Self::NoName => "call.no-name",
            Self::BadName => "call.bad-name",
            Self::BadArguments => "call.bad-arguments",
            Self::MissingValue => "call.missing-value",
            Self::TooDeep => "call.too-deep",
            Self::Truncated => "call.truncated",
            Self::UnexpectedToken => "turn.unexpected-token",
            Self::AfterEnd => "turn.after-end",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::NoName => "call: expected a tool's name, found none",
            Self::BadName => {
                "call: expected call:NAME{…}, found something else before the arguments"
            }
            Self::BadArguments => "call arguments: expected key:value pairs, found something else",
            Self::MissingValue => "call arguments: expected a value after the key, found none",
            Self::TooDeep => "call arguments: expected at most 64 levels of nesting",
            Self::Truncated => "call: expected its end, the output stopped before",
            Self::UnexpectedToken => {
                "output: expected text, found a token that only prompts contain"
            }
            Self::AfterEnd => "output: expected nothing behind the end of the turn",
        }
    }
}
