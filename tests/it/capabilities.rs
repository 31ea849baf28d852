//! What grants open, and what they do not: paths that lead out, names that lead in, slow bodies, other
//! plugins' secrets, more of the model than was granted.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lapidary::{
    Access, ChatOptions, Content, Conversation, Engines, Error, ErrorKind, Grant, Grants,
    Inference, InferenceGrant, InferenceReply, InferenceRequest, Interrupt, Limits, Reach, Result,
    StopReason, ToolCall, ToolPlugin,
};

use crate::hostile::component::component;
use crate::support::RUNTIME;

static ENGINES: LazyLock<Engines> = LazyLock::new(engines);

fn engines() -> Engines {
    let limits = Limits {
        file_bytes_max: 100,
        key_value_bytes_max: 200,
        http_body_bytes_max: 1_000,
        http_ms_max: 500,
        ..Limits::default()
    };
    Engines::new(&limits, None).expect("engines")
}

fn load(name: &str, grants: &Grants) -> Result<ToolPlugin> {
    ToolPlugin::load(name, &component("grants", name), grants, &ENGINES)
}

fn granted(name: &str, grants: &Grants) -> ToolPlugin {
    load(name, grants).expect("it may have it")
}

/// What the plugin got for `subject`, or the code of the refusal.
pub fn ask(plugin: &ToolPlugin, subject: &str) -> std::result::Result<String, String> {
    ask_with(plugin, subject, serde_json::json!({}), &Interrupt::new())
}

pub fn ask_with(
    plugin: &ToolPlugin,
    subject: &str,
    arguments: serde_json::Value,
    interrupt: &Interrupt,
) -> std::result::Result<String, String> {
    let call = ToolCall {
        id: subject.into(),
        name: "<end>".into(),
        arguments,
    };
    let result = plugin.call(&call, interrupt).expect("it goes on");
    let Content::Text(text) = result.content else {
        panic!("it answers with text");
    };
    if result.is_error { Err(text) } else { Ok(text) }
}

#[test]
fn nothing_is_there_without_its_grant() {
    let cases = [
        ("read_file", "--grant files:FOLDER"),
        ("write_file", "--grant files:FOLDER"),
        ("fetch", "--grant http:HOST"),
        ("tell_secret", "--grant secret:NAME"),
        ("tell_setting", "--grant config:NAME=VALUE"),
        ("remember", "--grant key-value"),
        ("recall", "--grant key-value"),
        ("ask_model", "--grant inference"),
        ("log_secret", "--grant secret:NAME"),
    ];
    for (name, words) in cases {
        let error = load(name, &Grants::clock()).expect_err("nobody granted it");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

/// A folder `notes` with a file, a folder and ways out of it, and a file beside it.
fn notes() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes");
    fs::create_dir_all(notes.join("below")).expect("a folder");
    fs::write(notes.join("a.txt"), "hello").expect("a file");
    fs::write(notes.join("large"), [b'x'; 101]).expect("a file");
    fs::write(folder.path().join("private"), "hush").expect("a file");
    folder
}

#[test]
fn a_folder_is_read_and_not_written() {
    let folder = notes();
    let grants = Grants::none().with_folder(folder.path().join("notes"), Access::Read);
    let reader = granted("read_file", &grants);
    assert_eq!(ask(&reader, "notes/a.txt"), Ok("hello".into()));
    assert_eq!(ask(&reader, "notes/below/../a.txt"), Ok("hello".into()));
    assert_eq!(ask(&reader, "notes/b.txt"), Err("files.not-found".into()));
    assert_eq!(ask(&reader, "notes/below"), Err("files.no-file".into()));
    assert_eq!(ask(&reader, "notes/large"), Err("files.size".into()));
    let writer = granted("write_file", &grants);
    assert_eq!(ask(&writer, "notes/b.txt"), Err("files.read-only".into()));
    assert!(!folder.path().join("notes/b.txt").exists());
}

#[test]
fn a_folder_granted_for_writing_is_written() {
    let folder = notes();
    let grants = Grants::none().with_folder(folder.path().join("notes"), Access::Write);
    let writer = granted("write_file", &grants);
    assert_eq!(ask(&writer, "notes/below/b.txt"), Ok(String::new()));
    let written = fs::read_to_string(folder.path().join("notes/below/b.txt"));
    assert_eq!(written.expect("it was written"), "{}");
    for outside in ["notes/../private", "/private", "private", "notes//private"] {
        let code = ask(&writer, outside).expect_err("it leads out");
        assert!(
            ["files.outside", "files.not-granted"].contains(&code.as_str()),
            "{outside}: {code}"
        );
    }
    let arguments = serde_json::json!({ "text": "x".repeat(200) });
    let too_long = ask_with(&writer, "notes/long", arguments, &Interrupt::new());
    assert_eq!(too_long, Err("files.size".into()));
}

#[test]
#[cfg(unix)]
fn no_path_leads_out_of_its_folder() {
    use std::os::unix::fs::symlink;
    let folder = notes();
    let (notes, private) = (folder.path().join("notes"), folder.path().join("private"));
    symlink(&private, notes.join("absolute")).expect("a link");
    symlink("../private", notes.join("relative")).expect("a link");
    symlink("..", notes.join("up")).expect("a link");
    symlink("a.txt", notes.join("inside")).expect("a link");
    let reader = granted(
        "read_file",
        &Grants::none().with_folder(&notes, Access::Read),
    );
    let whole = private.display().to_string();
    for outside in [
        "notes/../private",
        "notes/below/../../private",
        "notes/absolute",
        "notes/relative",
        "notes/up/private",
        "notes//etc/passwd",
        "/etc/passwd",
        "../private",
        "",
        "etc/passwd",
        whole.as_str(),
    ] {
        let code = ask(&reader, outside).expect_err("it leads out");
        assert!(
            ["files.outside", "files.not-granted"].contains(&code.as_str()),
            "{outside}: {code}"
        );
    }
    assert_eq!(ask(&reader, "notes/inside"), Ok("hello".into()));
    assert!(reader.metrics().denied >= 11);
}

#[test]
fn a_secret_is_its_plugins_alone_and_not_in_its_log() {
    let first = granted(
        "tell_secret",
        &Grants::none().with_secret("FIRST", "hush-1"),
    );
    let second = granted(
        "tell_secret",
        &Grants::none().with_secret("SECOND", "hush-2"),
    );
    assert_eq!(ask(&first, "FIRST"), Ok("hush-1".into()));
    assert_eq!(ask(&second, "SECOND"), Ok("hush-2".into()));
    assert!(ask(&first, "SECOND").is_err() && ask(&second, "FIRST").is_err());
    let logs = granted("log_secret", &Grants::none().with_secret("FIRST", "hush-1"));
    let call = ToolCall {
        id: "FIRST".into(),
        name: "<end>".into(),
        arguments: serde_json::json!({}),
    };
    let error = logs.call(&call, &Interrupt::new()).expect_err("it panics");
    assert!(
        format!("{error:#}").contains("its log ends: [secret FIRST]"),
        "{error:#}"
    );
    assert!(!error.to_string().contains("its log"), "{error}");
    assert!(!format!("{error:#?}").contains("hush-1"), "{error:#}");
}

#[test]
fn a_setting_is_told() {
    let grants = Grants::none().with_config("unit", "metric");
    let plugin = granted("tell_setting", &grants);
    assert_eq!(ask(&plugin, "unit"), Ok("metric".into()));
    assert!(ask(&plugin, "PATH").is_err());
}

#[test]
fn a_store_is_kept_within_its_size_for_its_plugin() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("store.json");
    let grants = Grants::none().with_key_value(Some(file.clone()));
    let load = |name: &str, plugin: &str, engines: &Engines| {
        let loaded = ToolPlugin::load(plugin, &component("grants", name), &grants, engines);
        loaded.expect("it may have it")
    };
    let remember = load("remember", "counter", &ENGINES);
    let arguments = serde_json::json!({ "n": 1 });
    let kept = ask_with(&remember, "key", arguments, &Interrupt::new());
    assert_eq!(kept, Ok(String::new()));
    // Another version under the same name, and another start.
    assert_eq!(
        ask(&load("recall", "counter", &ENGINES), "key"),
        Ok("{\"n\":1}".into())
    );
    assert_eq!(
        ask(&load("recall", "counter", &engines()), "key"),
        Ok("{\"n\":1}".into())
    );
    let other = granted("recall", &Grants::none().with(Grant::KeyValue));
    assert_eq!(ask(&other, "key"), Ok(String::new()));
    let arguments = serde_json::json!({ "n": "x".repeat(200) });
    let too_much = ask_with(&remember, "key", arguments, &Interrupt::new());
    assert_eq!(too_much, Err("key-value.size".into()));
    fs::write(&file, "no store").expect("writable");
    let error = ToolPlugin::load("x", &component("grants", "recall"), &grants, &ENGINES);
    assert_eq!(
        error.expect_err("a damaged store").kind(),
        ErrorKind::Invalid
    );
}

/// A server that does `answer` for each connection.
pub fn serve(answer: fn(&mut std::net::TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4_096];
            // A client that is gone is no failure of the server's.
            let _ = stream.read(&mut request);
            answer(&mut stream);
        }
    });
    address
}

pub fn send(stream: &mut std::net::TcpStream, text: &str) {
    // As above.
    let _ = stream.write_all(text.as_bytes());
}

pub fn hello(stream: &mut std::net::TcpStream) {
    send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
}

fn fetcher(address: SocketAddr, reach: Reach) -> ToolPlugin {
    let host = format!("http://localhost:{}", address.port());
    granted("fetch", &Grants::none().with_host(host, reach))
}

#[test]
fn a_granted_host_answers_and_others_are_not_asked() {
    let address = serve(hello);
    let plugin = fetcher(address, Reach::Private);
    let port = address.port();
    assert_eq!(
        ask(&plugin, &format!("http://localhost:{port}/a?b")),
        Ok("hello".into())
    );
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://localhost:{}/", port ^ 1),
        format!("http://localhost:{port}@127.0.0.1:{port}/"),
        "http://example.com/".into(),
        "file:///etc/passwd".into(),
    ] {
        let code = ask(&plugin, &url).expect_err("it was not granted");
        assert!(
            ["http.host", "http.request"].contains(&code.as_str()),
            "{url}: {code}"
        );
    }
}

#[test]
fn a_public_name_that_resolves_to_a_private_address_is_refused() {
    let plugin = fetcher(serve(hello), Reach::Public);
    let url = format!("http://localhost:{}/", 80);
    assert_eq!(ask(&plugin, &url), Err("http.host".into()));
    let address = serve(hello);
    let plugin = fetcher(address, Reach::Public);
    let url = format!("http://localhost:{}/", address.port());
    assert_eq!(ask(&plugin, &url), Err("http.address".into()));
    assert!(plugin.metrics().denied > 0);
}

#[test]
fn the_addresses_of_metadata_are_for_nobody() {
    let grants = Grants::none().with_host("http://169.254.169.254", Reach::Private);
    let plugin = granted("fetch", &grants);
    let code = ask(&plugin, "http://169.254.169.254/latest/meta-data/");
    assert_eq!(code, Err("http.address".into()));
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    fn away(stream: &mut std::net::TcpStream) {
        let head =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 4\r\n\r\n";
        send(stream, &format!("{head}away"));
    }
    let address = serve(away);
    let url = format!("http://localhost:{}/", address.port());
    assert_eq!(
        ask(&fetcher(address, Reach::Private), &url),
        Ok("away".into())
    );
}

#[test]
fn a_body_that_drips_ends_at_its_time() {
    fn drip(stream: &mut std::net::TcpStream) {
        send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        for _ in 0..100 {
            send(stream, "x");
            thread::sleep(Duration::from_millis(50));
        }
    }
    let address = serve(drip);
    let url = format!("http://localhost:{}/", address.port());
    let start = Instant::now();
    assert_eq!(
        ask(&fetcher(address, Reach::Private), &url),
        Err("http.late".into())
    );
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_body_too_long_is_refused() {
    fn long(stream: &mut std::net::TcpStream) {
        send(stream, "HTTP/1.1 200 OK\r\n\r\n");
        send(stream, &"x".repeat(100_000));
    }
    let address = serve(long);
    let url = format!("http://localhost:{}/", address.port());
    assert_eq!(
        ask(&fetcher(address, Reach::Private), &url),
        Err("http.body".into())
    );
}

/// A host whose model calls the plugin that asks it, without end.
struct Mirror {
    plugin: Mutex<Option<ToolPlugin>>,
    depths: Mutex<Vec<u32>>,
}

impl Inference for Mirror {
    fn generate(&self, request: InferenceRequest, interrupt: &Interrupt) -> Result<InferenceReply> {
        self.depths
            .lock()
            .expect("no panic")
            .push(interrupt.depth());
        assert!(request.use_tools);
        let answer = request.budget.admit(30, 0)?.min(10);
        let plugin = self.plugin.lock().expect("no panic").clone();
        let text = match ask_with(
            &plugin.expect("it is loaded"),
            "again",
            serde_json::json!({}),
            interrupt,
        ) {
            Ok(text) | Err(text) => text,
        };
        Ok(InferenceReply {
            text,
            thought: String::new(),
            reason: StopReason::EndOfTurn,
            prompt_tokens: 30,
            output_tokens: answer,
        })
    }
}

#[test]
fn the_model_is_metered_and_recursion_ends() {
    let mirror = Arc::new(Mirror {
        plugin: Mutex::default(),
        depths: Mutex::default(),
    });
    let engines = engines();
    let model: Arc<dyn Inference> = mirror.clone();
    engines.provide(&model);
    let grant = InferenceGrant {
        tokens_per_minute: 100,
        depth_max: 2,
        ..InferenceGrant::default()
    };
    let grants = Grants::none().with_inference(grant);
    let plugin = ToolPlugin::load(
        "mirror",
        &component("grants", "ask_model"),
        &grants,
        &engines,
    );
    let plugin = plugin.expect("it may ask");
    *mirror.plugin.lock().expect("no panic") = Some(plugin.clone());
    assert_eq!(ask(&plugin, "once"), Ok("inference.depth".into()));
    assert_eq!(*mirror.depths.lock().expect("no panic"), [1, 2]);
    let metrics = plugin.metrics();
    assert_eq!((metrics.inference_tokens, metrics.denied), (80, 1));
    // The prompt of 30 is more than is left, and is not read.
    let refused = Err("inference.tokens-per-minute".into());
    assert_eq!(ask(&plugin, "twice"), refused);
    assert_eq!(plugin.metrics().inference_tokens, 80);
}

#[test]
fn a_prompt_is_counted_before_it_is_read() {
    let bytes = component("grants", "ask_model");
    let granted = |tokens: usize| {
        let grants: Grants = format!("inference:{tokens}").parse().expect("a grant");
        ToolPlugin::load("ask_model", &bytes, &grants, RUNTIME.engines()).expect("granted")
    };
    let conversation: Conversation = "Hello!".into();
    let price = RUNTIME.price(&conversation, &ChatOptions::default());
    let prompt = price.expect("a price").tokens;
    let plugin = granted(prompt);
    let refused = Err("inference.tokens-per-minute".into());
    assert_eq!(ask(&plugin, "Hello!"), refused);
    assert_eq!(plugin.metrics().inference_tokens, 0);
    let plugin = granted(prompt + 2);
    ask(&plugin, "Hello!").expect("an answer of two tokens");
    assert_eq!(plugin.metrics().inference_tokens, prompt as u64 + 2);
    assert_eq!(ask(&plugin, "Hello!"), refused);
}

#[test]
fn a_plugin_without_a_model_is_told_so() {
    let plugin = granted("ask_model", &"inference".parse().expect("a grant"));
    assert_eq!(ask(&plugin, "x"), Err("inference.no-model".into()));
}

#[test]
fn a_tool_asks_the_real_model() {
    let grants: Grants = "inference:5000".parse().expect("a grant");
    let bytes = component("grants", "ask_model");
    let plugin = ToolPlugin::load("ask_model", &bytes, &grants, RUNTIME.engines());
    let plugin = plugin.expect("it may ask");
    let answer = ask(&plugin, "Hello!").expect("an answer");
    assert!(!answer.trim().is_empty());
    assert!(plugin.metrics().inference_tokens > 0);
    let interrupt = Interrupt::new();
    interrupt.raise();
    let call = ToolCall {
        id: "Hello!".into(),
        name: "<end>".into(),
        arguments: serde_json::json!({}),
    };
    let error: Error = plugin.call(&call, &interrupt).expect_err("it was stopped");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
