//! The preview world `streaming-tool-provider`: results in pieces, waits side by side, and the same walls.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lapidary::{
    ChatOptions, Content, Engines, ErrorKind, Event, Grants, Interrupt, Limits, Plugin, Reach,
    Result, ToolCall, ToolPlugin, ToolResult,
};
use lapidary_guests::TOOL_STREAM;
use serde_json::{Value, json};

use crate::support::{builder, ids};

fn engines(limits: Limits) -> Engines {
    Engines::new(&limits, None).expect("engines")
}

fn load(port: u16, engines: &Engines) -> ToolPlugin {
    let host = format!("http://localhost:{port}");
    let grants = Grants::none().with_host(host, Reach::Private);
    ToolPlugin::load("stream", TOOL_STREAM, &grants, engines).expect("granted")
}

/// A plugin that may ask nobody who is there.
fn alone(engines: &Engines) -> ToolPlugin {
    load(1, engines)
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments,
    }
}

fn text(result: &ToolResult) -> &str {
    match &result.content {
        Content::Text(text) => text,
        other => panic!("expected text, found {other:?}"),
    }
}

fn pieces(plugin: &ToolPlugin, call: &ToolCall) -> (Vec<String>, Result<ToolResult>) {
    let mut pieces = Vec::new();
    let mut take = |piece: &str| pieces.push(piece.to_owned());
    let result = plugin.call_streaming(call, &Interrupt::new(), &mut take);
    (pieces, result)
}

fn page(mut stream: TcpStream, before_answer: impl FnOnce()) {
    let mut request = [0; 1_024];
    assert!(stream.read(&mut request).expect("a request") > 0);
    before_answer();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    stream.write_all(answer).expect("it listens");
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn urls(port: u16, count: usize) -> Vec<String> {
    let url = |page| format!("http://localhost:{port}/{page}");
    (0..count).map(url).collect()
}

#[test]
fn a_result_comes_in_pieces() {
    let plugin = alone(&engines(Limits::default()));
    let (pieces, result) = pieces(&plugin, &call("count_up", json!({"to": 3})));
    assert_eq!(pieces, ["1 ", "2 ", "3 "]);
    let result = result.expect("a result");
    assert_eq!((text(&result), result.is_error), ("1 2 3 ", false));
}

#[test]
fn an_ordinary_call_gets_the_whole() {
    let plugin = alone(&engines(Limits::default()));
    let result = plugin.call(&call("count_up", json!({"to": 2})), &Interrupt::new());
    assert_eq!(text(&result.expect("a result")), "1 2 ");
}

#[test]
fn wrong_arguments_are_told_to_the_model() {
    let plugin = alone(&engines(Limits::default()));
    let (pieces, result) = pieces(&plugin, &call("count_up", json!({"to": "three"})));
    let result = result.expect("a result");
    assert!(result.is_error);
    assert!(text(&result).starts_with("arguments of count_up: "));
    assert_eq!(pieces, [text(&result)]);
}

/// The server answers nobody before all have asked: one after another, nobody would ever be answered.
#[test]
fn pages_are_waited_for_side_by_side() {
    const PAGES: usize = 5;
    let (listener, port) = listen();
    thread::spawn(move || {
        let barrier = Arc::new(Barrier::new(PAGES));
        for stream in listener.incoming() {
            let (stream, barrier) = (stream.expect("a connection"), Arc::clone(&barrier));
            let wait_for_all = move || {
                barrier.wait();
            };
            thread::spawn(move || page(stream, wait_for_all));
        }
    });
    let plugin = load(port, &engines(Limits::default()));
    let asked = call("fetch_pages", json!({"urls": urls(port, PAGES)}));
    let (pieces, result) = pieces(&plugin, &asked);
    assert!(!result.expect("a result").is_error);
    assert_eq!(pieces.len(), PAGES);
    assert!(
        pieces.iter().all(|line| line.ends_with(": 5 bytes\n")),
        "{pieces:?}"
    );
}

#[test]
fn a_host_that_was_not_granted_is_not_asked() {
    let plugin = alone(&engines(Limits::default()));
    let asked = call("fetch_pages", json!({"urls": ["http://example.com/"]}));
    let (pieces, _) = pieces(&plugin, &asked);
    assert!(pieces[0].contains("example.com"), "{pieces:?}");
    assert_eq!(plugin.metrics().denied, 1);
    let engines = engines(Limits::default());
    let error = ToolPlugin::load("stream", TOOL_STREAM, &Grants::none(), &engines);
    let error = error.expect_err("it asks for requests").to_string();
    assert!(
        error.contains("which is not granted; pass --grant http"),
        "{error}"
    );
}

#[test]
fn who_waits_for_a_silent_host_is_stopped_by_an_interrupt() {
    let (listener, port) = listen();
    let engines = engines(Limits::default());
    let plugin = load(port, &engines);
    let interrupt = Interrupt::new();
    let raised = interrupt.clone();
    let raise = thread::spawn(move || {
        let connection = listener.accept().expect("a connection");
        raised.raise();
        // It stays open, so that nothing but the interrupt ends the wait.
        (connection, Instant::now())
    });
    let asked = call("fetch_pages", json!({"urls": urls(port, 1)}));
    let error = plugin.call(&asked, &interrupt).expect_err("it was stopped");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let (_connection, at) = raise.join().expect("no panic");
    assert!(at.elapsed() < Duration::from_secs(2), "{:?}", at.elapsed());
}

#[test]
fn an_endless_result_ends_at_its_bound() {
    let limits = Limits {
        plugin_copy_bytes_max: 100_000,
        ..Limits::default()
    };
    let plugin = alone(&engines(limits));
    let (_, result) = pieces(&plugin, &call("count_up", json!({"to": u32::MAX})));
    let error = result.expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(
        error.to_string().contains("plugin_copy_bytes_max"),
        "{error}"
    );
    let (pieces, result) = pieces(&plugin, &call("count_up", json!({"to": 1})));
    assert_eq!((pieces.len(), result.is_ok()), (1, true));
}

#[test]
fn an_endless_result_ends_at_its_time() {
    let limits = Limits {
        tool_call_ms_max: 50,
        plugin_copy_bytes_max: usize::MAX / 4,
        ..Limits::default()
    };
    let plugin = alone(&engines(limits));
    let (_, result) = pieces(&plugin, &call("count_up", json!({"to": u32::MAX})));
    let error = result.expect_err("it takes too long").to_string();
    assert!(error.contains("tool_call_ms_max"), "{error}");
}

#[test]
fn a_chat_tells_the_pieces_before_the_result() {
    let grants = Grants::none().with("http".parse().expect("a grant"));
    let runtime = builder().tool("stream", TOOL_STREAM.to_vec(), grants);
    let runtime = runtime.build().expect("a runtime");
    let turn = "<|tool_call>call:count_up{to:2}<tool_call|><|tool_response>";
    let options = ChatOptions {
        replay: vec![ids(turn), ids("Done.<turn|>")],
        ..ChatOptions::default()
    };
    let events = runtime.chat("Count.", options).expect("a chat");
    let told: Vec<String> = events
        .map(|event| event.expect("an event"))
        .filter_map(|event| match event {
            Event::ToolResultDelta { name, text, .. } => Some(format!("{name}: {text}")),
            Event::ToolResult(result) => Some(text(&result).to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["count_up: 1 ", "count_up: 2 ", "1 2 "]);
}

#[test]
fn a_replay_asks_nobody() {
    let (listener, port) = listen();
    thread::spawn(move || page(listener.accept().expect("a connection").0, || ()));
    let engines = engines(Limits::default());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&lines);
    engines.record(move |line| taken.lock().expect("lines").push(line));
    let asked = call("fetch_pages", json!({"urls": urls(port, 1)}));
    let (_, result) = pieces(&load(port, &engines), &asked);
    assert!(text(&result.expect("a result")).ends_with(": 5 bytes\n"));
    let line: Value = lines.lock().expect("lines").last().expect("a line").clone();
    assert_eq!(line["host"][0]["import"], "http.send");
    let grants = Grants::none().with("http".parse().expect("a grant"));
    let other = self::engines(Limits::default());
    let plugin = Plugin::load("stream", TOOL_STREAM, &grants, &other).expect("granted");
    assert_eq!(plugin.replay(&line).expect("a line"), line);
}
