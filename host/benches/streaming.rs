//! When the preview world `streaming-tool-provider` pays, measured in one run.
//!
//! ```text
//! cargo bench --features preview --bench streaming
//! ```

mod timing;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use lapidary::{Engines, Grants, Interrupt, Limits, Reach, ToolCall, ToolPlugin};
use lapidary_guests::{TOOL_CALCULATOR, TOOL_STREAM};
use serde_json::{Value, json};
use timing::{report, time};

const ROUNDS: usize = 500;
/// What the server takes for a page.
const PAGE_TIME: Duration = Duration::from_millis(20);

fn main() -> lapidary::Result<()> {
    let engines = Engines::new(&Limits::default(), None)?;
    let port = serve();
    let grants = Grants::none().with_host(format!("http://localhost:{port}"), Reach::Private);
    let stream = ToolPlugin::load("tool-stream", TOOL_STREAM, &grants, &engines)?;
    let calculator = ToolPlugin::load(
        "tool-calculator",
        TOOL_CALCULATOR,
        &Grants::none(),
        &engines,
    )?;
    calls(&calculator, &stream)?;
    for pages in [1, 2, 4, 8] {
        waits(&stream, port, pages)?;
    }
    Ok(())
}

/// What a call and a piece cost.
fn calls(calculator: &ToolPlugin, stream: &ToolPlugin) -> lapidary::Result<()> {
    time("call of the world tool-provider", ROUNDS, || {
        run(
            calculator,
            "calculator",
            json!({"expression": "1"}),
            &mut |_| {},
        )
    })?;
    for pieces in [1, 101, 1_001] {
        let name = format!("call of streaming-tool-provider, {pieces} pieces");
        time(&name, ROUNDS, || {
            run(stream, "count_up", json!({"to": pieces}), &mut |_| {})
        })?;
    }
    Ok(())
}

/// One call that fetches pages, one after another and side by side.
fn waits(stream: &ToolPlugin, port: u16, pages: usize) -> lapidary::Result<()> {
    let url = |page| format!("http://localhost:{port}/{page}");
    let urls: Vec<String> = (0..pages).map(url).collect();
    for (way, one_by_one) in [("one by one", true), ("side by side", false)] {
        let (mut firsts, mut wholes) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let (started, mut first) = (Instant::now(), None);
            let arguments = json!({"urls": urls, "one_by_one": one_by_one});
            run(stream, "fetch_pages", arguments, &mut |_| {
                first.get_or_insert_with(|| started.elapsed());
            })?;
            wholes.push(started.elapsed());
            firsts.extend(first);
        }
        report(&format!("{pages} pages {way}, first piece"), &mut firsts);
        report(&format!("{pages} pages {way}, whole"), &mut wholes);
    }
    Ok(())
}

fn run(
    plugin: &ToolPlugin,
    name: &str,
    arguments: Value,
    progress: &mut dyn FnMut(&str),
) -> lapidary::Result<()> {
    let call = ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments,
    };
    let result = plugin.call_streaming(&call, &Interrupt::new(), progress)?;
    assert!(!result.is_error, "{result:?}");
    Ok(())
}

fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            thread::spawn(move || page(stream));
        }
    });
    port
}

fn page(mut stream: TcpStream) {
    let mut request = [0; 1_024];
    assert!(stream.read(&mut request).expect("a request") > 0);
    thread::sleep(PAGE_TIME);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    stream.write_all(answer).expect("it listens");
}
