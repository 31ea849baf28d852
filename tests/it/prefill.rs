//! A prompt in runs of any length gives the logits of one run.

use lapidary::{GenerateRequest, Limits, Media, Sampling};
use serde_json::Value;

use crate::support::bounded;

/// What f32 graphs may differ by in another order of summation.
const DIFFERENCE_MAX: f32 = 2e-4;

/// Final ids and media of a reference case.
fn case(name: &str) -> (Vec<u32>, Vec<Media>) {
    let (json, _) = lapidary_tiny::reference();
    let json: Value = serde_json::from_slice(json).unwrap();
    let case = &json["cases"][name];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny/reference/");
    let files = |kind: &str| {
        let names = case[kind].as_array().unwrap().iter();
        names.map(|name| std::fs::read(format!("{folder}{}", name.as_str().unwrap())).unwrap())
    };
    let media = files("images").map(Media::image);
    let media = media.chain(files("audio").map(Media::audio)).collect();
    (
        serde_json::from_value(case["input_ids"].clone()).unwrap(),
        media,
    )
}

/// Logits of all prompt tokens, in runs of at most so many.
fn logits(ids: &[u32], media: &[Media], prefill_tokens_max: usize) -> Vec<f32> {
    let runtime = bounded(Limits {
        prefill_tokens_max,
        ..Limits::default()
    });
    let generated = runtime.generate(GenerateRequest {
        ids: ids.to_vec(),
        media: media.to_vec(),
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(1),
        ignore_eos: true,
        logits: true,
        ..GenerateRequest::default()
    });
    generated.unwrap().logits_prefill.unwrap().into_data()
}

#[test]
fn a_prompt_in_chunks_gives_the_logits_of_one_run_without_a_cache() {
    let (text, _) = case("text_long");
    // Longer than several windows of 128.
    let text = text.repeat(600 / text.len() + 1);
    let (mixed, media) = case("image_audio");
    for (ids, media) in [(text, Vec::new()), (mixed, media)] {
        let whole = logits(&ids, &media, usize::MAX);
        for prefill_tokens_max in [1, 7, 64, 512] {
            let chunked = logits(&ids, &media, prefill_tokens_max);
            assert_eq!(chunked.len(), whole.len());
            let differences = chunked.iter().zip(&whole).map(|(a, b)| (a - b).abs());
            let largest = differences.fold(0.0, f32::max);
            assert!(largest <= DIFFERENCE_MAX, "{prefill_tokens_max}: {largest}");
        }
    }
}
