//! How tokens are chosen, and what is told of it, through the real graphs.

use lapidary::{
    ChatOptions, ErrorKind, Event, FinishReason, GenerateRequest, Reply, Sampling, TokenLogprob,
};

use crate::support::{RUNTIME, greedy, ids};

fn reply(options: ChatOptions) -> Reply {
    RUNTIME.chat("Hello!", options).unwrap().finish().unwrap()
}

fn generate(request: GenerateRequest) -> lapidary::Generated {
    RUNTIME
        .generate(GenerateRequest {
            ids: ids("<bos>Hello"),
            max_tokens: Some(24),
            ignore_eos: true,
            ..request
        })
        .unwrap()
}

fn greedy_request() -> GenerateRequest {
    GenerateRequest {
        sampling: Some(Sampling::greedy()),
        ..GenerateRequest::default()
    }
}

#[test]
fn a_banned_token_never_comes_and_a_favoured_one_always() {
    let free = generate(greedy_request());
    let banned = generate(GenerateRequest {
        logit_bias: vec![(free.ids[0], f32::NEG_INFINITY)],
        ..greedy_request()
    });
    assert!(!banned.ids.contains(&free.ids[0]));
    let favoured = generate(GenerateRequest {
        logit_bias: vec![(700, 1e3)],
        ..greedy_request()
    });
    assert!(favoured.ids.iter().all(|id| *id == 700));
}

#[test]
fn placeholders_of_media_are_never_sampled_in_a_chat() {
    let config = RUNTIME.config();
    let placeholder = config.image.expect("the embedded model sees").placeholder;
    let favoured = reply(ChatOptions {
        logit_bias: vec![(placeholder, 1e3), (700, 1e2)],
        ..greedy(4)
    });
    let expected = generate(GenerateRequest {
        logit_bias: vec![(700, 1e3)],
        ..greedy_request()
    });
    let text: String = expected.text.chars().take(favoured.text.len()).collect();
    assert!(!favoured.text.is_empty());
    assert_eq!(favoured.text, text.trim_start());
}

#[test]
fn a_frequency_penalty_ends_a_repetition() {
    let stuck = vec![(700, 40.0), (701, 39.0)];
    let run = |frequency_penalty| {
        let sampling = Sampling {
            frequency_penalty,
            ..Sampling::greedy()
        };
        generate(GenerateRequest {
            sampling: Some(sampling),
            logit_bias: stuck.clone(),
            ..GenerateRequest::default()
        })
    };
    let count = |ids: &[u32], id| ids.iter().filter(|found| **found == id).count();
    assert!(count(&run(0.0).ids, 700) > 20);
    let ids = run(20.0).ids;
    assert!(count(&ids, 700) < 8 && count(&ids, 701) < 8, "{ids:?}");
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    let generated = generate(GenerateRequest {
        logprobs: Some(3),
        logits: true,
        max_tokens: Some(4),
        ..greedy_request()
    });
    assert_eq!(generated.logprobs.len(), generated.ids.len());
    let prefill = generated.logits_prefill.unwrap();
    let row = prefill.row(prefill.row_count() - 1);
    let norm: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
    let first: &TokenLogprob = &generated.logprobs[0];
    let expected = f64::from(row[first.chosen.id as usize]) - norm.ln();
    assert!((f64::from(first.chosen.logprob) - expected).abs() < 1e-4);
    assert_eq!((first.top.len(), &first.top[0]), (3, &first.chosen));
    assert!(first.top[1].logprob <= first.top[0].logprob);
}

#[test]
fn a_chat_reports_log_probabilities_when_asked() {
    let options = ChatOptions {
        logprobs: Some(2),
        ..greedy(6)
    };
    let events: Vec<Event> = RUNTIME
        .chat("Hello!", options)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let logprobs: Vec<&TokenLogprob> = events
        .iter()
        .filter_map(|event| match event {
            Event::Logprob(logprob) => Some(logprob),
            _ => None,
        })
        .collect();
    let Some(Event::Finished { usage, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(logprobs.len(), usage.output_tokens);
    assert!(logprobs.iter().all(|one| one.top.len() == 2));
    let json = serde_json::to_value(events.first()).unwrap();
    assert_eq!(json["type"], "logprob");
    assert!(json["token"].is_string() && json["top"][1]["logprob"].is_number());
}

#[test]
fn choices_out_of_range_are_refused() {
    let bad = [
        ChatOptions {
            logit_bias: vec![(u32::MAX, 1.0)],
            ..greedy(1)
        },
        ChatOptions {
            logit_bias: vec![(5, f32::NAN)],
            ..greedy(1)
        },
        ChatOptions {
            logit_bias: vec![(5, f32::INFINITY)],
            ..greedy(1)
        },
        ChatOptions {
            logprobs: Some(21),
            ..greedy(1)
        },
        ChatOptions {
            sampling: Some(Sampling {
                repetition_penalty: 0.0,
                ..Sampling::default()
            }),
            ..greedy(1)
        },
    ];
    for options in bad {
        let error = RUNTIME.chat("Hello!", options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

#[test]
fn a_bias_that_bans_everything_is_an_error() {
    let vocab_size = u32::try_from(RUNTIME.config().vocab_size).unwrap();
    let options = ChatOptions {
        logit_bias: (0..vocab_size).map(|id| (id, f32::NEG_INFINITY)).collect(),
        ..greedy(4)
    };
    let error = RUNTIME
        .chat("Hello!", options)
        .unwrap()
        .finish()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Graph);
    assert_ne!(reply(greedy(2)).reason, FinishReason::Cancelled);
}
