//! Bundles of other forms than the embedded one, and broken ones: what comes of each.

use std::fs;

use lapidary::{Bundle, ErrorKind, GraphRole, Media, PromptStyle};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::onnx::{Graph, INT64, float_in, port};
use crate::support::{RUNTIME, assert_same, bundle_on_disk, greedy, load, request, seen_and_heard};

/// Rewrites a JSON file of a bundle.
fn edit(folder: &TempDir, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(name);
    let mut json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

#[test]
fn an_input_that_nobody_knows_is_refused_by_name() {
    let folder = bundle_on_disk();
    let path = folder.path().join("onnx/decoder_model_merged.onnx");
    let mut graph = Graph::of_file(&fs::read(&path).unwrap());
    graph
        .inputs
        .push(port("cache_position", INT64, &["tokens"]));
    fs::write(&path, graph.file()).unwrap();
    let error = load(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bundle);
    assert!(
        error.to_string().contains("cache_position [?] i64"),
        "{error}"
    );
}

#[test]
fn every_suffix_is_found_and_each_graph_may_have_its_own() {
    let suffixes = [
        ("fp32", ""),
        ("fp16", "_fp16"),
        ("q8", "_quantized"),
        ("int8", "_int8"),
        ("uint8", "_uint8"),
        ("q4", "_q4"),
        ("q4f16", "_q4f16"),
        ("q2", "_q2"),
        ("q2f16", "_q2f16"),
        ("q1", "_q1"),
        ("q1f16", "_q1f16"),
        ("bnb4", "_bnb4"),
    ];
    for (dtype, suffix) in suffixes {
        let folder = bundle_on_disk();
        let graphs = folder.path().join("onnx");
        let renamed = graphs.join(format!("decoder_model_merged{suffix}.onnx"));
        fs::rename(graphs.join("decoder_model_merged.onnx"), renamed).unwrap();
        let bundle = Bundle::open(folder.path()).unwrap();
        assert_eq!(bundle.dtypes(GraphRole::Decoder), [dtype]);
        assert_eq!(bundle.dtypes(GraphRole::Embed), ["fp32"]);
        let choice = format!("fp32,decoder={dtype}").parse().unwrap();
        assert_eq!(
            bundle.choose_dtype(GraphRole::Decoder, &choice).unwrap(),
            Some(dtype)
        );
        assert!(bundle.report().unwrap().missing.is_empty());
    }
}

#[test]
fn data_in_several_chunks_are_all_checked_for() {
    let folder = bundle_on_disk();
    let graphs = folder.path().join("onnx");
    let path = graphs.join("embed_tokens.onnx");
    let mut graph = Graph::of_file(&fs::read(&path).unwrap());
    graph
        .constants
        .push(float_in("embed_tokens.onnx_data_1", "unused", 0));
    graph
        .constants
        .push(float_in("embed_tokens.onnx_data_2", "unused_too", 4));
    fs::write(&path, graph.file()).unwrap();
    fs::write(graphs.join("embed_tokens.onnx_data_1"), [0; 4]).unwrap();
    let bundle = Bundle::open(folder.path()).unwrap();
    let missing = bundle.report().unwrap().missing.join("; ");
    assert!(missing.contains("embed_tokens.onnx_data_2"), "{missing}");
    let error = load(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bundle);
    assert!(
        error
            .to_string()
            .contains("\"embed_tokens.onnx_data_2\", which is missing"),
        "{error}"
    );
    fs::write(graphs.join("embed_tokens.onnx_data_2"), [0; 8]).unwrap();
    assert!(load(&folder).is_ok());
    assert_eq!(
        bundle.graph_size_bytes(GraphRole::Embed, "fp32") % 4_096,
        (fs::metadata(&path).unwrap().len() + 12) % 4_096
    );
}

#[test]
fn both_spellings_of_the_configuration_run() {
    let (ids, _) = (vec![2, 300, 301, 302], ());
    let expected = RUNTIME.generate(request(ids.clone(), Vec::new())).unwrap();
    let spellings: [fn(&mut Value); 2] = [
        // As transformers 5.23 saves it.
        |config| {
            let text = config["text_config"].as_object_mut().unwrap();
            text.remove("global_head_dim");
            text.remove("num_global_key_value_heads");
            let full = json!({"2": {"head_dim": 64}, "5": {"head_dim": 64}});
            text.insert("per_layer_config".into(), full);
        },
        // As published.
        |config| {
            let text = config["text_config"].as_object_mut().unwrap();
            text.insert("global_head_dim".into(), json!(64));
        },
    ];
    for spelling in spellings {
        let folder = bundle_on_disk();
        edit(&folder, "config.json", spelling);
        let runtime = load(&folder).unwrap();
        assert_same(
            &runtime.generate(request(ids.clone(), Vec::new())).unwrap(),
            &expected,
        );
        let widths: Vec<usize> = runtime
            .kv_layers()
            .iter()
            .map(|layer| layer.head_dim)
            .collect();
        assert_eq!(widths, [32, 32, 64]);
    }
}

#[test]
fn each_missing_file_is_named_with_the_way_out() {
    let vital = Some(ErrorKind::Bundle);
    let sense = Some(ErrorKind::Unsupported);
    let cases = [
        (
            "config.json",
            vital,
            "expected a file config.json, found none; copy it",
        ),
        (
            "tokenizer.json",
            vital,
            "expected a file tokenizer.json, found none; copy it",
        ),
        (
            "onnx/embed_tokens.onnx",
            vital,
            "expected a file onnx/embed_tokens.onnx, found none; copy it",
        ),
        (
            "onnx/decoder_model_merged.onnx",
            vital,
            "expected a file onnx/decoder_model_merged.onnx, found none; copy it",
        ),
        (
            "onnx/decoder_model_merged.onnx_data",
            vital,
            "decoder_model_merged.onnx_data\", which is missing; copy or fetch",
        ),
        (
            "onnx/vision_encoder.onnx",
            sense,
            "cannot take images; use a model that can",
        ),
        (
            "onnx/vision_encoder.onnx_data",
            vital,
            "vision_encoder.onnx_data\", which is missing; copy or fetch",
        ),
        (
            "onnx/audio_encoder.onnx",
            sense,
            "cannot take audios; use a model that can",
        ),
        // The usual budget is another than this model's.
        (
            "processor_config.json",
            Some(ErrorKind::Invalid),
            "expected 280 placeholder ids in a row, found 70",
        ),
        ("generation_config.json", None, ""),
        ("tokenizer_config.json", None, ""),
        ("preprocessor_config.json", None, ""),
    ];
    for (name, kind, words) in cases {
        let folder = bundle_on_disk();
        fs::remove_file(folder.path().join(name)).unwrap();
        let (ids, media) = seen_and_heard();
        let outcome = load(&folder).and_then(|runtime| runtime.generate(request(ids, media)));
        let text = outcome
            .as_ref()
            .err()
            .map_or(String::new(), ToString::to_string);
        assert_eq!(
            outcome.as_ref().err().map(lapidary::Error::kind),
            kind,
            "{name}: {text}"
        );
        assert!(text.contains(words), "{name}: {text}");
    }
}

#[test]
fn a_text_only_bundle_refuses_media_before_any_work() {
    let folder = bundle_on_disk();
    for name in ["vision_encoder.onnx", "audio_encoder.onnx"] {
        fs::remove_file(folder.path().join("onnx").join(name)).unwrap();
    }
    let runtime = load(&folder).unwrap();
    // No picture and no recording at all: nobody gets as far as reading them.
    for media in [Media::image(vec![0]), Media::audio(vec![0])] {
        let conversation = lapidary::Conversation::new().user_with([media], "What?");
        let error = runtime
            .chat(conversation, greedy(1))
            .unwrap()
            .finish()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert!(runtime.chat("Hi", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn large_models_get_the_large_template_and_their_context() {
    let folder = bundle_on_disk();
    edit(&folder, "config.json", |config| {
        let text = config["text_config"].as_object_mut().unwrap();
        for (key, value) in [
            ("hidden_size", json!(5376)),
            ("num_hidden_layers", json!(60)),
            ("hidden_size_per_layer_input", json!(0)),
            ("max_position_embeddings", json!(262_144)),
            ("use_bidirectional_attention", json!("vision")),
        ] {
            text.insert(key.into(), value);
        }
    });
    let bundle = Bundle::open(folder.path()).unwrap();
    let config = bundle.config();
    assert_eq!((config.size, config.context_tokens), ("31B", 262_144));
    assert_eq!(config.prompt_style, PromptStyle::Large);
    assert!(config.bidirectional_images);
}
