//! A plugin author's loop, in every language: start, build, test. The tools of other languages than Rust may be
//! missing on a machine; then the command says how to install them. `.ci/run authors` has them all.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::{lapidary, refused, text};

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guests");

const WORLDS: [&str; 4] = ["tool", "format", "agent", "logits"];

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `lapidary plugin …`, whose Rust is built beside the built-in guests.
fn plugin(arguments: &[&str]) -> Command {
    let mut command = lapidary(&[&["plugin"], arguments].concat());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    command.env("CARGO_TARGET_DIR", target);
    command
}

fn run(arguments: &[&str]) -> Output {
    plugin(arguments).output().unwrap()
}

fn passed(output: &Output) -> String {
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    assert!(output.status.success(), "{said}");
    said
}

/// Builds the plugin in `source`, or sees that the missing tool is asked for.
fn build(source: &Path, install: &str) -> Option<String> {
    let name = source.file_name().unwrap().to_str().unwrap();
    let component = built(name);
    let out = &component;
    let output = run(&["build", source.to_str().unwrap(), "--out", out]);
    let is_missing = text(&output.stderr).contains("expected it on the path, found none");
    if is_missing && std::env::var_os("LAPIDARY_AUTHOR_TOOLS").is_none() {
        refused(&output, 1, install);
        return None;
    }
    passed(&output);
    let report = run(&["check", "--json", "--grant", "inference", out]);
    let report: Value = serde_json::from_str(&passed(&report)).unwrap();
    assert_eq!(report["imports"], imports(&report["world"]), "{report}");
    Some(component)
}

/// What a component of the world imports, whatever its language brings along.
fn imports(world: &Value) -> Value {
    match world.as_str() {
        Some("agent") => json!(["lapidary:plugin/inference@0.1.0"]),
        Some("logits-processor") => json!(["lapidary:plugin/logits@0.1.0"]),
        _ => json!([]),
    }
}

/// Builds the plugin in `source` and runs its cases.
fn build_and_test(source: &Path, install: &str) {
    let Some(component) = build(source, install) else {
        return;
    };
    let source = source.to_str().unwrap();
    let cases = fs::read_to_string(Path::new(source).join("cases.jsonl")).unwrap();
    let count = cases.lines().count();
    let said = passed(&run(&["test", source, "--component", &component]));
    assert!(
        said.contains(&format!("{count} of {count} cases passed")),
        "{said}"
    );
}

/// A folder as `lapidary plugin new` makes it.
fn start(language: &str, world: &str) -> PathBuf {
    let name = format!("{language}-{world}");
    let folder = folder().join(&name);
    // Of an earlier run.
    drop(fs::remove_dir_all(&folder));
    let parent = folder.parent().unwrap().to_str().unwrap();
    passed(&run(&[
        "new", &name, "--lang", language, "--world", world, "--in", parent,
    ]));
    folder
}

#[test]
fn the_guest_in_c_works() {
    build_and_test(&Path::new(GUESTS).join("tool-units"), "pip install ziglang");
}

#[test]
fn the_guest_in_javascript_works() {
    build_and_test(
        &Path::new(GUESTS).join("tool-regex"),
        "npm install --global componentize-qjs",
    );
}

#[test]
fn the_guest_in_python_works() {
    build_and_test(
        &Path::new(GUESTS).join("tool-dates"),
        "pip install componentize-py",
    );
}

#[test]
fn what_new_makes_in_c_works() {
    for world in WORLDS {
        build_and_test(&start("c", world), "pip install ziglang");
    }
}

#[test]
fn what_new_makes_in_javascript_works() {
    for world in ["tool", "format", "agent"] {
        build_and_test(&start("js", world), "npm install --global componentize-qjs");
    }
    // As with Python: compiling a whole JavaScript engine takes the host a minute.
    build(
        &start("js", "logits"),
        "npm install --global @bytecodealliance/componentize-js",
    );
}

#[test]
fn what_new_makes_in_rust_works() {
    for world in WORLDS {
        let folder = start("rust", world);
        // The versions that the built-in guests were compiled with.
        fs::copy(
            Path::new(GUESTS).join("Cargo.lock"),
            folder.join("Cargo.lock"),
        )
        .unwrap();
        build_and_test(&folder, "rustup.rs");
    }
    a_tool_takes_over_from_an_older_version();
    an_agent_does_a_task();
    a_processor_ends_answers();
}

/// A server on this machine that answers every request with `hello`.
fn greeter() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let read = stream.read(&mut [0; 4_096]).unwrap();
            assert!(read > 0);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://localhost:{port}")
}

#[test]
fn the_guest_with_a_standard_http_client_works() {
    let (component, host) = (built("tool-page"), greeter());
    let source = Path::new(GUESTS).join("tool-page");
    passed(&run(&[
        "build",
        source.to_str().unwrap(),
        "--out",
        &component,
    ]));
    let report = run(&["check", "--json", &component]);
    let report: Value = serde_json::from_str(&text(&report.stdout)).unwrap();
    let message = report["reason"]["message"].as_str().unwrap();
    let words = "asks for wasi:io/poll@0.2.12, which is not granted; pass --grant http:HOST";
    assert!(message.ends_with(words), "{report}");
    let folder = folder().join("pages");
    fs::create_dir_all(&folder).unwrap();
    let case = |url: &str, key: &str, text: &str| {
        json!({"call": "read_page", "arguments": {"url": url}, key: text}).to_string()
    };
    let cases = [
        case(&format!("{host}/a?b=c"), "expect", "hello"),
        case("http://example.com/", "error", "this host was not allowed"),
        case(
            "example.com",
            "error",
            "expected one like https://example.com/page",
        ),
    ];
    fs::write(folder.join("cases.jsonl"), cases.join("\n")).unwrap();
    let grant = format!("http-private:{host}");
    let arguments = ["test", folder.to_str().unwrap(), "--component", &component];
    let said = passed(&run(&[&arguments[..], &["--grant", &grant]].concat()));
    assert!(said.contains("3 of 3 cases passed"), "{said}");
}

/// A tool that keeps something, and a later version of it that keeps it elsewhere.
const NOTES: &str = r#"
use lapidary_guest::{Error, Handover, JsonSchema, Tool, ToolResult, export_tool, key_value, schemars};

#[derive(serde::Deserialize, JsonSchema)]
struct Nothing {}

struct Notes;

impl Tool for Notes {
    type Arguments = Nothing;
    const NAME: &str = "notes";
    const DESCRIPTION: &str = "Tells what is kept.";

    fn call(_: Nothing) -> ToolResult {
        Ok(key_value::keys()?.join(" ").into())
    }
}

impl Handover for Notes {
    fn adopt(older: String) -> Result<(), Error> {
        key_value::set(&format!("from {older}"), b"")
    }
}
"#;

fn a_tool_takes_over_from_an_older_version() {
    let grants: lapidary::Grants = "key-value".parse().unwrap();
    let engines = lapidary::Engines::new(&lapidary::Limits::default(), None).unwrap();
    let make = |export: &str| {
        let (source, out) = (folder().join("rust-tool"), built("rust-notes"));
        fs::write(source.join("src/lib.rs"), format!("{NOTES}{export}\n")).unwrap();
        passed(&run(&["build", source.to_str().unwrap(), "--out", &out]));
        let report = run(&["check", "--json", "--grant", "key-value", &out]);
        let report: Value = serde_json::from_str(&passed(&report)).unwrap();
        (fs::read(out).unwrap(), report["adopts"].clone())
    };
    let (old, adopts) = make("export_tool!(Notes);");
    assert_eq!(adopts, json!(false));
    let old = lapidary::ToolPlugin::load("notes", &old, &grants, &engines).unwrap();
    let (new, adopts) = make("export_tool!(Notes; adopt = Notes);");
    assert_eq!(adopts, json!(true));
    let new = old.successor(&new, &grants).unwrap();
    let call = lapidary::ToolCall {
        id: "1".into(),
        name: "notes".into(),
        arguments: json!({}),
    };
    let told = |tools: &lapidary::ToolPlugin| {
        let result = tools.call(&call, &lapidary::Interrupt::new()).unwrap();
        result.content.to_json()
    };
    assert_eq!(told(&new), json!(format!("from {}", old.info().digest)));
    assert_eq!(told(&old), json!(""));
}

/// The agent from `lapidary plugin new`, on the embedded model.
fn an_agent_does_a_task() {
    let (agent, recording) = (built("rust-agent"), folder().join("agent.jsonl"));
    let recording = recording.to_str().unwrap();
    let task = ["--grant", "inference", "Hello!\n\nHello!"];
    let output = lapidary(&[&["agent", &agent], &task[..]].concat())
        .output()
        .unwrap();
    let answers = text(&output.stdout);
    let lines: Vec<&str> = answers.lines().collect();
    assert!(lines.len() >= 2, "{answers}{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("tokens of the model"));
    refused(
        &lapidary(&["agent", &agent, "Hello!"]).output().unwrap(),
        2,
        "pass --grant inference",
    );
    let two_tokens = ["agent", &agent, "--grant", "inference:2", "Hello!"];
    refused(
        &lapidary(&two_tokens).output().unwrap(),
        3,
        "expected at most 2 tokens a minute",
    );
    let in_chat = lapidary(&["chat", "--plugin", &agent, "--grant", "inference", "Hi"]);
    refused(
        &{ in_chat }.output().unwrap(),
        2,
        "run it with `lapidary agent`",
    );
    let record = ["record", "--out", recording, "--agent", &agent];
    passed(&run(&[&record, &task[..]].concat()));
    let said = passed(&run(&["replay", recording, &agent]));
    assert_eq!(said, "0 of 1 changed\n");
}

/// The processor from `lapidary plugin new`, on the embedded model.
fn a_processor_ends_answers() {
    let processor = built("rust-logits");
    let chat = |config: &str| {
        let flags = ["chat", "--json", "--greedy", "--plugin", &processor];
        lapidary(&[&flags, &["--logits-config", config, "Hello!"][..]].concat())
            .output()
            .unwrap()
    };
    let output = chat(r#"{"token":106,"after":2,"bias":100}"#);
    let events = passed(&output);
    let last: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(last["reason"], "end-of-turn", "{events}");
    assert_eq!(last["usage"]["output_tokens"], 3, "{events}");
    refused(&chat("{}"), 2, "missing field `token`");
    refused(&chat("[]"), 2, "expected a JSON object");
    a_generation_runs_again(&processor);
    a_processor_leans_on_raw_prompts(&processor);
}

/// Without a chat around it, and told by each flag and by `lapidary.toml`.
fn a_processor_leans_on_raw_prompts(processor: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ids = |flags: &[&str]| {
        let prompt = ["generate", "--json", "--greedy", "--max-tokens", "6"];
        let plugin = ["--prompt", "Hello!", "--plugin", processor];
        let mut command = lapidary(&[&prompt[..], &plugin, flags].concat());
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["ids"].as_array().unwrap().clone()
    };
    let told = r#"{"token":106,"after":2,"bias":100}"#;
    let named = format!("rust-logits.wasm={told}");
    let never = r#"{"token":106,"after":200,"bias":100}"#;
    let [by_name, by_flag] = [
        ids(&["--logits-config", never, "--plugin-config", &named]),
        ids(&["--logits-config", told]),
    ];
    assert_eq!((by_name.len(), &by_name[2]), (3, &json!(106)));
    assert_eq!(by_name, by_flag);
    let settings =
        "[plugins.\"rust-logits.wasm\"]\nconfig = { token = 106, after = 2, bias = 100 }";
    fs::write(folder.path().join("lapidary.toml"), settings).unwrap();
    assert_eq!(ids(&[]), by_flag);
    assert_eq!(ids(&["--logits-config", never]).len(), 6);
}

#[test]
fn only_logits_processors_take_part_in_raw_prompts_and_are_told_something() {
    let generate = |flags: &[&str]| {
        let prompt = ["generate", "--prompt", "Hi"];
        lapidary(&[&prompt[..], flags].concat()).output().unwrap()
    };
    refused(
        &generate(&["--plugin", "calculator"]),
        2,
        "expected a logits processor, found a tool-provider; `lapidary chat` takes tools",
    );
    let unknown = generate(&["--plugin-config", "x.wasm={}"]);
    refused(
        &unknown,
        2,
        "expected the file name of a --plugin, found \"x.wasm\"",
    );
    refused(
        &generate(&["--plugin-config", "{}"]),
        2,
        "expected NAME=JSON",
    );
    let chat = [
        "chat",
        "--plugin",
        "calculator",
        "--plugin-config",
        "tool-calculator={}",
        "Hi",
    ];
    let told = lapidary(&chat).output().unwrap();
    refused(&told, 2, "which only logits processors take");
}

/// Recorded, and with another version, which is the same under another name.
fn a_generation_runs_again(processor: &str) {
    let recording = folder().join("logits.jsonl");
    let recording = recording.to_str().unwrap();
    let config = r#"{"token":106,"after":2,"bias":0.5}"#;
    let record = ["record", "--out", recording, "--plugin", processor];
    let chat = [
        "--greedy",
        "--stop",
        "tiny",
        "--logits-config",
        config,
        "Hello!",
    ];
    passed(&run(&[&record[..], &chat].concat()));
    let replay = ["replay", recording, processor];
    assert_eq!(passed(&run(&replay)), "0 of 1 changed\n");
    let lines = fs::read_to_string(recording).unwrap();
    fs::write(recording, lines.replace("[106,0.5]", "[106,0.75]")).unwrap();
    let output = run(&replay);
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stdout);
    let line = ", session: /outcome/changes/2/0/add/0/1: expected 0.75, found 0.5\n";
    assert!(said.contains(line), "{said}");
}

/// In a folder for each: the interfaces are laid out beside the component, and tests run side by side.
fn built(name: &str) -> String {
    let file = folder()
        .join("built")
        .join(name)
        .join(name)
        .with_extension("wasm");
    file.to_str().unwrap().to_owned()
}

// Compiling a whole Python takes the host a minute, so these are only built and looked at.
#[test]
fn what_new_makes_in_python_fits() {
    for world in ["format", "agent", "logits"] {
        build(&start("python", world), "pip install componentize-py");
    }
}

#[test]
fn a_case_that_fails_is_shown() {
    let folder = folder().join("failing");
    fs::create_dir_all(&folder).unwrap();
    let component = folder.join("calculator.wasm");
    fs::write(&component, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let cases = [
        r#"{"call":"calculator","arguments":{"expression":"1+1"},"expect":"2"}"#,
        r#"{"call":"calculator","arguments":{"expression":"1+1"},"expect":"3"}"#,
        r#"{"call":"calculator","arguments":{"expression":"1/0"},"expect":"3"}"#,
        r#"{"call":"calculator","arguments":{"expression":"1+1"},"error":"zero"}"#,
        r#"{"call":"nothing","expect":"3"}"#,
    ];
    fs::write(folder.join("cases.jsonl"), cases.join("\n")).unwrap();
    let component = component.to_str().unwrap();
    let output = run(&["test", folder.to_str().unwrap(), "--component", component]);
    assert_eq!(output.status.code(), Some(4));
    let said = text(&output.stdout);
    for line in [
        "line 2: expected \"3\", found \"2\"\n",
        "line 3: expected a result, found the error",
        "line 4: expected the error \"zero\", found \"2\"\n",
        "line 5: plugin \"calculator.wasm\": has no tool \"nothing\"\n",
        "1 of 5 cases passed\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn mistakes_in_a_folder_are_named() {
    let folder = folder().join("mistaken");
    // Of an earlier run.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.to_str().unwrap();
    refused(&run(&["build", path]), 1, "`lapidary plugin new` makes one");
    fs::write(
        folder.join("plugin.toml"),
        "name = \"x\"\nlanguage = \"basic\"",
    )
    .unwrap();
    refused(&run(&["build", path]), 2, "unknown variant `basic`");
    refused(&run(&["new", "Bad_Name"]), 2, "expected lower-case letters");
    refused(
        &run(&[
            "new",
            "mistaken",
            "--in",
            folder.parent().unwrap().to_str().unwrap(),
        ]),
        2,
        "is already there",
    );
    refused(&run(&["test", path]), 1, "its lines are the plugin's cases");
    refused(
        &run(&["test", "nowhere.wasm"]),
        2,
        "is named with --component",
    );
    let whole = "name = \"x\"\nversion = \"1.0.0\"\nworld = \"tool\"\nlanguage = \"c\"";
    fs::write(folder.join("plugin.toml"), whole).unwrap();
    fs::write(folder.join("cases.jsonl"), "").unwrap();
    for command in ["test", "pack"] {
        let told = run(&[command, path]);
        refused(
            &told,
            1,
            "x.wasm: is not there; run `lapidary plugin build` first",
        );
    }
    fs::write(folder.join("cases.jsonl"), "[]").unwrap();
    refused(
        &run(&["test", path]),
        2,
        "cases.jsonl:1: expected one JSON object a line",
    );
}
