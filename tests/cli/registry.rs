//! A registry for tests: the distribution API as far as artefacts need it, from a thread.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

/// Who may: `me:secret`, as HTTP says it.
const ACCOUNT: &str = "Basic bWU6c2VjcmV0";
const TOKEN: &str = "Bearer opened";

/// A registry that lives as long as the tests do.
#[derive(Clone)]
pub struct Registry {
    /// Host and port.
    pub host: String,
    /// Blobs by digest, manifests by digest and by tag.
    content: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    needs_account: bool,
}

struct Asked {
    method: String,
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

impl Registry {
    pub fn new(needs_account: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self {
            host: listener.local_addr().unwrap().to_string(),
            content: Arc::default(),
            needs_account,
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
        if asked
            .path
            .starts_with("/token?service=here&scope=repository")
        {
            return match authorization {
                Some(ACCOUNT) => (200, String::new(), br#"{"token":"opened"}"#.to_vec()),
                _ => (401, String::new(), Vec::new()),
            };
        }
        if self.needs_account && authorization != Some(TOKEN) {
            let realm = format!("http://{}/token", self.host);
            let challenge = format!(
                "www-authenticate: Bearer realm=\"{realm}\",service=\"here\",scope=\"repository:me/x:pull,push\"\r\n"
            );
            return (401, challenge, Vec::new());
        }
        self.serve(asked)
    }

    fn serve(&self, asked: &Asked) -> (u16, String, Vec<u8>) {
        let name = asked.path.rsplit(['/', '=']).next().unwrap();
        let mut content = self.content.lock().unwrap();
        match asked.method.as_str() {
            "POST" => (
                202,
                "location: /v2/me/x/blobs/uploads/1?state=a\r\n".to_owned(),
                Vec::new(),
            ),
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
