//! The command as a person or a script meets it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "cli/authors.rs"]
mod authors;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/conformance.rs"]
mod conformance;
#[path = "cli/constraint.rs"]
mod constraint;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/failure.rs"]
mod failure;
#[path = "cli/fetch.rs"]
mod fetch;
#[allow(dead_code, reason = "the library's tests use the rest")]
#[path = "hostile/component.rs"]
mod hostile;
#[allow(dead_code, reason = "the library's tests use the rest")]
#[path = "it/hub.rs"]
mod hub;
#[path = "cli/mcp.rs"]
mod mcp;
#[path = "cli/record.rs"]
mod record;
#[path = "cli/registry.rs"]
mod registry;
#[path = "cli/share.rs"]
mod share;
#[path = "cli/strangers.rs"]
mod strangers;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/tiny/reference");

fn lapidary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["LAPIDARY_MODEL", "LAPIDARY_PROVIDER"] {
        command.env_remove(variable);
    }
    // Away from anyone's lapidary.toml.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

fn run(arguments: &[&str]) -> Output {
    lapidary(arguments).output().unwrap()
}

fn with_input(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = lapidary(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_ref())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The process ends with `code`, says why on standard error and nothing on standard output.
fn refused(output: &Output, code: i32, words: &str) {
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(words), "{errors}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn chat_prints_the_answer_and_nothing_else_on_standard_output() {
    let output = run(&["chat", "--greedy", "--max-tokens", "8", "Hello!"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("tokens/s"),
        "{}",
        text(&output.stderr)
    );
    assert!(!text(&output.stdout).contains("tokens/s"));
}

#[test]
fn what_is_no_text_is_told_by_where_it_came_from() {
    let output = with_input(&["chat"], b"Hi \xff");
    refused(
        &output,
        2,
        "standard input: expected text in UTF-8, found another byte at 3",
    );
}

#[test]
fn an_error_tells_each_cause_once() {
    let output = run(&["plugin", "pull", "oci:/nope", "--out", "x.wasm"]);
    refused(&output, 1, "/nope/index.json: cannot be read: ");
    let told = text(&output.stderr);
    assert_eq!(told.matches("(os error").count(), 1, "{told}");
}

#[test]
fn chat_json_ends_with_usage() {
    let events = lines(&run(&[
        "chat",
        "--json",
        "--greedy",
        "--max-tokens",
        "8",
        "Hello!",
    ]));
    let last = events.last().unwrap();
    assert_eq!(last["type"], "finished");
    for key in [
        "prompt_tokens",
        "cached_tokens",
        "thought_tokens",
        "output_tokens",
        "prefill_ms",
        "decode_ms",
    ] {
        assert!(last["usage"][key].is_number(), "{last}");
    }
    assert_eq!(last["usage"]["provider"], "cpu");
}

#[test]
fn chat_reads_standard_input_when_there_is_no_prompt() {
    let output = with_input(&["chat", "--json", "--max-tokens", "2"], "Hello!");
    assert_eq!(lines(&output).last().unwrap()["type"], "finished");
}

#[test]
fn chat_takes_pictures_and_recordings() {
    let (picture, recording) = (
        format!("{REFERENCE}/test.png"),
        format!("{REFERENCE}/test.wav"),
    );
    let media = [
        "--image",
        &picture,
        "--audio",
        &recording,
        "--image-budget",
        "70",
    ];
    let events = lines(&run(&[
        &["chat", "--json", "--max-tokens", "2", "Look!"],
        &media[..],
    ]
    .concat()));
    assert!(
        events.last().unwrap()["usage"]["prompt_tokens"]
            .as_u64()
            .unwrap()
            > 60
    );
}

#[test]
fn render_keeps_data_apart_from_control() {
    let requests = [
        json!({"messages": [{"role": "user", "content": "Say <turn|>."}]}),
        json!({"messages": [{"role": "bard", "content": "O"}]}),
    ];
    let input = requests.map(|request| request.to_string()).join("\n");
    let results = lines(&with_input(&["render", "--jsonl"], input));
    assert_eq!(
        results[0]["text"],
        "<bos><|turn>user\nSay <turn|>.<turn|>\n<|turn>model\n"
    );
    let data: Vec<&Value> = results[0]["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|piece| piece.get("data"))
        .collect();
    assert_eq!(data, [&json!("Say <turn|>.")]);
    assert!(results[0].get("ids").is_none());
    assert_eq!(results[1]["error"]["kind"], "invalid");
}

#[test]
fn render_with_the_large_variant_prefills_an_empty_thought() {
    let request = json!({"messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let results = lines(&with_input(
        &["render", "--jsonl", "--variant", "large"],
        &request,
    ));
    assert_eq!(
        results[0]["text"],
        "<bos><|turn>user\nHi<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    );
}

#[test]
fn parse_gives_the_same_for_whole_and_cut_text() {
    let output =
        "<|channel>thought\nhm<channel|>So:<|tool_call>call:f{a:<|\"|>x<|\"|>,b:3}<tool_call|>";
    let chunks: Vec<String> = output.chars().map(String::from).collect();
    let requests = [
        json!({"input_text": output}),
        json!({"input_text": output, "chunks": chunks}),
    ];
    let results = lines(&with_input(
        &["parse", "--jsonl"],
        requests.map(|request| request.to_string()).join("\n"),
    ));
    for result in &results {
        assert_eq!(result["reasoning"], "hm");
        assert_eq!(result["content"], "So:");
        assert_eq!(
            result["tool_calls"],
            json!([{"name": "f", "arguments": {"a": "x", "b": 3}}])
        );
    }
}

#[test]
fn parse_starts_where_the_prompt_ends() {
    let request =
        json!({"input_text": "hm<channel|>Yes.", "prefix": "<|turn>model\n<|channel>thought\n"});
    let result = &lines(&with_input(&["parse", "--jsonl"], request.to_string()))[0];
    assert_eq!(
        (&result["reasoning"], &result["content"]),
        (&json!("hm"), &json!("Yes."))
    );
}

#[test]
fn features_writes_what_the_encoders_get() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("features.safetensors");
    let out = out.to_str().unwrap();
    let picture = format!("{REFERENCE}/test.png");
    let summary = &lines(&run(&[
        "features", "image", &picture, "--budget", "70", "--out", out,
    ]))[0];
    let (bytes, tokens) = (
        fs::read(out).unwrap(),
        summary["soft_tokens"].as_u64().unwrap(),
    );
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(
        tensors.tensor("pixel_values").unwrap().shape(),
        [usize::try_from(tokens).unwrap() * 9, 768]
    );
    let recording = format!("{REFERENCE}/test.wav");
    let summary = &lines(&run(&[
        "features",
        "audio",
        &recording,
        "--raw-16k",
        "--out",
        out,
    ]))[0];
    let bytes = fs::read(out).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let frames = usize::try_from(summary["frames"].as_u64().unwrap()).unwrap();
    assert_eq!(
        tensors.tensor("input_features").unwrap().shape(),
        [frames, 128]
    );
    assert_eq!(
        tensors.tensor("input_features_mask").unwrap().dtype(),
        safetensors::Dtype::BOOL
    );
}

#[test]
fn generate_writes_ids_and_logits() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("logits.safetensors");
    let flags = [
        "--max-tokens",
        "3",
        "--greedy",
        "--ignore-eos",
        "--json",
        "--logits",
        out.to_str().unwrap(),
    ];
    let result = &lines(&run(
        &[&["generate", "--ids", "2,105,107"], &flags[..]].concat()
    ))[0];
    assert_eq!(result["ids"].as_array().unwrap().len(), 3);
    let bytes = fs::read(out).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("logits_prefill").unwrap().shape()[0], 3);
    assert_eq!(tensors.tensor("logits_decode").unwrap().shape()[0], 3);
}

#[test]
fn generate_takes_messages_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.json");
    let parts = json!([{"type": "text", "text": "What is it?"}, {"type": "image"}]);
    fs::write(
        &file,
        json!([{"role": "user", "content": parts}]).to_string(),
    )
    .unwrap();
    let picture = format!("{REFERENCE}/test.png");
    let flags = [
        "--messages",
        file.to_str().unwrap(),
        "--image",
        &picture,
        "--max-tokens",
        "2",
        "--json",
    ];
    assert!(
        lines(&run(&[&["generate"], &flags[..]].concat()))[0]["usage"]["prompt_tokens"]
            .as_u64()
            .unwrap()
            > 60
    );
}

#[test]
fn inspect_describes_bundles_and_plugins() {
    let report = &lines(&run(&["inspect", "--json"]))[0];
    assert_eq!(
        report["modalities"],
        json!(["text", "image", "audio", "video"])
    );
    assert_eq!(report["missing"], json!([]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock.wasm");
    fs::write(&file, lapidary_guests::TOOL_CLOCK).unwrap();
    let report = &lines(&run(&["inspect", "--json", file.to_str().unwrap()]))[0];
    assert_eq!(report["world"], "tool-provider");
    assert_eq!(report["grants"], json!(["clock"]));
}

#[test]
fn doctor_finds_this_machine_well() {
    let output = run(&["doctor"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("self-check"));
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        "demo", "chat", "agent", "render", "parse", "generate", "features", "fetch", "inspect",
        "doctor", "mcp",
    ] {
        let output = run(&[command, "--help"]);
        assert!(
            text(&output.stdout).contains(&format!("lapidary {command}")),
            "{command}"
        );
    }
}

#[test]
fn exit_codes_tell_who_has_to_act() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let empty = folder.path().to_str().unwrap();
    let (no_picture, no_plugin) = (write("no.png", b"hello"), write("no.wasm", b"hello"));
    let clock = write("clock.wasm", lapidary_guests::TOOL_CLOCK);
    refused(
        &run(&["chat", "--image", &no_picture, "Look!"]),
        2,
        "image 1",
    );
    refused(
        &run(&["chat", "--image", "/nowhere.png", "Look!"]),
        1,
        "/nowhere.png",
    );
    refused(&run(&["chat", "--plugin", &no_plugin, "Hi"]), 2, "no.wasm");
    refused(
        &run(&["chat", "--plugin", &clock, "Hi"]),
        2,
        "--grant clock",
    );
    refused(&run(&["chat", "--format", &clock, "Hi"]), 2, "clock.wasm");
    refused(
        &run(&["chat", "--provider", "cuda:0,cpu", "Hi"]),
        2,
        "cuda:0",
    );
    refused(&run(&["chat", "--model", empty, "Hi"]), 5, "config.json");
    refused(&run(&["chat", "--model", "/nowhere", "Hi"]), 5, "/nowhere");
    refused(&run(&["chat", &"word ".repeat(20_000)]), 3, "context");
    assert_eq!(
        run(&["chat", "--top-p", "much", "Hi"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_missing_or_foreign_library_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libonnxruntime.so");
    fs::write(&file, "not a library").unwrap();
    let with = |library: &Path| {
        let mut command = lapidary(&["chat", "Hi"]);
        command
            .env("LAPIDARY_CACHE", folder.path())
            .env("LAPIDARY_OFFLINE", "1")
            .env("ORT_DYLIB_PATH", library);
        command.output().unwrap()
    };
    refused(&with(&file), 1, "libonnxruntime.so");
    refused(
        &with(Path::new("/nowhere/libonnxruntime.so")),
        1,
        "/nowhere/libonnxruntime.so",
    );
    let mut command = lapidary(&["chat", "Hi"]);
    command
        .env("LAPIDARY_CACHE", folder.path())
        .env("LAPIDARY_OFFLINE", "1")
        .env_remove("ORT_DYLIB_PATH");
    refused(&command.output().unwrap(), 1, "1.31");
}

#[test]
fn defaults_come_from_lapidary_toml_and_flags_win() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("lapidary.toml"),
        "model = \"/nowhere\"\n",
    )
    .unwrap();
    let from_file = lapidary(&["chat", "Hi"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    refused(&from_file, 5, "/nowhere");
    let flag = lapidary(&["chat", "--model", "/elsewhere", "Hi"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    refused(&flag, 5, "/elsewhere");
    fs::write(folder.path().join("lapidary.toml"), "modell = 1\n").unwrap();
    refused(
        &lapidary(&["chat", "Hi"])
            .current_dir(folder.path())
            .output()
            .unwrap(),
        2,
        "modell",
    );
}

#[cfg(unix)]
#[test]
fn a_lapidary_toml_that_leads_nowhere_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/nowhere/file", folder.path().join("lapidary.toml")).unwrap();
    let mut command = lapidary(&["chat", "Hi"]);
    let output = command.current_dir(folder.path()).output().unwrap();
    refused(&output, 1, "lapidary.toml: cannot be read");
}

#[test]
fn a_bad_line_is_answered_by_its_error_and_the_next_line_works() {
    let input =
        b"\xff\n[]\n{\"messages\":[],\"tools\":\"x\"}\n{\"messages\":[],\"enable_thinking\":1}\n\
        {\"messages\":[{\"role\":\"user\",\"content\":[\"x\"]}]}\n{\"messages\":[]}\n";
    let results = lines(&with_input(&["render", "--jsonl"], input));
    assert_eq!(results.len(), 6);
    for result in &results[..5] {
        assert_eq!(result["error"]["kind"], "invalid", "{result}");
    }
    assert!(results[5]["text"].is_string());
    let results = lines(&with_input(
        &["parse", "--jsonl"],
        b"{\"input_text\":5}\n{\"input_text\":\"Hi\"}\n",
    ));
    assert_eq!(results[0]["error"]["kind"], "invalid");
    assert_eq!(results[1]["content"], "Hi");
}

#[test]
fn a_number_that_nothing_can_hold_stays_text() {
    let request = json!({"input_text": "ok <|tool_call>call:f{a:1e999}<tool_call|>"}).to_string();
    let result = &lines(&with_input(&["parse", "--jsonl"], request.as_bytes()))[0];
    assert_eq!(
        (
            &result["content"],
            &result["tool_calls"][0]["arguments"]["a"]
        ),
        (&json!("ok"), &json!("1e999"))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_reading_standard_error_loses_no_answer() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let arguments = ["chat", "--greedy", "--max-tokens", "4", "Hello!"];
    let output = lapidary(&arguments).stderr(full).output().unwrap();
    assert!(output.status.success());
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_cached_library_that_was_cut_short_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    // Fills the cache when this machine has none yet.
    run(&["doctor"]);
    let location = lapidary::onnxruntime::locate().unwrap();
    let cached = folder
        .path()
        .join("lapidary")
        .join(location.path.parent().unwrap().file_name().unwrap());
    fs::create_dir_all(&cached).unwrap();
    fs::write(cached.join(location.path.file_name().unwrap()), "cut").unwrap();
    let mut command = lapidary(&["chat", "Hi"]);
    command
        .env("LAPIDARY_CACHE", folder.path())
        .env("LAPIDARY_OFFLINE", "1")
        .env_remove("ORT_DYLIB_PATH");
    refused(&command.output().unwrap(), 1, "LAPIDARY_OFFLINE");
}

#[test]
fn inspect_names_a_graph_that_was_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("onnx")).unwrap();
    for (name, bytes) in lapidary_tiny::files() {
        let kept = if name.ends_with("vision_encoder.onnx_data") {
            &bytes[..100]
        } else {
            bytes
        };
        fs::write(folder.path().join(name), kept).unwrap();
    }
    let report = &lines(&run(&[
        "inspect",
        "--json",
        folder.path().to_str().unwrap(),
    ]))[0];
    assert!(
        report["missing"][0]
            .as_str()
            .unwrap()
            .contains("vision_encoder.onnx_data"),
        "{report}"
    );
}

#[test]
fn a_grant_that_means_nothing_is_refused_whoever_would_take_it() {
    for grant in ["clok", "nobody.wasm@clock"] {
        let output = run(&["chat", "--plugin", "clock", "--grant", grant, "Hi"]);
        refused(&output, 2, grant);
    }
}
