//! A registry for tests: the distribution API as far as artefacts need it, from a thread.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

/// Who may: `me:secret`, as HTTP says it.
const ACCOUNT: &str = "Basic bWU6c2VjcmV0";
/// Tokens for reading alone, and for all.
const READS: &str = "Bearer reads";
const WRITES: &str = "Bearer writes";

/// A registry that lives as long as the tests do.
#[derive(Clone)]
pub struct Registry {
    /// Host and port.
    pub host: String,
    /// Blobs by digest, manifests by digest and by tag.
    content: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    /// Whether anybody told it the account.
    was_told: Arc<AtomicBool>,
    habits: Habits,
}

/// What a registry is like.
#[derive(Clone, Default)]
pub struct Habits {
    /// It gives and takes with a token only, which it gives for the account.
    pub needs_account: bool,
    /// What its challenges call this machine.
    pub realm: Option<&'static str>,
    /// The host that uploads are sent to, in place of its own.
    pub uploads: Option<String>,
}

struct Asked {
    method: String,
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

impl Registry {
    pub fn new(habits: Habits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            host: listener.local_addr().unwrap().to_string(),
            content: Arc::default(),
            was_told: Arc::default(),
            habits,
        };
        let served = registry.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let registry = served.clone();
                thread::spawn(move || registry.answer(stream));
            }
        });
        registry
    }

    /// Replaces what a name stands for.
    pub fn replace(&self, name: &str, bytes: &[u8]) {
        let mut content = self.content.lock().unwrap();
        content.insert(name.to_owned(), bytes.to_vec());
    }

    /// Whether anybody told it the account.
    pub fn was_told(&self) -> bool {
        self.was_told.load(Ordering::SeqCst)
    }

    fn answer(&self, stream: TcpStream) {
        let asked = read(&stream);
        let (status, headers, body) = self.judge(&asked);
        let mut stream = stream;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        if asked.method != "HEAD" {
            stream.write_all(&body).unwrap();
        }
    }

    fn judge(&self, asked: &Asked) -> (u16, String, Vec<u8>) {
        let authorization = asked.authorization.as_deref();
        if authorization == Some(ACCOUNT) {
            self.was_told.store(true, Ordering::SeqCst);
        }
        if asked
            .path
            .starts_with("/token?service=here&scope=repository")
        {
            let token = if asked.path.contains("push") {
                WRITES
            } else {
                READS
            };
            let token = token.replace("Bearer ", "");
            return match authorization {
                Some(ACCOUNT) => (
                    200,
                    String::new(),
                    format!("{{\"token\":\"{token}\"}}").into(),
                ),
                _ => (401, String::new(), Vec::new()),
            };
        }
        let is_reading = ["GET", "HEAD"].contains(&asked.method.as_str());
        let may = match authorization {
            Some(READS) => is_reading,
            Some(WRITES) => true,
            _ => !self.habits.needs_account,
        };
        if may {
            return self.serve(asked);
        }
        (401, self.challenge(is_reading), Vec::new())
    }

    /// As registries do, for no more than the request needs.
    fn challenge(&self, is_reading: bool) -> String {
        let name = self.habits.realm.unwrap_or("127.0.0.1");
        let realm = format!("http://{}/token", self.host.replace("127.0.0.1", name));
        let actions = if is_reading { "pull" } else { "pull,push" };
        format!(
            "www-authenticate: Bearer realm=\"{realm}\",service=\"here\",scope=\"repository:me/x:{actions}\"\r\n"
        )
    }

    fn serve(&self, asked: &Asked) -> (u16, String, Vec<u8>) {
        let name = asked.path.rsplit(['/', '=']).next().unwrap();
        let mut content = self.content.lock().unwrap();
        match asked.method.as_str() {
            "POST" => {
                let elsewhere = self.habits.uploads.as_ref();
                let place = elsewhere.map_or_else(String::new, |host| format!("http://{host}"));
                let place = format!("location: {place}/v2/me/x/blobs/uploads/1?state=a\r\n");
                (202, place, Vec::new())
            }
            "PUT" => {
                let digest: String = Sha256::digest(&asked.body)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                content.insert(format!("sha256:{digest}"), asked.body.clone());
                content.insert(name.to_owned(), asked.body.clone());
                (201, String::new(), Vec::new())
            }
            _ => match content.get(name) {
                Some(bytes) => (200, String::new(), bytes.clone()),
                None => (404, String::new(), Vec::new()),
            },
        }
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Asked {
        method,
        path,
        authorization,
        body,
    }
}
