//! One turn of the model, from token ids to events.

use std::collections::BTreeMap;

use super::collect::Collector;
use crate::chat::{Event, FinishReason, ToolCall};
use crate::constrain::ThoughtGate;
use crate::error::Result;
use crate::plugin::{ParsedEvent, Parser, StopReason};
use crate::text::{Detokenizer, Passed, StopMatcher, Tokenizer};

/// A turn that is being written.
pub(super) struct Turn {
    parser: Parser,
    detokenizer: Detokenizer,
    stops: StopMatcher,
    collected: Collector,
    names: BTreeMap<usize, String>,
    first_call: usize,
    thought: Option<ThoughtGate>,
    thinks: bool,
    /// Counted by events, where the format does not say how thoughts are marked.
    thought_tokens: usize,
    stopped: bool,
}

impl Turn {
    /// A turn for a parser in the state that the prompt leaves; `thought` counts from there on.
    pub fn new(
        parser: Parser,
        stops: &[String],
        first_call: usize,
        thought: Option<ThoughtGate>,
    ) -> Self {
        Self {
            parser,
            detokenizer: Detokenizer::default(),
            stops: StopMatcher::new(stops),
            collected: Collector::default(),
            names: BTreeMap::new(),
            first_call,
            thought,
            thinks: false,
            thought_tokens: 0,
            stopped: false,
        }
    }

    /// The events that the next token completes.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<Vec<Event>> {
        let pieces = self.detokenizer.push(tokenizer, id);
        let parsed = self.parser.push(&pieces)?;
        let events = self.events(parsed);
        self.thought_tokens += usize::from(self.thinks);
        if let Some(thought) = &mut self.thought {
            thought.took(id);
        }
        Ok(events)
    }

    /// The events that were held back.
    pub fn finish(&mut self, reason: FinishReason) -> Result<Vec<Event>> {
        if self.stopped {
            return Ok(Vec::new());
        }
        let parsed = self.parser.push(&self.detokenizer.finish())?;
        let mut events = self.events(parsed);
        let parsed = self.parser.finish(stop_reason(reason))?;
        events.extend(self.events(parsed));
        if let Some(event) = held(&mut self.stops) {
            self.collected.push(&event);
            events.push(event);
        }
        Ok(events)
    }

    /// Whether a stop text appeared.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub fn thought_tokens(&self) -> usize {
        let thought = self.thought.as_ref();
        thought.map_or(self.thought_tokens, ThoughtGate::token_count)
    }

    pub fn call_count(&self) -> usize {
        self.first_call + self.names.len()
    }

    pub fn into_collected(self) -> Collector {
        self.collected
    }

    fn events(&mut self, parsed: Vec<ParsedEvent>) -> Vec<Event> {
        let mut events = Vec::with_capacity(parsed.len());
        for event in parsed {
            if self.stopped {
                break;
            }
            self.thinks = matches!(event, ParsedEvent::Thought(_));
            if !matches!(event, ParsedEvent::Text(_)) {
                // No stop text goes on behind a thought or a call: what was held came before it.
                events.extend(held(&mut self.stops));
            }
            events.extend(self.event(event));
        }
        events.iter().for_each(|event| self.collected.push(event));
        events
    }

    fn event(&mut self, event: ParsedEvent) -> Option<Event> {
        match event {
            ParsedEvent::Text(text) => self.text(&text),
            ParsedEvent::Thought(text) => Some(Event::Thought { text }),
            ParsedEvent::CallStart { index, name } => {
                self.names.insert(index, name);
                None
            }
            ParsedEvent::CallDelta { index, json } => {
                let name = self.names.get(&index).cloned().unwrap_or_default();
                Some(Event::ToolCallDelta {
                    index: self.call_number(index),
                    name,
                    json_delta: json,
                })
            }
            ParsedEvent::CallEnd {
                index,
                name,
                arguments,
            } => {
                let id = format!("call_{}", self.call_number(index));
                Some(Event::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                }))
            }
            ParsedEvent::Malformed { raw, code, message } => {
                Some(Event::Malformed { raw, code, message })
            }
        }
    }

    fn text(&mut self, text: &str) -> Option<Event> {
        let text = match self.stops.push(text) {
            Passed::Text(text) => text,
            Passed::Stopped(text) => {
                self.stopped = true;
                text
            }
        };
        (!text.is_empty()).then_some(Event::Text { text })
    }

    fn call_number(&self, index: usize) -> usize {
        self.first_call + index
    }
}

/// The text that might have become a stop text.
fn held(stops: &mut StopMatcher) -> Option<Event> {
    let text = stops.finish();
    (!text.is_empty()).then_some(Event::Text { text })
}

fn stop_reason(reason: FinishReason) -> StopReason {
    match reason {
        FinishReason::EndOfTurn | FinishReason::ToolCall => StopReason::EndOfTurn,
        FinishReason::Length => StopReason::Length,
        FinishReason::Stop => StopReason::Stop,
        FinishReason::Cancelled => StopReason::Cancelled,
    }
}
