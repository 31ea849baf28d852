//! A hub for tests: what huggingface.co says, from a thread, with the failures that a test asks for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The commit of every repository here.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the next request for a file goes wrong; then the one after it goes well.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The connection ends after so many bytes.
    CutAfter(usize),
    /// The status and, with 429, when to come again in seconds.
    Status(u16, &'static str),
    /// The bytes are those of another file.
    Wrong,
    /// Ranges are not known: the whole file is sent.
    NoRange,
}

/// One request as the hub saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    failures: HashMap<String, Vec<Failure>>,
    seen: Vec<Seen>,
    /// Large files are elsewhere.
    storage: Option<String>,
    token: Option<String>,
}

/// A hub that lives as long as the tests do.
#[derive(Clone)]
pub struct Hub {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// A hub with one repository, `owner/name`.
    pub fn new(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = files
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), bytes));
        let state = Arc::new(Mutex::new(State {
            files: files.collect(),
            ..State::default()
        }));
        let hub = Self { address, state };
        let serving = hub.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is part of the tests.
                drop(serving.answer(stream.unwrap()));
            }
        });
        hub
    }

    /// Requests for `file` go wrong so, one after the other.
    pub fn fail(&self, file: &str, failures: impl IntoIterator<Item = Failure>) {
        let failures = failures.into_iter().collect();
        self.state().failures.insert(file.to_owned(), failures);
    }

    /// Large files are on another host.
    pub fn store_at(&self, storage: &Self) {
        self.state().storage = Some(storage.address.clone());
    }

    /// Nobody gets anything without this token.
    pub fn require(&self, token: &str) {
        self.state().token = Some(format!("Bearer {token}"));
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// The requests for one file.
    pub fn seen_of(&self, file: &str) -> Vec<Seen> {
        let seen = self.seen().into_iter();
        seen.filter(|seen| seen.path.ends_with(file)).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let seen = read_request(&stream)?;
        self.state().seen.push(seen.clone());
        let required = self.state().token.clone();
        if required.is_some() && required != seen.token {
            return send(&stream, "401 Unauthorized", "", b"");
        }
        if seen
            .path
            .starts_with("/api/models/owner/name/revision/main?")
        {
            let listing = self.listing().to_string();
            return send(&stream, "200 OK", "", listing.as_bytes());
        }
        let prefix = format!("/owner/name/resolve/{COMMIT}/");
        match seen.path.strip_prefix(&prefix) {
            Some(name) => self.send_file(&stream, name, &seen),
            None => send(&stream, "404 Not Found", "", b""),
        }
    }

    fn listing(&self) -> Value {
        let state = self.state();
        let files = state.files.iter().map(|(name, bytes)| {
            let mut file = json!({"rfilename": name, "size": bytes.len(), "blobId": "0"});
            if is_large(name) {
                let sum: String = Sha256::digest(bytes)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                file["lfs"] = json!({"sha256": sum, "size": bytes.len(), "pointerSize": 134});
            }
            file
        });
        json!({"id": "owner/name", "sha": COMMIT, "siblings": files.collect::<Vec<_>>()})
    }

    fn send_file(&self, stream: &TcpStream, name: &str, seen: &Seen) -> std::io::Result<()> {
        let (bytes, storage, failure) = {
            let mut state = self.state();
            let failures = state.failures.get_mut(name).filter(|left| !left.is_empty());
            let failure = failures.map(|left| left.remove(0));
            (
                state.files.get(name).cloned(),
                state.storage.clone(),
                failure,
            )
        };
        let Some(bytes) = bytes else {
            return send(stream, "404 Not Found", "", b"");
        };
        if let Some(storage) = storage.filter(|_| is_large(name)) {
            let location = format!("location: {storage}{}\r\n", seen.path);
            return send(stream, "302 Found", &location, b"");
        }
        let start = seen.range.as_deref().and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        });
        let rest = &bytes[start.unwrap_or(0).min(bytes.len())..];
        match (failure, start) {
            (Some(Failure::Status(429, wait)), _) => send(
                stream,
                "429 Too Many Requests",
                &format!("retry-after: {wait}\r\n"),
                b"",
            ),
            (Some(Failure::Status(code, words)), _) => {
                send(stream, &format!("{code} {words}"), "", b"")
            }
            (Some(Failure::Wrong), _) => send(stream, "200 OK", "", &vec![b'?'; bytes.len()]),
            (Some(Failure::CutAfter(count)), _) => {
                let head = head(
                    if start.is_some() {
                        "206 Partial Content"
                    } else {
                        "200 OK"
                    },
                    "",
                    rest.len(),
                );
                let mut stream = stream;
                stream.write_all(head.as_bytes())?;
                stream.write_all(&rest[..count])
            }
            (Some(Failure::NoRange), _) | (None, None) => send(stream, "200 OK", "", &bytes),
            (None, Some(_)) => send(stream, "206 Partial Content", "", rest),
        }
    }
}

fn is_large(name: &str) -> bool {
    name.starts_with("onnx/")
}

fn read_request(stream: &TcpStream) -> std::io::Result<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut seen = Seen {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        ..Seen::default()
    };
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_lowercase().as_str() {
            "range" => seen.range = Some(value.to_owned()),
            "authorization" => seen.token = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(seen)
}

fn head(status: &str, headers: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n")
}

fn send(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(head(status, headers, body.len()).as_bytes())?;
    stream.write_all(body)
}
