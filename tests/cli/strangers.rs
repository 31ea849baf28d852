//! Servers, clients and plugins that mean no good, or are only slow: what they cannot do to a person at a terminal.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::mcp::{Client, HttpServer, chat, hello, post};
use super::{hostile, lapidary, refused, run, text};

/// What no test here takes, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a process ends that must.
fn ended(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn start(arguments: &[&str]) -> Child {
    let mut command = lapidary(arguments);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// A server in a folder: one tool, `lever`, with these hints; a call of it runs `then`.
fn server(hints: &str, then: &str) -> (TempDir, String) {
    let about = r#""capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}"#;
    let schema = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
    let script = format!(
        r#"while read -r line; do
            id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            answer='{{"jsonrpc":"2.0","id":'$id',"result":'
            case "$line" in
                *'"initialize"'*) echo "$answer"'{{"protocolVersion":"2025-06-18",{about}}}}}' ;;
                *'"tools/list"'*)
                    echo "$answer"'{{"tools":[{{"name":"lever","inputSchema":{schema},"annotations":{hints}}}]}}}}' ;;
                *'"tools/call"'*) {then} ;;
            esac
        done"#
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.sh");
    fs::write(&file, script).unwrap();
    let command = format!("sh '{}'", file.display());
    (folder, command)
}

const READ_ONLY: &str = r#"{"readOnlyHint":true}"#;

fn pull_lever(command: &str) -> Child {
    start(&[
        "chat",
        "--mcp",
        command,
        "--json",
        "--greedy",
        "--strict",
        "--tool-choice",
        "lever",
        "--max-tokens",
        "64",
        "Hi",
    ])
}

#[test]
fn an_address_of_everybodys_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let output = ended(start(&["mcp", "--plugin", "calculator", "--http", address]));
        refused(&output, 2, "put a proxy that asks who it is in front");
    }
}

#[test]
fn a_web_page_calls_no_tools() {
    let server = HttpServer::started(lapidary(&[
        "mcp",
        "--plugin",
        "calculator",
        "--http",
        "127.0.0.1:0",
    ]));
    let address = &server.address;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()});
    let page = format!("Host: {address}\r\nOrigin: https://evil.example");
    let answer = post(address, &page, &request);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
#[cfg(unix)]
fn a_server_without_room_goes_on_when_there_is_some() {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 40; exec \"$0\" mcp --plugin calculator --http 127.0.0.1:0",
    ]);
    command.arg(env!("CARGO_BIN_EXE_lapidary"));
    let server = HttpServer::started(command);
    let address = &server.address;
    let crowd: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    sleep(Duration::from_millis(500));
    drop(crowd);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello()});
    let answer = post(address, &format!("Host: {address}"), &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
#[cfg(target_os = "linux")]
fn connections_are_bounded() {
    let server = HttpServer::started(lapidary(&[
        "mcp",
        "--plugin",
        "calculator",
        "--http",
        "127.0.0.1:0",
    ]));
    let crowd: Vec<_> = (0..150)
        .map(|_| TcpStream::connect(&server.address).unwrap())
        .collect();
    sleep(Duration::from_millis(500));
    let open = fs::read_dir(format!("/proc/{}/fd", server.server.id())).unwrap();
    let links = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let sockets = links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count();
    assert!(
        (64..100).contains(&sockets),
        "{sockets} sockets for {} connections",
        crowd.len()
    );
}

#[test]
fn only_what_is_called_read_only_runs_unasked() {
    let answer = r#"echo "$answer"'{"content":[{"type":"text","text":"sent"}]}}'"#;
    for (hints, content) in [
        (READ_ONLY, "sent"),
        (r#"{"destructiveHint":false}"#, "did not allow"),
        ("{}", "did not allow"),
    ] {
        let (_folder, command) = server(hints, answer);
        let told = result(&chat(&command, "lever"));
        assert!(told.contains(content), "{hints}: {told}");
    }
}

fn result(events: &[Value]) -> String {
    let result = events.iter().find(|event| event["type"] == "tool-result");
    let result = result.unwrap_or_else(|| panic!("no result in {events:?}"));
    result["content"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_server_logs_is_the_operators_and_not_the_models() {
    let (_folder, command) = server(READ_ONLY, "echo token hush-1 >&2; exit 3");
    let output = ended(pull_lever(&command));
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(told.contains("it ended (exit status: 3)"), "{told}");
    assert!(!told.contains("hush-1"), "{told}");
    assert!(errors.contains("it said last:\ntoken hush-1\n"), "{errors}");
}

#[test]
fn what_a_plugin_logs_is_not_for_clients() {
    let talks = "(import \"lapidary:plugin/log@0.1.0\" \"emit\" (func $emit (param i32 i32 i32)))
        (data (i32.const 512) \"token hush-1\")
        (func $call (export \"lapidary:plugin/tools@0.1.0#call\") (param i32 i32 i32 i32 i32 i32) (result i32)
          (call $emit (i32.const 1) (i32.const 512) (i32.const 12))
          (unreachable))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("talks.wasm");
    fs::write(&file, hostile::altered("tools", "tool-provider", talks)).unwrap();
    let mut client = Client::of(&["--plugin", file.to_str().unwrap()]);
    let answer = client.call("<end>", json!({})).to_string();
    assert!(answer.contains("panicked"), "{answer}");
    assert!(!answer.contains("hush-1"), "{answer}");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_the_call_of_a_server() {
    let (_folder, command) = server(READ_ONLY, "sleep 45");
    let mut chat = pull_lever(&command);
    let mut events = BufReader::new(chat.stdout.take().unwrap()).lines();
    let finished = events.any(|event| event.unwrap().contains("\"finished\""));
    assert!(finished);
    sleep(Duration::from_secs(1));
    let started = Instant::now();
    let id = chat.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(ended(chat).status.code(), Some(130));
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "it waited for the server"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_at_the_terminal_is_not_for_servers() {
    let group = "sh -c 'read line; cut -d\" \" -f5 /proc/$$/stat >&2; echo $$ >&2; exit 3'";
    let errors = run(&["chat", "--mcp", group, "Hi"]).stderr;
    let told = text(&errors);
    let mut lines = told.trim_end().lines().rev();
    let (process, group) = (lines.next(), lines.next());
    assert!(process.is_some() && process == group, "{told}");
}

/// A server over HTTP that does not answer when a client takes its leave.
fn without_a_goodbye() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut left = Vec::new();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(stream.read_line(&mut head).unwrap(), 0);
            }
            if head.starts_with("DELETE") {
                left.push(stream);
                continue;
            }
            let answer = answer(&head, &mut stream);
            write!(stream.get_mut(), "HTTP/1.1 {answer}").unwrap();
        }
    });
    format!("http://{address}/mcp")
}

fn answer(head: &str, stream: &mut BufReader<TcpStream>) -> String {
    let head = head.to_ascii_lowercase();
    let length = head
        .split_once("content-length: ")
        .map_or("0", |(_, rest)| rest);
    let length = length.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "s", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": []}),
        Some(_) => {
            return "202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned();
        }
        None => {
            return "405 No Stream\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned();
        }
    };
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    let length = answer.len();
    format!(
        "200 OK\r\nconnection: close\r\nmcp-session-id: 1\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{answer}"
    )
}

#[test]
fn a_server_that_never_says_goodbye_holds_nobody_up() {
    let address = without_a_goodbye();
    let output = ended(start(&[
        "chat",
        "--mcp",
        &address,
        "--max-tokens",
        "2",
        "Hi",
    ]));
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_guest_cannot_drive_a_terminal_by_its_names() {
    let traps = hostile::read("format", "trap_in_render_of_two");
    let name = "(func $render (@name \"\\1b]52;c;aGk=\\07\") ";
    let traps = traps.replace("(func $render ", name);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traps.wasm");
    fs::write(&file, hostile::altered("format", "chat-format", &traps)).unwrap();
    let format = file.to_str().unwrap();
    let output = run(&["chat", "--format", format, "--system", "Be brief.", "Hi"]);
    let told = text(&output.stderr);
    assert!(told.contains("]52;c;aGk="), "{told}");
    assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
}
