//! The embedded bundle against PyTorch: `models/tiny/reference`, made by `models/tiny/make.py`.

use lapidary::{GenerateRequest, Media, Sampling};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::support::{RUNTIME, bundle_on_disk, load};

/// What f32 graphs may differ by in another order of summation.
const DIFFERENCE_MAX: f32 = 2e-3;

fn cases() -> serde_json::Map<String, Value> {
    let (json, _) = lapidary_tiny::reference();
    let json: Value = serde_json::from_slice(json).unwrap();
    json["cases"].as_object().unwrap().clone()
}

fn floats(name: &str) -> Option<Vec<f32>> {
    let (_, tensors) = lapidary_tiny::reference();
    let tensors = SafeTensors::deserialize(tensors).unwrap();
    let bytes = tensors.tensor(name).ok()?.data();
    Some(
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
    )
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn media(case: &Value) -> Vec<Media> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny/reference/");
    let files = |key: &str| {
        let names = case[key].as_array().unwrap().iter();
        names.map(|name| std::fs::read(format!("{folder}{}", name.as_str().unwrap())).unwrap())
    };
    files("images")
        .map(Media::image)
        .chain(files("audio").map(Media::audio))
        .collect()
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, f32::max)
}

#[test]
fn ids_and_logits_equal_pytorch_for_text_images_and_audio() {
    let cases = cases();
    assert!(cases.len() >= 5);
    for (name, case) in &cases {
        let greedy = ids(&case["greedy"]);
        let expected = floats(&format!("{name}.decode")).unwrap();
        let generated = RUNTIME
            .generate(GenerateRequest {
                ids: ids(&case["input_ids"]),
                media: media(case),
                sampling: Some(Sampling::greedy()),
                max_tokens: Some(greedy.len()),
                ignore_eos: true,
                logits: true,
                ..GenerateRequest::default()
            })
            .unwrap();
        assert_eq!(generated.ids, greedy, "{name}");
        let prefill = generated.logits_prefill.unwrap();
        let last = prefill.row(prefill.row_count() - 1);
        let decode = generated.logits_decode.unwrap();
        assert!(
            difference(last, &floats(&format!("{name}.prefill_last")).unwrap()) <= DIFFERENCE_MAX,
            "{name}"
        );
        assert!(
            difference(&decode.data()[..expected.len()], &expected) <= DIFFERENCE_MAX,
            "{name}"
        );
        if let Some(all) = floats(&format!("{name}.prefill")) {
            assert!(difference(prefill.data(), &all) <= DIFFERENCE_MAX, "{name}");
        }
    }
}

#[test]
fn a_bundle_on_disk_gives_what_the_embedded_one_gives() {
    let folder = bundle_on_disk();
    let runtime = load(&folder).unwrap();
    let request = GenerateRequest {
        ids: ids(&cases()["text"]["input_ids"]),
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(8),
        ignore_eos: true,
        ..GenerateRequest::default()
    };
    assert_eq!(
        runtime.generate(request.clone()).unwrap().ids,
        RUNTIME.generate(request).unwrap().ids
    );
}

#[test]
fn prefill_then_step_equals_prefill_of_both() {
    let prompt = ids(&cases()["text_long"]["input_ids"]);
    let request = |ids: Vec<u32>| GenerateRequest {
        ids,
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(1),
        ignore_eos: true,
        logits: true,
        ..GenerateRequest::default()
    };
    let first = RUNTIME.generate(request(prompt.clone())).unwrap();
    let both = RUNTIME
        .generate(request([prompt, first.ids].concat()))
        .unwrap();
    let prefilled = both.logits_prefill.unwrap();
    let prefilled = prefilled.row(prefilled.row_count() - 1);
    assert!(difference(first.logits_decode.unwrap().row(0), prefilled) <= 1e-4);
}
