//! Requests through `wasi:http`: the same hosts, addresses and bounds as through our own `http`, and no more of WASI.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use lapidary::{
    Engines, Error, ErrorKind, Grants, Interrupt, Limits, Plugin, Reach, ToolCall, ToolPlugin,
    check,
};
use serde_json::json;

use crate::capabilities::{ask, hello, send, serve};
use crate::hostile::component::component;

/// The numbers of `wasi:http`'s error codes.
const ADDRESS_PROHIBITED: &str = "04";
const READ_TIMEOUT: &str = "09";
const LIMIT_REACHED: &str = "11";
const REQUEST_DENIED: &str = "15";
const REQUEST_BODY_SIZE: &str = "17";
const RESPONSE_HEADERS_SIZE: &str = "26";
const RESPONSE_BODY_SIZE: &str = "28";

const CALL_MS_MAX: u64 = 3_000;

static ENGINES: LazyLock<Engines> = LazyLock::new(engines);

fn engines() -> Engines {
    let limits = Limits {
        http_body_bytes_max: 20_000,
        http_headers_bytes_max: 4_000,
        http_ms_max: 500,
        http_requests_max: 4,
        tool_call_ms_max: CALL_MS_MAX,
        plugin_failures_max: 100,
        ..Limits::default()
    };
    Engines::new(&limits, None).expect("engines")
}

fn granted_in(engines: &Engines, name: &str, host: &str, reach: Reach) -> ToolPlugin {
    let grants = Grants::none().with_host(host, reach);
    ToolPlugin::load(name, &component("wasi", name), &grants, engines).expect("granted")
}

/// The plugin, which may ask the server on this machine, and the server's name.
fn asker(name: &str, address: SocketAddr) -> (ToolPlugin, String) {
    let host = format!("localhost:{}", address.port());
    let plugin = granted_in(&ENGINES, name, &format!("http://{host}"), Reach::Private);
    (plugin, host)
}

fn refusal(code: &str) -> Result<String, String> {
    Err(code.to_owned())
}

/// How a call of the plugin ends that the host has to end.
fn ended(plugin: &ToolPlugin, id: &str, interrupt: &Interrupt) -> Error {
    let call = ToolCall {
        id: id.into(),
        name: "<end>".into(),
        arguments: json!({}),
    };
    plugin.call(&call, interrupt).expect_err("it is ended")
}

#[test]
fn a_granted_host_answers() {
    let (plugin, host) = asker("get", serve(hello));
    assert_eq!(ask(&plugin, &host), Ok("hello".into()));
    assert_eq!(ask(&plugin, &host), Ok("hello".into()));
    let metrics = plugin.metrics();
    assert!(metrics.host_calls >= 24, "{metrics:?}");
    assert_eq!(metrics.denied, 0);
}

#[test]
fn other_hosts_are_not_asked() {
    let address = serve(hello);
    let (plugin, _) = asker("get", address);
    let port = address.port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{}", port ^ 1),
        format!("localhost:{port}@127.0.0.1:{port}"),
        "example.com".into(),
    ] {
        assert_eq!(ask(&plugin, &host), refusal(REQUEST_DENIED), "{host}");
    }
    assert_eq!(plugin.metrics().denied, 4);
}

#[test]
fn addresses_are_checked_as_of_our_own_requests() {
    let host = format!("localhost:{}", serve(hello).port());
    let plugin = granted_in(&ENGINES, "get", &format!("http://{host}"), Reach::Public);
    assert_eq!(ask(&plugin, &host), refusal(ADDRESS_PROHIBITED));
    let metadata = "169.254.169.254";
    let plugin = granted_in(&ENGINES, "get", "http://169.254.169.254", Reach::Private);
    assert_eq!(ask(&plugin, metadata), refusal(ADDRESS_PROHIBITED));
    assert_eq!(plugin.metrics().denied, 1);
}

#[test]
fn a_redirect_is_an_answer() {
    fn away(stream: &mut TcpStream) {
        let head = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n";
        send(stream, &format!("{head}content-length: 4\r\n\r\naway"));
    }
    let (plugin, host) = asker("get", serve(away));
    assert_eq!(ask(&plugin, &host), Ok("away".into()));
}

fn drip(stream: &mut TcpStream) {
    send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    for _ in 0..100 {
        send(stream, "x");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_body_that_drips_ends_at_its_time() {
    let (plugin, host) = asker("get", serve(drip));
    let start = Instant::now();
    assert_eq!(ask(&plugin, &host), refusal(READ_TIMEOUT));
    let took = start.elapsed();
    assert!(took < Duration::from_millis(CALL_MS_MAX), "{took:?}");
}

/// Raises an interrupt while the call waits; tells how long it took to end after that.
fn cancelled(plugin: &ToolPlugin, host: &str) -> Duration {
    let interrupt = Interrupt::new();
    let raised = interrupt.clone();
    let raise = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        raised.raise();
        Instant::now()
    });
    let error = ended(plugin, host, &interrupt);
    let end = Instant::now();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    end - raise.join().expect("no panic")
}

/// Whether an interrupt ends the call soon. A tick is a millisecond; the rest, and further tries, are for a machine with
/// much else to do.
fn ends_soon(plugin: &ToolPlugin, host: &str) -> bool {
    (0..5).any(|_| cancelled(plugin, host) < Duration::from_millis(100))
}

#[test]
fn who_waits_is_called_away() {
    let (plugin, host) = asker("get", serve(drip));
    assert!(ends_soon(&plugin, &host));
}

#[test]
fn a_request_that_is_never_finished_ends_with_the_call() {
    let (plugin, host) = asker("unfinished_upload", serve(hello));
    assert!(ends_soon(&plugin, &host));
    let error = ended(&plugin, &host, &Interrupt::new());
    let words = format!("expected an answer within {CALL_MS_MAX} ms");
    assert!(error.to_string().contains(&words), "{error}");
    // Whoever is ended leaves nothing under way.
    let (plugin, host) = asker("get", serve(hello));
    assert_eq!(ask(&plugin, &host), Ok("hello".into()));
}

#[test]
fn bodies_are_bounded_both_ways() {
    fn long(stream: &mut TcpStream) {
        send(stream, "HTTP/1.1 200 OK\r\n\r\n");
        send(stream, &"x".repeat(100_000));
    }
    let (plugin, host) = asker("get", serve(long));
    assert_eq!(ask(&plugin, &host), refusal(RESPONSE_BODY_SIZE));
    let (plugin, host) = asker("endless_upload", serve(hello));
    assert_eq!(ask(&plugin, &host), refusal(REQUEST_BODY_SIZE));
}

#[test]
fn headers_are_bounded_both_ways() {
    fn long(stream: &mut TcpStream) {
        let value = "y".repeat(5_000);
        send(
            stream,
            &format!("HTTP/1.1 200 OK\r\nx-bomb: {value}\r\n\r\n"),
        );
    }
    let (plugin, host) = asker("get", serve(long));
    assert_eq!(ask(&plugin, &host), refusal(RESPONSE_HEADERS_SIZE));
    let (plugin, host) = asker("header_bomb", serve(hello));
    let error = ended(&plugin, &host, &Interrupt::new());
    let words = "expected at most 4000 bytes of headers, found more; raise http_headers_bytes_max";
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn an_address_is_bounded() {
    let (plugin, host) = asker("address_bomb", serve(hello));
    assert_eq!(ask(&plugin, &host), refusal("00"));
}

#[test]
fn headers_of_the_hosts_own_stay_so() {
    const FORBIDDEN: &str = "01";
    let (plugin, host) = asker("hosts_header", serve(hello));
    assert_eq!(ask(&plugin, &host), refusal(FORBIDDEN));
}

#[test]
fn what_a_call_holds_is_bounded() {
    let (plugin, host) = asker("resource_bomb", serve(hello));
    let error = ended(&plugin, &host, &Interrupt::new());
    let words =
        "expected at most 1000 resources of WASI, found one more; raise plugin_resources_max";
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn calls_through_wasi_count() {
    let (plugin, host) = asker("call_flood", serve(hello));
    let error = ended(&plugin, &host, &Interrupt::new());
    let words = "expected at most 100000 calls of the host, found one more";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(plugin.metrics().stopped, 1);
}

/// A plugin that waits for the clock alone.
fn sleeper(name: &str) -> ToolPlugin {
    let host = "http://localhost:1";
    let grants = Grants::clock().with_host(host, Reach::Private);
    ToolPlugin::load(name, &component("wasi", name), &grants, &ENGINES).expect("granted")
}

#[test]
fn a_plugin_sleeps_within_its_time() {
    assert_eq!(ask(&sleeper("naps"), ""), Ok("<end>".into()));
    let plugin = sleeper("sleeps_forever");
    assert!(ends_soon(&plugin, ""));
    let error = ended(&plugin, "", &Interrupt::new());
    assert!(
        error.to_string().contains("expected an answer within"),
        "{error}"
    );
}

#[test]
fn many_names_for_one_thing_are_no_way_to_hide() {
    let start = Instant::now();
    let error = ended(&sleeper("poll_bomb"), "", &Interrupt::new());
    let took = start.elapsed();
    // In wasmtime's words.
    assert!(
        error.to_string().contains("handle limit exceeded"),
        "{error}"
    );
    assert!(took < Duration::from_millis(CALL_MS_MAX), "{took:?}");
}

#[test]
fn requests_at_once_wait_for_their_turn() {
    /// Takes every connection and answers none.
    fn silent() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            let mut taken = Vec::new();
            for stream in listener.incoming() {
                taken.push(stream.expect("a connection"));
            }
        });
        address
    }
    let (plugin, host) = asker("request_bomb", silent());
    let late = format!("expected an answer within {CALL_MS_MAX} ms");
    for _ in 0..2 {
        let error = ended(&plugin, &host, &Interrupt::new());
        assert!(error.to_string().contains(&late), "{error}");
    }
    let (other, host) = asker("get", serve(hello));
    assert_eq!(ask(&other, &host), Ok("hello".into()));
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    fn whole(stream: &mut TcpStream) {
        let body = "x".repeat(20_000);
        send(
            stream,
            &format!("HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n{body}"),
        );
    }
    let (plugin, host) = asker("hoards", serve(whole));
    assert_eq!(ask(&plugin, &host), refusal(LIMIT_REACHED));
    let calls = plugin.metrics().host_calls;
    // What the first call held is gone with it: the second one gets as far.
    assert_eq!(ask(&plugin, &host), refusal(LIMIT_REACHED));
    assert_eq!(plugin.metrics().host_calls, 2 * calls);
}

#[test]
fn a_replay_needs_no_network() {
    let engines = engines();
    let lines = crate::record::record(&engines);
    let address = serve(|stream| {
        let head = "HTTP/1.1 200 OK\r\nx-told: twice\r\nx-told: over\r\n";
        send(stream, &format!("{head}content-length: 5\r\n\r\nhello"));
    });
    let host = format!("localhost:{}", address.port());
    let plugin = granted_in(&engines, "get", &format!("http://{host}"), Reach::Private);
    assert_eq!(ask(&plugin, &host), Ok("hello".into()));
    let lines = lines.lock().expect("lines");
    let line = lines.iter().find(|line| line.get("call").is_some());
    let line = line.expect("the call's line").clone();
    let asked = json!(["GET", format!("http://{host}/"), [], ""]);
    let [told] = line["host"].as_array().expect("questions").as_slice() else {
        panic!("expected one question: {line}");
    };
    assert_eq!(
        (&told["import"], &told["asked"]),
        (&json!("http.send"), &asked)
    );
    let bytes = component("wasi", "get");
    let grants = Grants::none().with(lapidary::Grant::Http);
    let again = Plugin::load("get", &bytes, &grants, &self::engines()).expect("granted");
    assert_eq!(again.replay(&line).expect("a line"), line);
    let mut other = line;
    other["host"] = json!([]);
    let outcome = again.replay(&other).expect("a line")["outcome"].to_string();
    assert!(
        outcome.contains("to which the recording has no answer"),
        "{outcome}"
    );
}

#[test]
fn without_the_grant_it_is_refused_by_its_name() {
    let bytes = component("wasi", "get");
    let error = ToolPlugin::load("get", &bytes, &Grants::clock(), &ENGINES).expect_err("no grant");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let words = "asks for wasi:io/error@0.2.0, which is not granted; pass --grant http:HOST";
    assert!(error.to_string().ends_with(words), "{error}");
    let found = check("get", &bytes, &Grants::none(), &ENGINES);
    assert_eq!(found.asks, [lapidary::Grant::Http]);
}
