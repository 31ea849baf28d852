//! Streams for the parser and what comes out of them.

use gemma4::{Gemma4, Reader};
use lapidary_guest::{
    ChatFormat, Event, OpenRequest, Parser, StopReason, TokenPiece, ToolDefinition,
};
use proptest::sample::Index;
use serde_json::{Value, json};

/// One generation to be parsed.
pub struct Stream {
    pieces: Vec<TokenPiece>,
    prefix: Vec<TokenPiece>,
    tools: Vec<ToolDefinition>,
    reason: StopReason,
}

/// What came out, neighbours of one kind joined.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub events: Vec<Event>,
}

/// The control tokens of the format.
pub fn markers() -> Vec<String> {
    Gemma4::describe().control_tokens
}

/// Output without markers and whitespace.
pub fn plain(output: &str) -> String {
    let text = markers()
        .iter()
        .fold(output.to_owned(), |text, marker| text.replace(marker, ""));
    text.trim().to_owned()
}

impl Stream {
    /// A case of the corpus.
    pub fn of(case: &Value) -> Self {
        let request = &case["request"];
        let text = |name: &str| request[name].as_str().unwrap_or_default();
        Self {
            pieces: super::token_pieces(text("input_text"), &markers()),
            prefix: super::token_pieces(text("prefix"), &markers()),
            tools: super::tools(&request["tools"]),
            reason: match case["reason"].as_str().unwrap_or_default() {
                "length" => StopReason::Length,
                "stop" => StopReason::Stop,
                "cancelled" => StopReason::Cancelled,
                _ => StopReason::EndOfTurn,
            },
        }
    }

    /// Text in which no marker is a token.
    pub fn data(text: &str) -> Self {
        let pieces = vec![TokenPiece::Data(text.to_owned())];
        Self {
            pieces,
            prefix: Vec::new(),
            tools: Vec::new(),
            reason: StopReason::EndOfTurn,
        }
    }

    /// Made up by chance.
    pub fn random(output: &str, reason: usize, typed: bool) -> Self {
        let schema = json!({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}});
        let tools = json!([{"function": {"name": "f", "parameters": schema}}]);
        let reasons = [
            StopReason::EndOfTurn,
            StopReason::Length,
            StopReason::Stop,
            StopReason::Cancelled,
        ];
        Self {
            pieces: super::token_pieces(output, &markers()),
            prefix: Vec::new(),
            tools: if typed {
                super::tools(&tools)
            } else {
                Vec::new()
            },
            reason: reasons[reason],
        }
    }

    /// In one push.
    pub fn whole(&self) -> Outcome {
        self.parse([self.pieces.clone()])
    }

    /// A push for each character and each token.
    pub fn by_character(&self) -> Outcome {
        self.parse(self.atoms().into_iter().map(|atom| vec![atom]))
    }

    /// A push for each stretch between cuts.
    pub fn cut(&self, cuts: &[Index]) -> Outcome {
        let atoms = self.atoms();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(atoms.len() + 1)).collect();
        places.extend([0, atoms.len()]);
        places.sort_unstable();
        self.parse(
            places
                .windows(2)
                .map(|ends| joined(&atoms[ends[0]..ends[1]])),
        )
    }

    fn atoms(&self) -> Vec<TokenPiece> {
        let mut atoms = Vec::new();
        for piece in &self.pieces {
            match piece {
                TokenPiece::Data(text) => {
                    atoms.extend(text.chars().map(|c| TokenPiece::Data(c.to_string())));
                }
                TokenPiece::Control(_) => atoms.push(piece.clone()),
            }
        }
        atoms
    }

    fn parse(&self, pushes: impl IntoIterator<Item = Vec<TokenPiece>>) -> Outcome {
        let request = OpenRequest {
            prefix: self.prefix.clone(),
            tools: self.tools.clone(),
        };
        let mut reader: Reader = Gemma4::open(request).expect("opens");
        let mut events = Vec::new();
        for pieces in pushes {
            events.extend(reader.push(pieces).expect("push"));
        }
        events.extend(reader.finish(self.reason).expect("finish"));
        Outcome {
            events: merged(events),
        }
    }
}

impl Outcome {
    /// The outcome in the shape of `lapidary parse --jsonl`.
    pub fn json(&self) -> Value {
        let (mut reasoning, mut content) = (String::new(), String::new());
        let (mut calls, mut malformed) = (Vec::new(), Vec::new());
        for event in &self.events {
            match event {
                Event::Thought(text) => reasoning.push_str(text),
                Event::Text(text) => content.push_str(text),
                Event::CallEnd(call) => {
                    let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
                    calls.push(json!({"name": call.name, "arguments": normal(arguments)}));
                }
                Event::Malformed(flaw) => {
                    malformed.push(json!({"raw": flaw.raw, "code": flaw.code}));
                }
                Event::CallStart(_) | Event::CallDelta(_) => {}
            }
        }
        let reasoning = (!reasoning.is_empty()).then_some(reasoning);
        json!({"reasoning": reasoning, "content": content, "tool_calls": calls, "malformed": malformed})
    }

    /// Calls count from zero, begin, stream and end with the same arguments, which are an object.
    pub fn check_calls(&self, name: &str) {
        let mut begun = 0;
        let mut streamed = String::new();
        for event in &self.events {
            match event {
                Event::CallStart(start) => {
                    assert_eq!(start.index, begun, "{name}");
                    begun += 1;
                    streamed.clear();
                }
                Event::CallDelta(delta) => streamed.push_str(&delta.json_delta),
                Event::CallEnd(end) => {
                    assert_eq!(
                        (end.index + 1, &end.arguments),
                        (begun, &streamed),
                        "{name}"
                    );
                    let arguments: Value = serde_json::from_str(&streamed).expect(name);
                    assert!(arguments.is_object(), "{name}");
                }
                Event::Text(_) | Event::Thought(_) | Event::Malformed(_) => {}
            }
        }
    }
}

/// Numbers as Python's JSON writes them, so that `1e3` equals `1000.0`.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) if number.to_string().contains(['.', 'e', 'E']) => {
            json!(number.as_f64())
        }
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, normal(value)))
            .collect(),
        other => other,
    }
}

fn joined(atoms: &[TokenPiece]) -> Vec<TokenPiece> {
    let mut pieces: Vec<TokenPiece> = Vec::new();
    for atom in atoms {
        match (pieces.last_mut(), atom) {
            (Some(TokenPiece::Data(text)), TokenPiece::Data(more)) => text.push_str(more),
            _ => pieces.push(atom.clone()),
        }
    }
    pieces
}

fn merged(events: Vec<Event>) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (Some(Event::Text(text)), Event::Text(more)) => text.push_str(&more),
            (Some(Event::Thought(text)), Event::Thought(more)) => text.push_str(&more),
            (Some(Event::CallDelta(delta)), Event::CallDelta(more))
                if delta.index == more.index =>
            {
                delta.json_delta.push_str(&more.json_delta);
            }
            (_, event) => all.push(event),
        }
    }
    all
}
