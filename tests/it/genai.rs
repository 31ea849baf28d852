//! Bundles in onnxruntime-genai's layout, made from the embedded one.

use std::fs;
use std::path::Path;

use lapidary::{Bundle, ErrorKind, GraphRole, PromptStyle};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::onnx::{FLOAT, Graph, INT64, Message, ints, node, node_with, port, zeros};
use crate::support::{RUNTIME, assert_same, builder, load, request, seen_and_heard};

/// The embedded model as an onnxruntime-genai bundle: soft tokens are laid over embeddings in the graph, per-layer
/// inputs have three dimensions, positions come from the mask, and logits of all tokens are given.
struct Genai {
    folder: TempDir,
}

/// Where the four graphs are.
type Names = [&'static str; 4];

const FOLDERS: Names = [
    "embedding/model.onnx",
    "decoder/model.onnx",
    "vision_encoder/model.onnx",
    "audio_encoder/model.onnx",
];
const FLAT: Names = ["embedding.onnx", "model.onnx", "vision.onnx", "speech.onnx"];

impl Genai {
    fn new(names: Names) -> Self {
        let genai = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let stems = GraphRole::ALL.map(GraphRole::file_stem);
        let graphs = [
            genai_embedding(),
            genai_decoder(),
            file("onnx/vision_encoder.onnx").to_vec(),
            file("onnx/audio_encoder.onnx").to_vec(),
        ];
        for ((name, stem), graph) in names.iter().zip(stems).zip(graphs) {
            genai.write(name, &graph);
            let data = format!("onnx/{stem}.onnx_data");
            let folder = Path::new(name).parent().unwrap();
            let beside = folder.join(format!("{stem}.onnx_data"));
            genai.write(beside.to_str().unwrap(), file(&data));
        }
        for name in ["tokenizer.json", "tokenizer_config.json"] {
            genai.write(name, file(name));
        }
        genai.write(
            "genai_config.json",
            genai_config(names).to_string().as_bytes(),
        );
        let transform = json!({"operation": {"name": "gemma4_image_transform", "attrs": {"max_soft_tokens": 70}}});
        let processor = json!({"processor": {"transforms": [{"operation": {}}, transform]}});
        genai.write("image_processor.json", processor.to_string().as_bytes());
        genai
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn file(name: &str) -> &'static [u8] {
    lapidary_tiny::file(name).unwrap()
}

fn genai_config(names: Names) -> Value {
    let config = RUNTIME.config();
    json!({
        "model": {
            "type": "gemma4",
            "context_length": 8192,
            "vocab_size": config.vocab_size,
            "eos_token_id": [1, 106, 50],
            "pad_token_id": 0,
            "image_token_id": config.image.unwrap().placeholder,
            "video_token_id": config.video.unwrap().placeholder,
            "embedding": {"filename": names[0]},
            "decoder": {"filename": names[1], "hidden_size": 128, "num_hidden_layers": 6},
            "vision": {"filename": names[2], "config_filename": "image_processor.json"},
            "speech": {"filename": names[3]},
        },
        "search": {"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.9},
    })
}

/// Looks padding up in place of placeholders, and lays features over them.
fn genai_embedding() -> Vec<u8> {
    let config = RUNTIME.config();
    let mut graph = Graph::of_file(file("onnx/embed_tokens.onnx"))
        .without_input("input_ids", "text_ids")
        .renamed("inputs_embeds", "embeddings")
        .renamed("per_layer_inputs", "per_layer");
    let placeholders = [config.image, config.audio].map(|ids| i64::from(ids.unwrap().placeholder));
    graph.nodes.splice(
        0..0,
        [
            node("Equal", &["input_ids", "image_id"], "is_image"),
            node("Equal", &["input_ids", "audio_id"], "is_audio"),
            node("Or", &["is_image", "is_audio"], "is_media"),
            node("Where", &["is_media", "pad_id", "input_ids"], "text_ids"),
        ],
    );
    graph.nodes.extend(laid_over("embeddings", "image", "seen"));
    graph
        .nodes
        .extend(laid_over("seen", "audio", "inputs_embeds"));
    let flat = node("Reshape", &["per_layer", "flat"], "per_layer_inputs");
    graph.nodes.push(flat);
    graph.constants.extend([
        ints("image_id", &[], &placeholders[..1]),
        ints("audio_id", &[], &placeholders[1..]),
        ints("pad_id", &[], &[0]),
        ints("axis", &[], &[1]),
        ints("last", &[1], &[-1]),
        ints("flat", &[3], &[0, 0, 192]),
        zeros("nothing", &[1, 128]),
    ]);
    graph.inputs = vec![
        port("input_ids", INT64, &["batch", "tokens"]),
        port("image_features", FLOAT, &["images", "128"]),
        port("audio_features", FLOAT, &["recordings", "128"]),
    ];
    graph.outputs = vec![
        port("inputs_embeds", FLOAT, &["batch", "tokens", "128"]),
        port("per_layer_inputs", FLOAT, &["batch", "tokens", "192"]),
    ];
    graph.file()
}

/// Row `i` of the features at the `i`th placeholder; row 0 is nothing, so that there may be none.
fn laid_over(below: &str, kind: &str, above: &str) -> [Message; 7] {
    let name = |what: &str| format!("{kind}_{what}");
    let (is, whole, count, at) = (
        format!("is_{kind}"),
        name("whole"),
        name("count"),
        name("at"),
    );
    let (features, all, rows, mask) = (name("features"), name("all"), name("rows"), name("mask"));
    [
        node_with("Concat", &["nothing", &features], &all, &[("axis", 0)]),
        node_with("Cast", &[&is], &whole, &[("to", INT64)]),
        node("CumSum", &[&whole, "axis"], &count),
        node("Mul", &[&count, &whole], &at),
        node("Gather", &[&all, &at], &rows),
        node("Unsqueeze", &[&is, "last"], &mask),
        node("Where", &[&mask, &rows, below], above),
    ]
}

/// Positions from the mask, per-layer inputs of three dimensions, logits of all tokens.
fn genai_decoder() -> Vec<u8> {
    let mut graph = Graph::of_file(file("onnx/decoder_model_merged.onnx"))
        .without_input("position_ids", "positions")
        .without_input("num_logits_to_keep", "all_logits")
        .without_input("per_layer_inputs", "per_layer");
    graph.nodes.splice(
        0..0,
        [
            node("Reshape", &["per_layer_inputs", "deep"], "per_layer"),
            node("Shape", &["attention_mask"], "mask_shape"),
            node("Shape", &["inputs_embeds"], "new_shape"),
            node("Gather", &["mask_shape", "one"], "total"),
            node("Gather", &["new_shape", "one"], "new"),
            node("Sub", &["total", "new"], "past"),
            node("Range", &["past", "total", "one"], "range"),
            node("Unsqueeze", &["range", "first"], "positions"),
        ],
    );
    graph.constants.extend([
        ints("deep", &[4], &[0, 0, 6, 32]),
        ints("one", &[], &[1]),
        ints("first", &[1], &[0]),
        ints("all_logits", &[], &[0]),
    ]);
    let per_layer = port("per_layer_inputs", FLOAT, &["batch", "tokens", "192"]);
    graph.inputs.push(per_layer);
    graph.file()
}

#[test]
fn a_genai_bundle_gives_what_the_embedded_model_gives() {
    let (ids, media) = seen_and_heard();
    let expected = RUNTIME
        .generate(request(ids.clone(), media.clone()))
        .unwrap();
    for names in [FOLDERS, FLAT] {
        let genai = Genai::new(names);
        let runtime = load(&genai.folder).unwrap();
        let found = runtime
            .generate(request(ids.clone(), media.clone()))
            .unwrap();
        assert_same(&found, &expected);
    }
}

#[test]
fn a_genai_bundle_is_described_by_its_own_config_tokenizer_and_graphs() {
    let genai = Genai::new(FOLDERS);
    let bundle = Bundle::open(genai.folder.path()).unwrap();
    let (found, expected) = (bundle.config(), RUNTIME.config());
    assert_eq!(bundle.layout(), "onnxruntime-genai");
    assert_eq!(
        (found.image, found.audio, found.video),
        (expected.image, expected.audio, expected.video)
    );
    assert_eq!((found.context_tokens, found.image_budget), (8192, 70));
    assert_eq!(found.prompt_style, PromptStyle::Small);
    assert_eq!(
        (found.sampling.temperature, found.sampling.top_k),
        (0.7, 20)
    );
    assert_eq!(found.eos_ids, [1, 106, 50]);
    let report = bundle.report().unwrap();
    assert_eq!(report.modalities, ["text", "image", "audio", "video"]);
    assert!(report.missing.is_empty(), "{:?}", report.missing);
}

#[test]
fn a_genai_bundle_has_one_build_and_refuses_another() {
    let genai = Genai::new(FOLDERS);
    let bundle = Bundle::open(genai.folder.path()).unwrap();
    let error = builder()
        .bundle(bundle)
        .dtype("q4".parse().unwrap())
        .build()
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Bundle);
    assert!(error.to_string().contains("found as-built"), "{error}");
}

/// One graph that looks ids up itself, as onnxruntime-genai's own builder makes them.
fn text_model() -> Vec<u8> {
    let embedding = Graph::of_file(file("onnx/embed_tokens.onnx"));
    let mut graph = Graph::of_file(file("onnx/decoder_model_merged.onnx"))
        .without_input("inputs_embeds", "inputs_embeds")
        .without_input("per_layer_inputs", "per_layer_inputs");
    graph.nodes.splice(0..0, embedding.nodes);
    graph.constants.extend(embedding.constants);
    graph
        .inputs
        .push(port("input_ids", INT64, &["batch", "tokens"]));
    graph.file()
}

#[test]
fn a_text_model_of_one_graph_runs_and_refuses_media() {
    let genai = Genai::new(FLAT);
    for name in ["embedding.onnx", "vision.onnx", "speech.onnx"] {
        fs::remove_file(genai.folder.path().join(name)).unwrap();
    }
    genai.write("model.onnx", &text_model());
    let mut config = genai_config(FLAT);
    for section in ["embedding", "vision", "speech"] {
        config["model"].as_object_mut().unwrap().remove(section);
    }
    genai.write("genai_config.json", config.to_string().as_bytes());
    let runtime = load(&genai.folder).unwrap();
    let (ids, media) = seen_and_heard();
    let error = runtime.generate(request(ids, media)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let ids: Vec<u32> = (300..400).collect();
    let expected = RUNTIME.generate(request(ids.clone(), Vec::new())).unwrap();
    assert_same(
        &runtime.generate(request(ids, Vec::new())).unwrap(),
        &expected,
    );
}
