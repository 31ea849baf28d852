//! Servers at an address: what the protocol's transport needs of HTTP, by the client that the hub has too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_core::stream::BoxStream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use sse_stream::{Error as SseError, Sse, SseStream};
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use ureq::{Agent, Body};

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";
const SESSION: &str = "Mcp-Session-Id";

type Failure = StreamableHttpError<ureq::Error>;
type Outcome<T> = Result<T, Failure>;
type Headers = HashMap<HeaderName, HeaderValue>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

/// Makes requests on threads of their own. Clones share connections.
#[derive(Clone)]
pub struct HttpClient {
    agent: Agent,
    patience: Duration,
}

impl HttpClient {
    /// Waits so long for a connection, for the head of an answer, and for the answer to a message.
    pub fn new(patience: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // What is sent is for the server that was named and for no other.
            .max_redirects(0)
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")));
        let agent = config.build().into();
        Self { agent, patience }
    }

    fn send(&self, request: Request<Vec<u8>>) -> Outcome<Response<Body>> {
        self.agent.run(request).map_err(StreamableHttpError::Client)
    }

    /// As [`Self::send`], where the answer has an end: only what the server says unasked may take for ever.
    fn ask(&self, request: Request<Vec<u8>>) -> Outcome<Response<Body>> {
        let request = self.agent.configure_request(request);
        self.send(request.timeout_recv_body(Some(self.patience)).build())
    }
}

/// A request's head: where it goes, and what goes with each of a session.
struct Head {
    uri: Arc<str>,
    session: Option<Arc<str>>,
    token: Option<String>,
    headers: Headers,
}

impl Head {
    fn request(
        &self,
        method: &str,
        more: &[(HeaderName, &str)],
        body: Vec<u8>,
    ) -> Outcome<Request<Vec<u8>>> {
        let mut request = Request::builder().method(method).uri(&*self.uri);
        if let Some(session) = &self.session {
            request = request.header(SESSION, &**session);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in more {
            request = request.header(name, *value);
        }
        let request = request.body(body);
        request.map_err(|error| StreamableHttpError::Client(error.into()))
    }
}

/// Does `work`, which waits for the network, where it holds nobody up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await?
}

impl StreamableHttpClient for HttpClient {
    type Error = ureq::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Outcome<StreamableHttpPostResponse> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, token, headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Outcome<StreamableHttpPostResponse> {
        let (client, head) = (
            self.clone(),
            Head {
                uri,
                session,
                token,
                headers,
            },
        );
        aside(move || post(&client, &head, &message, limits)).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Outcome<()> {
        let client = self.clone();
        let head = Head {
            uri,
            session: Some(session),
            token,
            headers,
        };
        aside(move || {
            let response = client.ask(head.request("DELETE", &[], Vec::new())?)?;
            match response.status() {
                StatusCode::METHOD_NOT_ALLOWED => {
                    Err(StreamableHttpError::ServerDoesNotSupportDeleteSession)
                }
                status if status.is_success() => Ok(()),
                _ => Err(refusal(response)),
            }
        })
        .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Outcome<Events> {
        let event_bytes_max = StreamableHttpResponseLimits::default().max_sse_event_size;
        let client = self.clone();
        let head = Head {
            uri,
            session,
            token,
            headers,
        };
        aside(move || listen(&client, &head, last_event.as_deref(), event_bytes_max)).await
    }
}

/// Sends a message and takes the answer, or the stream in which it will come.
fn post(
    client: &HttpClient,
    head: &Head,
    message: &ClientJsonRpcMessage,
    limits: StreamableHttpResponseLimits,
) -> Outcome<StreamableHttpPostResponse> {
    let both = format!("{EVENTS}, {JSON}");
    let more = [(ACCEPT, both.as_str()), (CONTENT_TYPE, JSON)];
    let request = head.request("POST", &more, serde_json::to_vec(message)?)?;
    let response = client.ask(request)?;
    let (status, session) = (response.status(), text(response.headers(), SESSION));
    let kind = media_type(response.headers());
    let asks = matches!(message, ClientJsonRpcMessage::Request(_));
    match (status, kind.as_deref()) {
        (StatusCode::ACCEPTED | StatusCode::NO_CONTENT, _) => {
            Ok(StreamableHttpPostResponse::Accepted)
        }
        (StatusCode::NOT_FOUND, _) if head.session.is_some() => {
            Err(StreamableHttpError::SessionExpired)
        }
        (status, Some(EVENTS)) if status.is_success() => {
            let events = events(response.into_body(), limits.max_sse_event_size);
            Ok(StreamableHttpPostResponse::Sse(events, session))
        }
        (status, Some(JSON)) if status.is_success() && asks => {
            let answer = json(response, limits.max_json_response_size)?;
            Ok(StreamableHttpPostResponse::Json(answer, session))
        }
        // A message that asks nothing needs no answer.
        (status, _) if status.is_success() && !asks => Ok(StreamableHttpPostResponse::Accepted),
        _ => Err(refusal(response)),
    }
}

/// Opens the stream in which the server speaks unasked.
fn listen(
    client: &HttpClient,
    head: &Head,
    last_event: Option<&str>,
    event_bytes_max: usize,
) -> Outcome<Events> {
    let mut more = vec![(ACCEPT, EVENTS)];
    if let Some(last) = last_event {
        more.push((HeaderName::from_static("last-event-id"), last));
    }
    let response = client.send(head.request("GET", &more, Vec::new())?)?;
    match (response.status(), media_type(response.headers()).as_deref()) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => Err(StreamableHttpError::ServerDoesNotSupportSse),
        (status, Some(EVENTS)) if status.is_success() => {
            Ok(events(response.into_body(), event_bytes_max))
        }
        _ => Err(refusal(response)),
    }
}

fn json(response: Response<Body>, bytes_max: usize) -> Outcome<ServerJsonRpcMessage> {
    let bytes = read(response.into_body(), bytes_max.saturating_add(1))?;
    if bytes.len() > bytes_max {
        return Err(StreamableHttpError::ResponseBodyTooLarge {
            max_size: bytes_max,
        });
    }
    Ok(serde_json::from_slice(&bytes)?)
}

fn read(body: Body, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    body.into_reader().take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a server said in place of an answer: the status, where else to go, and the beginning of its text.
fn refusal(response: Response<Body>) -> Failure {
    const SHOWN_MAX: usize = 500;
    let (status, headers) = (response.status(), response.headers());
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
    let mut told = match place {
        Some(place) => format!("HTTP {status}, to {place}: name that address"),
        None => format!("HTTP {status}"),
    };
    let said = read(response.into_body(), SHOWN_MAX).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    if !said.trim().is_empty() {
        told = format!("{told}: {}", said.trim());
    }
    StreamableHttpError::UnexpectedServerResponse(Cow::Owned(told))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// Without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, CONTENT_TYPE.as_str())?;
    let kind = value.split(';').next().unwrap_or_default();
    Some(kind.trim().to_ascii_lowercase())
}

/// The events of a body, which a thread reads until it ends or nobody listens.
fn events(body: Body, event_bytes_max: usize) -> Events {
    let (sender, receiver) = async_channel::bounded(16);
    let mut reader = Bounded {
        inner: body.into_reader(),
        event_bytes_max,
        event_bytes: 0,
        line_bytes: 0,
        after_return: false,
    };
    thread::spawn(move || {
        let mut buffer = [0; 8 << 10];
        loop {
            let chunk = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => Ok(Cursor::new(buffer[..count].to_vec())),
                Err(error) => Err(error),
            };
            let is_last = chunk.is_err();
            if sender.send_blocking(chunk).is_err() || is_last {
                return;
            }
        }
    });
    Box::pin(SseStream::from_bytes_stream(receiver))
}

/// Ends with an error where one event is too long to be held.
struct Bounded<R> {
    inner: R,
    event_bytes_max: usize,
    /// Since the last empty line.
    event_bytes: usize,
    /// Since the last end of a line, of which there are three: LF, CR, and both.
    line_bytes: usize,
    after_return: bool,
}

impl<R> Bounded<R> {
    fn count(&mut self, byte: u8) {
        let is_second = byte == b'\n' && self.after_return;
        self.after_return = byte == b'\r';
        match byte {
            _ if is_second => {}
            b'\n' | b'\r' if self.line_bytes == 0 => self.event_bytes = 0,
            b'\n' | b'\r' => {
                self.event_bytes += 1;
                self.line_bytes = 0;
            }
            _ => {
                self.event_bytes += 1;
                self.line_bytes += 1;
            }
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        buffer[..count].iter().for_each(|byte| self.count(*byte));
        match self.event_bytes > self.event_bytes_max {
            true => Err(io::Error::other("an event is longer than is allowed")),
            false => Ok(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many pieces, one a read.
    struct Pieces(usize, &'static [u8]);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(left) = self.0.checked_sub(1) else {
                return Ok(0);
            };
            self.0 = left;
            buffer[..self.1.len()].copy_from_slice(self.1);
            Ok(self.1.len())
        }
    }

    #[test]
    fn an_event_is_bounded_however_it_is_read() {
        let fits = |piece| {
            let mut reader = Bounded {
                inner: Pieces(1_000, piece),
                event_bytes_max: 100,
                event_bytes: 0,
                line_bytes: 0,
                after_return: false,
            };
            io::copy(&mut reader, &mut io::sink()).is_ok()
        };
        for event in [
            &b"data: x\n\n"[..],
            b"data: x\r\r",
            b"data: x\r\n\r\n",
            b"data: x\r\ndata: y\n\r",
        ] {
            assert!(fits(event), "{event:?}");
        }
        for part in [&b"data: x\n"[..], b"data: x\r", b"data: x\r\n", b"x"] {
            assert!(!fits(part), "{part:?}");
        }
    }
}
