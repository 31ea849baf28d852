//! What decoders are fed: a decoder that answers with its inputs.

use std::fs;

use lapidary::{Bundle, Limits, Media};

use crate::onnx::{FLOAT, FLOAT16, Graph, INT64, ints, node, node_with, port};
use crate::support::{RUNTIME, builder, bundle_on_disk, request, seen_and_heard};

/// A decoder that computes nothing: its logits say what it was fed. Layer 0 keeps its window alone, layer 1 all.
/// Columns: position, media kind, id, tokens in the mask, rows in the sliding mask, rows fed of layer 0 and of
/// layer 1, tokens of this run, position of the oldest row of layer 0.
fn probe() -> Vec<u8> {
    let length = |of: &str, axis: &str, name: &str| {
        let (shape, one, float) = (
            format!("{name}_shape"),
            format!("{name}_one"),
            format!("{name}_f"),
        );
        vec![
            node("Shape", &[of], &shape),
            node("Gather", &[&shape, axis], &one),
            node_with("Cast", &[&one], &float, &[("to", FLOAT)]),
            node("Expand", &[&float, "row_shape"], name),
        ]
    };
    let column = |of: &str, name: &str| {
        let deep = format!("{name}_deep");
        vec![
            node("Unsqueeze", &[of, "axis_2"], &deep),
            node_with("Cast", &[&deep], name, &[("to", FLOAT)]),
        ]
    };
    let grown = |layer: u64, kind: &str, dtype: u64| {
        let name = |what: &str| format!("{what}.{layer}.{kind}");
        let (typed, new, past) = (name("typed"), name("new"), name("past_key_values"));
        let shape = format!("new_shape_{layer}");
        vec![
            node_with("Cast", &["positions"], &typed, &[("to", dtype)]),
            node("Expand", &[&typed, &shape], &new),
            node_with("Concat", &[&past, &new], &name("present"), &[("axis", 2)]),
        ]
    };
    let mut nodes = vec![
        node("Shape", &["position_ids"], "ids_shape"),
        node("Gather", &["ids_shape", "axis_1"], "run"),
        node_with(
            "Concat",
            &["axis_1", "run", "axis_1"],
            "row_shape",
            &[("axis", 0)],
        ),
        node_with(
            "Concat",
            &["axis_1", "axis_2", "run", "four"],
            "new_shape_0",
            &[("axis", 0)],
        ),
        node_with(
            "Concat",
            &["axis_1", "axis_1", "run", "eight"],
            "new_shape_1",
            &[("axis", 0)],
        ),
        node("Unsqueeze", &["position_ids", "around"], "positions"),
    ];
    nodes.extend(column("position_ids", "c0"));
    nodes.extend(column("mm_token_type_ids", "c1"));
    nodes.extend(column("input_ids", "c2"));
    nodes.extend(length("attention_mask", "axis_1", "c3"));
    nodes.extend(length("sliding_attention_mask", "axis_1", "c4"));
    nodes.extend(length("past_key_values.0.key", "axis_2", "c5"));
    nodes.extend(length("past_key_values.1.key", "axis_2", "c6"));
    nodes.extend(length("inputs_embeds", "axis_1", "c7"));
    for (layer, dtype) in [(0, FLOAT16), (1, FLOAT)] {
        nodes.extend(grown(layer, "key", dtype));
        nodes.extend(grown(layer, "value", dtype));
    }
    nodes.extend([
        node(
            "Slice",
            &["present.0.key", "zero", "axis_1", "axis_2"],
            "oldest",
        ),
        node("ReduceMax", &["oldest"], "oldest_one"),
        node_with("Cast", &["oldest_one"], "oldest_f", &[("to", FLOAT)]),
        node("Reshape", &["oldest_f", "axis_1"], "oldest_flat"),
        node("Expand", &["oldest_flat", "row_shape"], "c8"),
        node_with(
            "Concat",
            &["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"],
            "logits",
            &[("axis", 2)],
        ),
    ]);
    let past = |layer: &str, dtype, heads, length, width| {
        ["key", "value"].map(|kind| {
            let name = format!("past_key_values.{layer}.{kind}");
            port(&name, dtype, &["batch", heads, length, width])
        })
    };
    let mut inputs = vec![
        port("inputs_embeds", FLOAT, &["batch", "tokens", "128"]),
        port("attention_mask", INT64, &["batch", "total"]),
        port("sliding_attention_mask", INT64, &["batch", "total_sliding"]),
        port("position_ids", INT64, &["batch", "tokens"]),
        port("mm_token_type_ids", INT64, &["batch", "tokens"]),
        port("input_ids", INT64, &["batch", "tokens"]),
    ];
    inputs.extend(past("0", FLOAT16, "2", "past_sliding_length", "4"));
    inputs.extend(past("1", FLOAT, "1", "past_sequence_length", "8"));
    let present = |layer: &str, dtype, heads, width| {
        ["key", "value"].map(|kind| {
            let name = format!("present.{layer}.{kind}");
            port(&name, dtype, &["batch", heads, "all", width])
        })
    };
    let mut outputs = vec![port("logits", FLOAT, &["batch", "tokens", "9"])];
    outputs.extend(present("0", FLOAT16, "2", "4"));
    outputs.extend(present("1", FLOAT, "1", "8"));
    let constants = vec![
        ints("zero", &[1], &[0]),
        ints("axis_1", &[1], &[1]),
        ints("axis_2", &[1], &[2]),
        ints("four", &[1], &[4]),
        ints("eight", &[1], &[8]),
        ints("around", &[2], &[1, 3]),
    ];
    let graph = Graph {
        nodes,
        constants,
        inputs,
        outputs,
    };
    graph.file()
}

/// What the probe was fed for each token of a prompt and of four steps, in runs of `prefill_tokens_max`.
fn fed(ids: Vec<u32>, media: Vec<Media>, prefill_tokens_max: usize) -> Vec<Vec<f32>> {
    let folder = bundle_on_disk();
    fs::write(
        folder.path().join("onnx/decoder_model_merged.onnx"),
        probe(),
    )
    .unwrap();
    let limits = Limits {
        prefill_tokens_max,
        ..Limits::default()
    };
    let bundle = Bundle::open(folder.path()).unwrap();
    let runtime = builder().bundle(bundle).limits(limits).build().unwrap();
    let generated = runtime.generate(request(ids, media)).unwrap();
    let (prefill, decode) = (
        generated.logits_prefill.unwrap(),
        generated.logits_decode.unwrap(),
    );
    let rows = |tensor: &lapidary::Tensor<f32>| {
        let row = |index| tensor.row(index).to_vec();
        (0..tensor.row_count()).map(row).collect::<Vec<_>>()
    };
    [rows(&prefill), rows(&decode)].concat()
}

#[test]
fn a_decoder_is_fed_positions_kinds_and_ids_where_it_lists_them() {
    let (ids, media) = seen_and_heard();
    let config = RUNTIME.config();
    let kind = |id: &u32| match Some(*id) {
        id if id == config.image.map(|ids| ids.placeholder) => 1.0,
        id if id == config.audio.map(|ids| ids.placeholder) => 3.0,
        _ => 0.0,
    };
    let rows = fed(ids.clone(), media, 512);
    for (index, (row, id)) in rows.iter().zip(&ids).enumerate() {
        assert_eq!(
            row[..4],
            [index as f32, kind(id), *id as f32, ids.len() as f32]
        );
    }
    let step = &rows[ids.len()];
    assert_eq!((step[0], step[1]), (ids.len() as f32, 0.0));
}

#[test]
fn an_image_is_never_split_however_small_the_runs() {
    let (ids, media) = seen_and_heard();
    for prefill_tokens_max in [1, 7, 64] {
        let rows = fed(ids.clone(), media.clone(), prefill_tokens_max);
        // A run is told by the tokens in its mask.
        let runs_of = |kind: f32| {
            let rows = rows.iter().filter(|row| row[1] == kind);
            let mut ends: Vec<f32> = rows.map(|row| row[3]).collect();
            ends.dedup();
            ends.len()
        };
        assert_eq!((runs_of(1.0), runs_of(3.0)), (1, 1), "{prefill_tokens_max}");
        let last = &rows[ids.len() - 1];
        assert!(last[7] <= prefill_tokens_max as f32, "{last:?}");
    }
}

#[test]
fn sliding_layers_hold_their_window_and_no_more_however_long_the_prompt() {
    let ids: Vec<u32> = (0..1_500).map(|index| 300 + index % 700).collect();
    let window = RUNTIME.config().sliding_window as f32;
    for prefill_tokens_max in [1, 7, 64, 512] {
        let rows = fed(ids.clone(), Vec::new(), prefill_tokens_max);
        for row in &rows {
            let [_, _, _, total, sliding_mask, sliding, full, run, oldest] = row[..] else {
                panic!("{row:?}");
            };
            let past = total - run;
            assert_eq!((full, sliding_mask), (past, sliding + run));
            // The newest rows, without a gap, and as many as a token can see.
            assert_eq!(oldest, past - sliding);
            assert!(
                sliding >= past.min(window - 1.0) && sliding < 2.0 * window + 1.0,
                "{row:?}"
            );
        }
        assert_eq!(rows.len(), 1_504);
    }
}
