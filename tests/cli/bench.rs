//! `lapidary bench`: every figure is there and in its order.

use serde_json::Value;

use super::{lines, run};

#[test]
fn bench_measures_every_figure_as_often_as_asked() {
    let sizes = ["--prompt-tokens", "8,40", "--tokens", "4", "--repeat", "2"];
    let output = run(&[&["bench", "--json"][..], &sizes].concat());
    let report = lines(&output).remove(0);
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "process start to first token",
            "first token, warm",
            "prefill of 8",
            "prefill of 40",
            "decode",
            "decode step, in ONNX Runtime",
            "decode step, whole",
            "parser, one token",
            "parser, of a decode step",
        ]
    );
    for row in rows {
        let [least, median, most] =
            ["min", "median", "max"].map(|name| row[name].as_f64().unwrap());
        assert!(0.0 < least && least <= median && median <= most, "{row}");
        assert_eq!(row["count"], Value::from(2));
    }
}
