//! `lapidary mcp` as a client of the protocol meets it, and `--mcp` against a server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::{hostile, lapidary, lines, refused, run, text};

/// A client that started the server itself.
pub struct Client {
    server: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Client {
    pub fn of(flags: &[&str]) -> Self {
        let mut server = lapidary(&[&["mcp"], flags].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = server.stdin.take();
        let answers = BufReader::new(server.stdout.take().unwrap());
        let mut client = Self {
            server,
            requests,
            answers,
        };
        let about = client.ask("initialize", hello());
        assert_eq!(about["result"]["serverInfo"]["name"], "lapidary");
        let tools = &about["result"]["capabilities"]["tools"];
        assert_eq!(tools["listChanged"] == true, flags.contains(&"--watch"));
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.requests.as_mut().unwrap(), "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}));
        loop {
            let message = self.hear();
            if message["id"] == 7 {
                return message;
            }
            assert_eq!(message["method"], "notifications/tools/list_changed");
        }
    }

    /// What the server says next.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn call(&mut self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments}))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.requests.take();
        assert!(self.server.wait().unwrap().success());
    }
}

pub fn hello() -> Value {
    let client = json!({"name": "test", "version": "1"});
    json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
}

#[test]
fn a_client_lists_the_tools_and_calls_them() {
    let mut client = Client::of(&["--plugin", "calculator", "--plugin", "weather"]);
    let tools = client.ask("tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["calculator", "weather"]);
    assert_eq!(tools[0]["inputSchema"]["type"], "object");
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
    let done = client.call("calculator", json!({"expression": "17 * 23"}));
    assert_eq!(done["result"]["content"][0]["text"], "391", "{done}");
    assert_ne!(done["result"]["isError"], true);
}

#[test]
fn what_goes_wrong_is_told_and_the_next_call_works() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.wasm");
    let bytes = hostile::component("tools", "trap_in_call");
    std::fs::write(&broken, bytes).unwrap();
    let broken = broken.to_str().unwrap();
    let mut client = Client::of(&["--plugin", "calculator", "--plugin", broken]);
    for (name, arguments, words) in [
        ("calculator", json!({"expression": "1 / 0"}), "zero"),
        ("calculator", json!({"term": "1"}), "expression"),
        ("<end>", json!({}), "panicked"),
    ] {
        let failed = client.call(name, arguments);
        assert_eq!(failed["result"]["isError"], true, "{failed}");
        let told = failed["result"]["content"][0]["text"].as_str().unwrap();
        assert!(told.contains(words), "{failed}");
    }
    let unknown = client.call("teapot", json!({}));
    let message = unknown["error"]["message"].as_str().unwrap();
    assert!(message.contains("teapot"), "{message}");
    let done = client.call("calculator", json!({"expression": "2 + 2"}));
    assert_eq!(done["result"]["content"][0]["text"], "4");
}

#[test]
fn a_server_without_tools_or_with_one_twice_is_refused() {
    refused(&run(&["mcp"]), 2, "--plugin");
    let twice = ["mcp", "--plugin", "clock", "--plugin", "clock"];
    refused(&run(&twice), 2, "plugin \"tool-clock\": is offered twice");
}

#[test]
fn a_plugin_whose_file_changes_is_loaded_again_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool.wasm");
    std::fs::write(&file, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let mut client = Client::of(&["--watch", "--plugin", file.to_str().unwrap()]);
    let sum = json!({"expression": "1 + 1"});
    assert_eq!(
        client.call("calculator", sum)["result"]["content"][0]["text"],
        "2"
    );
    std::fs::write(&file, lapidary_guests::TOOL_WEATHER).unwrap();
    let done = client.call("weather", json!({"city": "Paris"}));
    assert_ne!(done["result"]["isError"], true, "{done}");
    std::fs::write(&file, "no component").unwrap();
    let done = client.call("weather", json!({"city": "Paris"}));
    assert_ne!(done["result"]["isError"], true, "{done}");
}

#[test]
fn a_client_hears_that_the_tools_changed_without_asking() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool.wasm");
    std::fs::write(&file, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let mut client = Client::of(&["--watch", "--plugin", file.to_str().unwrap()]);
    client.ask("tools/list", json!({}));
    std::fs::write(&file, lapidary_guests::TOOL_WEATHER).unwrap();
    assert_eq!(client.hear()["method"], "notifications/tools/list_changed");
    let tools = client.ask("tools/list", json!({}));
    assert_eq!(tools["result"]["tools"][0]["name"], "weather");
}

/// One request over HTTP, with these headers beside the usual ones; the whole response.
pub fn post(address: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let accepted = "application/json, text/event-stream";
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\n{headers}\r\nContent-Type: application/json\r\nAccept: {accepted}\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// A server at an address of this machine, until it is dropped.
pub struct HttpServer {
    pub server: Child,
    pub address: String,
}

impl HttpServer {
    fn of(plugin: &str) -> Self {
        Self::started(lapidary(&[
            "mcp",
            "--plugin",
            plugin,
            "--http",
            "127.0.0.1:0",
        ]))
    }

    pub fn started(mut command: Command) -> Self {
        let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(server.stderr.take().unwrap());
        told.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap();
        let address = address.strip_suffix("/mcp").unwrap().to_owned();
        Self { server, address }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

#[test]
fn over_http_names_that_are_not_this_machines_are_refused() {
    let server = HttpServer::of("calculator");
    let address = &server.address;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()});
    let own = post(address, &format!("Host: {address}"), &request);
    let foreign = post(address, "Host: evil.example", &request);
    assert!(own.starts_with("HTTP/1.1 200"), "{own}");
    assert!(own.contains("\"lapidary\""), "{own}");
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
}

/// Our own command line as a server of `plugin`.
fn server(plugin: &str) -> String {
    let us = env!("CARGO_BIN_EXE_lapidary");
    format!("'{us}' mcp --plugin {plugin}")
}

/// The events of a chat that must call `tool` of a server.
pub fn chat(command: &str, tool: &str) -> Vec<Value> {
    let flags = ["--json", "--greedy", "--strict", "--tool-choice", tool];
    let asked = ["--max-tokens", "64", "What is 17 times 23?"];
    lines(&run(
        &[&["chat", "--mcp", command], &flags[..], &asked[..]].concat()
    ))
}

#[test]
fn the_model_calls_a_tool_of_a_server_and_answers_with_its_result() {
    called_and_answered(&chat(&server("calculator"), "calculator"));
}

#[test]
fn a_server_at_an_address_is_called_as_one_that_is_started() {
    let server = HttpServer::of("calculator");
    let address = format!("http://{}/mcp", server.address);
    called_and_answered(&chat(&address, "calculator"));
    let elsewhere = HttpServer::of("calculator").address.clone();
    let nobody = format!("http://{elsewhere}/mcp");
    let refusals = [
        (nobody.as_str(), "refused"),
        ("http://", "--mcp \"http://\""),
    ];
    for (address, words) in refusals {
        refused(&run(&["chat", "--mcp", address, "Hi"]), 1, words);
    }
}

/// A server that is none: what it answers every request with.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}/mcp")
}

#[test]
fn an_address_where_no_server_is_says_what_is_there() {
    for (answer, words) in [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nno such",
            "HTTP 404 Not Found: no such",
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://x/mcp/\r\ncontent-length: 0\r\n\r\n",
            "to http://x/mcp/: name that address",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>",
            "HTTP 200 OK: <p/>",
        ),
    ] {
        let address = answering(answer);
        let output = run(&["chat", "--mcp", &address, "Hi"]);
        refused(&output, 1, words);
        let told = text(&output.stderr);
        assert!(
            told.starts_with("lapidary: --mcp") && !told.contains("::"),
            "{told}"
        );
    }
}

fn called_and_answered(events: &[Value]) {
    let of_kind = |kind: &str| {
        let found = events.iter().position(|event| event["type"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {events:?}"))
    };
    let (call, result) = (of_kind("tool-call"), of_kind("tool-result"));
    assert!(call < result);
    assert_eq!(events[call]["name"], "calculator");
    assert_eq!(events[result]["is_error"], false, "{:?}", events[result]);
    let answer = &events[result..];
    assert!(answer.iter().any(|event| event["type"] == "text"));
    assert_ne!(events.last().unwrap()["reason"], "tool-call");
}

#[test]
fn a_tool_that_may_change_things_does_not_run_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain.wasm");
    // A name, a schema, and the bit of a destructive tool.
    let lever = r#"
        (data (i32.const 8) "lever")
        (data (i32.const 48) "\00\08\00\00\21\00\00\00")
        (data (i32.const 68) "\02")
        (data (i32.const 2048) "{\"type\":\"object\",\"properties\":{}}")"#;
    let bytes = hostile::altered("tools", "tool-provider", lever);
    std::fs::write(&file, bytes).unwrap();
    let events = chat(&server(file.to_str().unwrap()), "lever");
    let result = events.iter().find(|event| event["type"] == "tool-result");
    let result = result.unwrap_or_else(|| panic!("no result in {events:?}"));
    let told = result["content"].as_str().unwrap();
    assert!(told.contains("did not allow"), "{told}");
}

#[test]
fn a_server_that_is_none_is_told_by_its_command() {
    let missing = run(&["chat", "--mcp", "/nowhere/server --fast", "Hi"]);
    refused(&missing, 1, "/nowhere/server --fast");
    refused(&run(&["chat", "--mcp", "true", "Hi"]), 1, "true");
    let dying = "sh -c 'read line; echo no database >&2; exit 3'";
    let told = run(&["chat", "--mcp", dying, "Hi"]);
    refused(&told, 1, "it ended (exit status: 3)");
    refused(&told, 1, "it said last:\nno database\n");
    refused(&run(&["chat", "--mcp", "", "Hi"]), 2, "--mcp");
    let own = ["chat", "--plugin", "clock", "--mcp", &server("clock"), "Hi"];
    let twice = run(&own);
    let errors = text(&twice.stderr);
    assert!(errors.contains("is offered twice"), "{errors}");
}

/// A chat with a server whose plugin's file changes between start and prompt, which have so many seconds each.
fn chat_with_a_changing_server(seconds: u64) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool.wasm");
    std::fs::write(&file, lapidary_guests::TOOL_CALCULATOR).unwrap();
    let command = server(&format!("{} --watch", file.to_str().unwrap()));
    let flags = [
        "chat",
        "--json",
        "--greedy",
        "--tool-choice",
        "weather",
        "--max-tokens",
        "32",
    ];
    let mut chat = lapidary(&[&flags[..], &["--mcp", &command]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(Duration::from_secs(seconds));
    std::fs::write(&file, lapidary_guests::TOOL_WEATHER).unwrap();
    sleep(Duration::from_secs(seconds));
    let mut prompt = chat.stdin.take().unwrap();
    write!(prompt, "What is the weather in Oslo?").unwrap();
    drop(prompt);
    chat.wait_with_output().unwrap()
}

#[test]
fn tools_of_a_server_that_changed_are_taken_anew() {
    // How long a start takes, and a notification, the machine decides.
    let mut outputs = [2, 10, 40].into_iter().map(chat_with_a_changing_server);
    let output = outputs.find(|output| output.status.success()).unwrap();
    let events = lines(&output);
    let call = events.iter().find(|event| event["type"] == "tool-call");
    assert_eq!(call.unwrap()["name"], "weather", "{events:?}");
}
