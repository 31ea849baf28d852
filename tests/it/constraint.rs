//! What a model may write is what it writes: on weights that know nothing, and on those that know a little.

use std::sync::LazyLock;

use lapidary::{
    Bundle, ChatOptions, Error, ErrorKind, Event, FinishReason, Grants, Limits, Reply,
    ResponseFormat, Runtime, Sampling, Thinking, ToolChoice, ToolSpec, ToolTraits,
};
use serde_json::{Value, json};

use crate::support::{RUNTIME, bounded, builder, bundle_on_disk, greedy};

/// Generations on untrained weights: a few always, as many as this variable says on request.
const RUNS_VARIABLE: &str = "LAPIDARY_CONSTRAINT_RUNS";
const RUNS: usize = 22;

/// The embedded model with every weight of its decoder in another place: it knows nothing any more.
static UNTRAINED: LazyLock<Runtime> = LazyLock::new(|| {
    let folder = bundle_on_disk();
    let path = folder.path().join("onnx/decoder_model_merged.onnx_data");
    let mut bytes = std::fs::read(&path).unwrap();
    shuffle(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let bundle = Bundle::open(folder.path()).unwrap();
    // A machine that is busy with other things for a second is no fault of the format.
    let patient = Limits {
        format_call_ms_max: 60_000,
        ..Limits::default()
    };
    let builder = builder().bundle(bundle).threads(1).limits(patient);
    builder.build().unwrap()
});

/// Fisher and Yates, on numbers of four bytes. In blocks: the one vector of another width fills one.
fn shuffle(bytes: &mut [u8]) {
    const BLOCK_BYTES: usize = 1536;
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for block in bytes.chunks_mut(BLOCK_BYTES) {
        for last in (1..block.len() / 4).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let other = usize::try_from(state % (last as u64 + 1)).unwrap();
            for byte in 0..4 {
                block.swap(last * 4 + byte, other * 4 + byte);
            }
        }
    }
}

fn runs() -> usize {
    let asked = std::env::var(RUNS_VARIABLE).ok();
    asked.map_or(RUNS, |text| text.parse().expect("a number of runs"))
}

/// Schemas of arguments: nested, optional, enumerated, lists, unions, keys in other scripts.
fn argument_schemas() -> Vec<Value> {
    let text = |max: usize| json!({"type": "string", "maxLength": max});
    vec![
        json!({"type": "object", "properties": {"city": text(30), "days": {"type": "integer"}},
            "required": ["city"]}),
        json!({"type": "object", "properties": {"name": {"type": "string", "minLength": 2, "maxLength": 12},
            "address": {"type": "object", "properties": {"street": text(20),
                "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
                "geo": {"type": "object", "properties": {
                    "lat": {"type": "number", "minimum": -90, "maximum": 90},
                    "lon": {"type": "number", "minimum": -180, "maximum": 180}},
                    "required": ["lat", "lon"]}},
                "required": ["street", "geo"]}}, "required": ["address"]}),
        json!({"type": "object", "properties": {"a": {"type": "boolean"},
            "b": {"type": ["string", "null"], "maxLength": 8},
            "c": {"type": "integer", "minimum": 3, "maximum": 17}, "d": {"type": "number"}}}),
        json!({"type": "object", "properties": {
            "unit": {"enum": ["celsius", "kelvin", "", "a \"quoted\" one", null, 3, true, 2.5]},
            "kind": {"const": "x/y\\z"}}, "required": ["unit", "kind"]}),
        json!({"type": "object", "properties": {
            "tags": {"type": "array", "items": text(6), "minItems": 1, "maxItems": 4},
            "matrix": {"type": "array", "maxItems": 3,
                "items": {"type": "array", "items": {"type": "integer"}, "maxItems": 3}},
            "pair": {"type": "array", "prefixItems": [text(3), {"type": "boolean"}], "items": false,
                "minItems": 2}}, "required": ["tags", "matrix", "pair"]}),
        json!({"type": "object", "properties": {"target": {"anyOf": [text(9), {"type": "integer"},
            {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
                "additionalProperties": false}, {"type": "null"}]}}, "required": ["target"]}),
        json!({"type": "object", "properties": {"größe": {"type": "number", "exclusiveMinimum": 0},
            "城市": text(5), "emoji 🙂 key": {"type": "boolean"}, "with:colon": {"type": "integer"},
            "": {"type": "null"}, "a{b}": {"enum": ["ß", "日本"]}},
            "required": ["größe", "城市", "with:colon"]}),
        json!({"type": "object", "properties": {"shape": {"oneOf": [
            {"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
                "required": ["kind", "r"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "rect"}, "w": {"type": "integer"},
                "h": {"type": "integer"}}, "required": ["kind", "w", "h"],
                "additionalProperties": false}]}}, "required": ["shape"]}),
        json!({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["value"]}},
            "type": "object", "properties": {"list": {"$ref": "#/$defs/node"}}, "required": ["list"]}),
        json!({"type": "object", "properties": {
            "meta": {"type": "object", "additionalProperties": {"type": "integer"}},
            "open": {"type": "object", "properties": {"": {"type": "null"}},
                "additionalProperties": {"type": "boolean"}},
            "m": {"type": "integer", "multipleOf": 5}}, "required": ["meta", "m", "open"]}),
        json!({"allOf": [{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
            {"properties": {"y": {"type": "string", "pattern": "^a|b$", "minLength": 2,
                "maxLength": 6}}, "required": ["y"]}]}),
    ]
}

/// Schemas of answers: objects say what else they hold, as a model that knows nothing would not stop.
fn answer_schemas() -> Vec<Value> {
    let text = json!({"type": "string", "maxLength": 20});
    vec![
        json!({"type": "object", "properties": {"name": text, "age": {"type": "integer"},
            "tags": {"type": "array", "items": text, "maxItems": 3}},
            "required": ["name", "age"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"größe": {"type": ["number", "null"]},
            "kind": {"enum": ["a", "b", 7]}, "inner": {"type": "object",
                "properties": {"x": {"anyOf": [{"type": "boolean"}, text]}}, "required": ["x"],
                "additionalProperties": false}}, "required": ["größe", "kind", "inner"],
            "additionalProperties": false}),
        json!({"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 5}),
    ]
}

fn tool(name: &str, parameters: Value) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "A tool.".into(),
        parameters,
        response: None,
        traits: ToolTraits::default(),
    }
}

/// Hot and unfiltered: whatever may come comes.
fn hot(seed: usize) -> ChatOptions {
    ChatOptions {
        sampling: Some(Sampling {
            temperature: 1.5,
            top_k: 0,
            top_p: 1.0,
            seed: Some(seed as u64),
            ..Sampling::default()
        }),
        max_tokens: Some(2_000),
        thinking: match seed % 2 {
            0 => Thinking::Off,
            _ => Thinking::Budget(seed % 7),
        },
        ..ChatOptions::default()
    }
}

fn fits(schema: &Value, value: &Value) {
    let validator = jsonschema::draft202012::new(schema).expect("a schema");
    if let Err(error) = validator.validate(value) {
        panic!("{error}\n{value}\n{schema}");
    }
}

fn finish(runtime: &Runtime, prompt: &str, options: ChatOptions) -> Result<Reply, Error> {
    runtime.chat(prompt, options)?.finish()
}

#[test]
fn every_call_of_untrained_weights_parses_and_fits_its_schema() {
    let schemas = argument_schemas();
    for run in 0..runs() {
        let schema = &schemas[run % schemas.len()];
        let options = ChatOptions {
            tools: vec![
                tool("wanted-tool.v1", schema.clone()),
                tool("other", json!({})),
            ],
            tool_choice: ToolChoice::Named("wanted-tool.v1".into()),
            strict: true,
            ..hot(run)
        };
        let events: Vec<Event> = UNTRAINED
            .chat("Go on.", options)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("run {run}: {error:#}"));
        let mut call_count = 0;
        for event in &events {
            match event {
                Event::ToolCall(call) => {
                    assert_eq!(call.name, "wanted-tool.v1");
                    fits(schema, &call.arguments);
                    call_count += 1;
                }
                Event::Text { .. } | Event::Malformed { .. } => panic!("run {run}: {event:?}"),
                _ => {}
            }
        }
        let Some(Event::Finished { reason, .. }) = events.last() else {
            panic!("run {run}: {events:?}");
        };
        assert_eq!(*reason, FinishReason::ToolCall, "run {run}");
        assert!(call_count > 0, "run {run}");
    }
}

#[test]
fn every_json_answer_of_untrained_weights_fits_its_schema() {
    let schemas = answer_schemas();
    for run in 0..runs() {
        let schema = &schemas[run % schemas.len()];
        let options = ChatOptions {
            response_format: ResponseFormat::JsonSchema(schema.clone()),
            ..hot(run)
        };
        let reply = finish(&UNTRAINED, "Go on.", options).unwrap();
        assert_eq!(reply.reason, FinishReason::EndOfTurn, "run {run}");
        let value = serde_json::from_str(&reply.text);
        let value = value.unwrap_or_else(|error| panic!("run {run}: {error}: {}", reply.text));
        fits(schema, &value);
    }
}

#[test]
fn an_answer_is_one_of_the_choices_or_matches_the_expression() {
    let choices = ["yes", "no", "größer als 5"].map(String::from);
    for seed in 0..12 {
        let options = ChatOptions {
            response_format: ResponseFormat::Choice(choices.to_vec()),
            ..hot(seed)
        };
        let reply = finish(&UNTRAINED, "Is it?", options).unwrap();
        assert!(choices.contains(&reply.text), "{}", reply.text);
        let options = ChatOptions {
            response_format: ResponseFormat::Regex(r"\d{4}/(?:Q[1-4]|H[12])".into()),
            ..hot(seed)
        };
        let text = finish(&UNTRAINED, "When?", options).unwrap().text;
        let (year, part) = text.split_once('/').expect("a slash");
        assert_eq!((year.chars().count(), part.len()), (4, 2), "{text}");
    }
}

/// Asks that the embedded model answers with and without tools.
const ASKED: [&str; 10] = [
    "What is 17 times 23?",
    "What is the weather in Oslo?",
    "What time is it?",
    "Hello!",
    "Who are you?",
    "What is 12 plus 30?",
    "What is the weather in Paris?",
    "Thank you!",
    "What can you do?",
    "Calculate 9 * 8.",
];

#[test]
fn the_embedded_model_calls_well_formed_whatever_it_is_asked() {
    for asked in ASKED {
        for thinking in [Thinking::Off, Thinking::Budget(24)] {
            let options = ChatOptions {
                tool_choice: ToolChoice::Required,
                strict: true,
                thinking,
                ..greedy(400)
            };
            let events: Vec<Event> = RUNTIME
                .chat(asked, options)
                .unwrap()
                .take_while(|event| !matches!(event, Ok(Event::ToolResult(_))))
                .collect::<Result<_, _>>()
                .unwrap();
            let mut calls = events.iter().filter_map(|event| match event {
                Event::ToolCall(call) => Some(call),
                _ => None,
            });
            let call = calls
                .next()
                .unwrap_or_else(|| panic!("{asked}: {events:?}"));
            let spec = RUNTIME
                .tools()
                .into_iter()
                .find(|spec| spec.name == call.name);
            fits(&spec.expect("a tool").parameters, &call.arguments);
            let broken = |event: &Event| matches!(event, Event::Malformed { .. });
            assert!(!events.iter().any(broken), "{asked}: {events:?}");
        }
    }
}

#[test]
fn a_constraint_that_was_kept_anyway_changes_nothing() {
    let mut kept = 0;
    for asked in ASKED {
        let free = finish(&RUNTIME, asked, greedy(120)).unwrap();
        let is_valid = free.reason == FinishReason::EndOfTurn
            && free.tool_calls.iter().all(|call| {
                let spec = RUNTIME
                    .tools()
                    .into_iter()
                    .find(|spec| spec.name == call.name);
                spec.is_some_and(|spec| jsonschema::is_valid(&spec.parameters, &call.arguments))
            });
        if !is_valid {
            continue;
        }
        kept += 1;
        let bound = ChatOptions {
            strict: true,
            tool_choice: match free.tool_calls.is_empty() {
                true => ToolChoice::Auto,
                false => ToolChoice::Required,
            },
            response_format: ResponseFormat::Regex("(?s:.+)".into()),
            ..greedy(120)
        };
        let bound = finish(&RUNTIME, asked, bound).unwrap();
        assert_eq!(bound.text, free.text, "{asked}");
        assert_eq!(bound.tool_calls, free.tool_calls, "{asked}");
        assert_eq!(bound.usage.output_tokens, free.usage.output_tokens);
    }
    assert!(kept >= 5, "{kept} of {}", ASKED.len());
}

#[test]
fn without_calls_the_model_answers_in_text() {
    for strict in [false, true] {
        let options = ChatOptions {
            tool_choice: ToolChoice::None,
            strict,
            ..greedy(40)
        };
        let reply = finish(&RUNTIME, "What is 17 times 23?", options).unwrap();
        assert!(reply.tool_calls.is_empty(), "{reply:?}");
    }
}

#[test]
fn a_call_that_must_be_made_is_made_once_and_then_answered() {
    let options = ChatOptions {
        tool_choice: ToolChoice::Named("calculator".into()),
        strict: true,
        ..greedy(160)
    };
    let reply = finish(&RUNTIME, "What is 17 times 23?", options).unwrap();
    assert_eq!(reply.tool_calls.len(), 1, "{reply:?}");
    assert!(reply.text.contains("391"), "{reply:?}");
}

/// Thought tokens of a chat, counted from what every token was.
fn thought_tokens(events: &[Event]) -> usize {
    let mut inside = false;
    let mut count = 0;
    for event in events {
        let Event::Logprob(logprob) = event else {
            continue;
        };
        match logprob.chosen.token.as_str() {
            "<|channel>" => inside = true,
            "<channel|>" => inside = false,
            _ => count += usize::from(inside),
        }
    }
    count
}

#[test]
fn a_thinking_budget_is_obeyed_to_the_token() {
    let close = RUNTIME.tokenizer().control_id("<channel|>").unwrap();
    let answers = [
        ResponseFormat::Text,
        ResponseFormat::JsonSchema(answer_schemas()[0].clone()),
        ResponseFormat::Regex("[0-9]{1,9}".into()),
    ];
    for (run, budget) in (0..20).chain([37, 30, 120]).enumerate() {
        let options = ChatOptions {
            thinking: Thinking::Budget(budget),
            response_format: answers[run % answers.len()].clone(),
            // It would think for ever.
            logit_bias: vec![(close, f32::NEG_INFINITY)],
            tool_choice: ToolChoice::None,
            logprobs: Some(0),
            ..greedy(budget + 30)
        };
        let events: Vec<Event> = RUNTIME
            .chat("What is 17 times 23?", options)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let Some(Event::Finished { usage, .. }) = events.last() else {
            panic!("{events:?}");
        };
        assert_eq!(thought_tokens(&events), budget);
        assert_eq!(usage.thought_tokens, budget);
        let is_text = |event: &Event| matches!(event, Event::Text { .. });
        assert!(events.iter().any(is_text), "{budget}: {events:?}");
    }
}

#[test]
fn a_constraint_that_cannot_be_met_is_an_error() {
    let vocab_size = u32::try_from(RUNTIME.config().vocab_size).unwrap();
    let options = ChatOptions {
        response_format: ResponseFormat::Choice(vec!["yes".into()]),
        logit_bias: (0..vocab_size).map(|id| (id, f32::NEG_INFINITY)).collect(),
        ..greedy(8)
    };
    let error = finish(&RUNTIME, "Is it?", options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("cannot be met"), "{error}");
}

#[test]
fn what_no_grammar_says_is_refused_by_name() {
    let refused = |options: ChatOptions, kind: ErrorKind, word: &str| {
        let error = finish(&RUNTIME, "Go on.", options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    };
    let strict = |parameters: Value| ChatOptions {
        tools: vec![tool("mine", parameters)],
        strict: true,
        ..greedy(4)
    };
    let with = |keyword: &str, value: Value| {
        strict(json!({"type": "object", "properties": {"a": {keyword: value}}}))
    };
    let unsupported = ErrorKind::Unsupported;
    refused(with("not", json!({})), unsupported, "not");
    refused(with("if", json!({})), unsupported, "if");
    refused(
        with("patternProperties", json!({})),
        unsupported,
        "patternProperties",
    );
    refused(with("pattern", json!("a$b")), unsupported, "pattern");
    let items = json!({"type": "array", "uniqueItems": true});
    refused(
        strict(json!({"properties": {"a": items}})),
        unsupported,
        "uniqueItems",
    );
    let spelled = ChatOptions {
        tools: vec![tool("open{door}", json!({}))],
        tool_choice: ToolChoice::Required,
        ..greedy(4)
    };
    refused(spelled, ErrorKind::Invalid, "open{door}");
    let many = (0..700).map(|index| (format!("key{index}"), json!({"type": "null"})));
    let many: Value = Value::Object(many.collect());
    let wide = ResponseFormat::JsonSchema(json!({"type": "object", "properties": many}));
    let named = ChatOptions {
        tool_choice: ToolChoice::Named("nobody".into()),
        ..greedy(4)
    };
    refused(named, ErrorKind::Invalid, "nobody");
    let answer = |response_format| ChatOptions {
        response_format,
        ..greedy(4)
    };
    let wide = ChatOptions {
        tool_choice: ToolChoice::None,
        ..answer(wide)
    };
    refused(wide, unsupported, "simpler");
    let schema = json!({"type": "object", "if": {}});
    refused(
        answer(ResponseFormat::JsonSchema(schema)),
        unsupported,
        "if",
    );
    refused(
        answer(ResponseFormat::Regex("(".into())),
        unsupported,
        "regex",
    );
    refused(
        answer(ResponseFormat::Choice(Vec::new())),
        ErrorKind::Invalid,
        "choice",
    );
}

#[test]
fn a_grammar_larger_than_the_limit_is_refused() {
    let runtime = bounded(Limits {
        constraint_bytes_max: 64,
        ..Limits::default()
    });
    let options = ChatOptions {
        strict: true,
        ..greedy(4)
    };
    let error = finish(&runtime, "Go on.", options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit("constraint_bytes_max"));
    assert!(finish(&runtime, "Go on.", greedy(4)).is_ok());
}

#[test]
fn tools_of_plugins_can_be_forced_too() {
    let runtime = builder()
        .tool(
            "calculator",
            lapidary_guests::TOOL_CALCULATOR.to_vec(),
            Grants::none(),
        )
        .build()
        .unwrap();
    let options = ChatOptions {
        tool_choice: ToolChoice::Required,
        ..greedy(200)
    };
    let reply = finish(&runtime, "Hello!", options).unwrap();
    assert_eq!(reply.tool_calls[0].name, "calculator");
}
