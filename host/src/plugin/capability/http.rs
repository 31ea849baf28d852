//! The grant `http`: requests to named hosts, bounded in time and size.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use ureq::unversioned::transport::DefaultConnector;

use super::reach::{Allowed, CheckedResolver, Forbidden};
use super::{Refusal, RefusalKind};
use crate::limits::Limits;
use crate::plugin::Check;
use crate::plugin::grants::Reach;
use crate::plugin::tape::Bytes;

/// A plugin's way out. It has no proxy, follows no redirect and keeps no connection: every request is
/// resolved and checked anew.
pub(in crate::plugin) struct Client {
    agent: Agent,
    allowed: Allowed,
    body_bytes_max: usize,
    headers_bytes_max: usize,
    requests_max: usize,
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
    time_max: Duration,
    network: Handle,
}

/// A request as a plugin puts it.
pub(in crate::plugin) struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// As it stands in a recording.
    pub(in crate::plugin) fn asked(&self) -> (String, String, Vec<(String, String)>, Bytes) {
        let body = Bytes(self.body.clone());
        (
            self.method.clone(),
            self.url.clone(),
            self.headers.clone(),
            body,
        )
    }
}

/// How long a request may take.
#[derive(Clone, Copy)]
pub(in crate::plugin) struct Patience {
    /// When the answer must be here as a whole.
    pub deadline: Instant,
    /// The guest's own bound for the connection.
    pub connect: Option<Duration>,
    /// The guest's own bound for the beginning of the answer.
    pub answer: Option<Duration>,
}

impl Patience {
    pub(in crate::plugin) fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            connect: None,
            answer: None,
        }
    }
}

/// One of the requests that a plugin may have under way.
pub(in crate::plugin) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// Room for an answer that its plugin has not taken yet.
pub(in crate::plugin) struct Held {
    _permit: OwnedSemaphorePermit,
}

/// In what room for answers is counted: even an empty one costs the host something.
const HELD_BYTES: usize = 1 << 10;

/// What came back.
pub(in crate::plugin) struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// As it stands in a recording.
    pub(in crate::plugin) fn written(self) -> (u16, Vec<(String, String)>, Bytes) {
        (self.status, self.headers, Bytes(self.body))
    }
}

impl Client {
    pub(super) fn new(hosts: &[(String, Reach)], limits: &Limits, network: Handle) -> Check<Self> {
        let allowed = Allowed::new(hosts)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .allow_non_standard_methods(true)
            .proxy(None)
            .max_response_header_size(limits.http_headers_bytes_max)
            .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver::new(allowed.clone());
        Ok(Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            allowed,
            body_bytes_max: limits.http_body_bytes_max,
            headers_bytes_max: limits.http_headers_bytes_max,
            requests_max: limits.http_requests_max,
            time_max: Duration::from_millis(limits.http_ms_max),
            turns: semaphore(limits.http_requests_max),
            room: semaphore(
                parts(limits.http_body_bytes_max).saturating_mul(limits.http_requests_max),
            ),
            network,
        })
    }

    /// Waits until a request may begin. Requests that nobody waits for any more keep their turn until they end.
    pub(in crate::plugin) async fn turn(&self) -> Result<Turn, Refusal> {
        let permit = Arc::clone(&self.turns).acquire_owned().await;
        let gone = |_| Refusal::new(RefusalKind::Unavailable, "http.failed", "the host ends");
        let permit = permit.map_err(gone)?;
        Ok(Turn { _permit: permit })
    }

    /// Room for an answer's body, as long as its plugin may come back for it.
    pub(in crate::plugin) fn hold(&self, body_bytes: usize) -> Result<Held, Refusal> {
        let parts = u32::try_from(parts(body_bytes)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(parts);
        let full = |_| {
            let message = format!(
                "expected answers of at most {} whole bodies to be held, found more (http_requests_max)",
                self.requests_max
            );
            Refusal::new(RefusalKind::Limit, "http.held", message)
        };
        let permit = permit.map_err(full)?;
        Ok(Held { _permit: permit })
    }

    pub(in crate::plugin) fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }

    /// Sends a request on a thread of its own. Nobody has to wait for the end: what is dropped runs into its timeout.
    pub(in crate::plugin) async fn send(
        self: Arc<Self>,
        request: HttpRequest,
        patience: Patience,
        turn: Turn,
    ) -> Result<HttpResponse, Refusal> {
        let network = self.network.clone();
        let sent = network.spawn_blocking(move || {
            let answer = self.send_now(request, patience);
            drop(turn);
            answer
        });
        sent.await.unwrap_or_else(|cause| {
            let message = cause.to_string();
            Err(Refusal::new(
                RefusalKind::Unavailable,
                "http.failed",
                message,
            ))
        })
    }

    fn send_now(&self, request: HttpRequest, patience: Patience) -> Result<HttpResponse, Refusal> {
        let request = self.check(request)?;
        let left = patience.deadline.saturating_duration_since(Instant::now());
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(self.time_max.min(left)))
            .timeout_connect(patience.connect)
            .timeout_recv_response(patience.answer)
            .build();
        let response = self
            .agent
            .run(request)
            .map_err(|error| self.failed(&error))?;
        self.read(response)
    }

    fn failed(&self, error: &ureq::Error) -> Refusal {
        if let Some(forbidden) = forbidden(error) {
            return Refusal::denied("http.address", forbidden.to_string());
        }
        if let ureq::Error::LargeResponseHeader(..) = error {
            let max = self.headers_bytes_max;
            return Refusal::limit("http.headers", "http_headers_bytes_max", max);
        }
        let code = match is_late(error) {
            true => "http.late",
            false => "http.failed",
        };
        Refusal::new(RefusalKind::Unavailable, code, error.to_string())
    }

    fn check(&self, from: HttpRequest) -> Result<Request<Vec<u8>>, Refusal> {
        let invalid = |message: String| Refusal::new(RefusalKind::Invalid, "http.request", message);
        let url = from.url;
        let uri: Uri = url
            .parse()
            .map_err(|_| invalid(format!("{url}: expected an absolute address")))?;
        self.allowed.check(&uri)?;
        if from.body.len() > self.body_bytes_max {
            let max = self.body_bytes_max;
            return Err(Refusal::limit("http.body", "http_body_bytes_max", max));
        }
        let method: Method = from
            .method
            .parse()
            .map_err(|_| invalid(format!("{}: expected a method", from.method)))?;
        let mut request = Request::new(from.body);
        *request.uri_mut() = uri;
        *request.method_mut() = method;
        self.check_headers(&from.headers)?;
        for (name, value) in &from.headers {
            let (name, value) = header(name, value)
                .ok_or_else(|| invalid(format!("{name}: expected a header of the plugin's own")))?;
            let added = request.headers_mut().try_append(name, value);
            added.map_err(|_| invalid("expected fewer headers".to_owned()))?;
        }
        Ok(request)
    }

    fn check_headers(&self, headers: &[(String, String)]) -> Result<(), Refusal> {
        let sizes = headers.iter().map(|(name, value)| name.len() + value.len());
        let max = self.headers_bytes_max;
        match sizes.sum::<usize>() > max {
            true => Err(Refusal::limit(
                "http.headers",
                "http_headers_bytes_max",
                max,
            )),
            false => Ok(()),
        }
    }

    fn read(&self, response: Response<ureq::Body>) -> Result<HttpResponse, Refusal> {
        let status = response.status().as_u16();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect();
        let mut body = Vec::new();
        let most = self.body_bytes_max as u64 + 1;
        let reader = response.into_body().into_reader();
        reader
            .take(most)
            .read_to_end(&mut body)
            .map_err(|cause| self.failed(&ureq::Error::Io(cause)))?;
        if body.len() > self.body_bytes_max {
            return Err(Refusal::limit(
                "http.body",
                "http_body_bytes_max",
                self.body_bytes_max,
            ));
        }
        Ok(HttpResponse {
            status,
            headers,
            body,
        })
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

fn parts(bytes: usize) -> usize {
    bytes / HELD_BYTES + 1
}

fn is_late(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(cause) => {
            let inner = cause.get_ref().and_then(|inner| inner.downcast_ref());
            cause.kind() == ErrorKind::TimedOut || inner.is_some_and(is_late)
        }
        _ => false,
    }
}

/// Those that decide where a request goes and where it ends are the host's.
pub(in crate::plugin) fn is_hosts_header(name: &HeaderName) -> bool {
    const HOSTS: [&str; 6] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "te",
    ];
    HOSTS.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name: HeaderName = name.parse().ok()?;
    let value = value.parse().ok()?;
    (!is_hosts_header(&name)).then_some((name, value))
}

/// The address that was refused while its name was resolved.
fn forbidden(error: &ureq::Error) -> Option<&Forbidden> {
    match error {
        ureq::Error::Io(cause) => cause.get_ref()?.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: &Limits, headers: usize) -> Result<(), Refusal> {
        let network = tokio::runtime::Builder::new_current_thread().build();
        let network = network.expect("a runtime").handle().clone();
        let hosts = [("a.example".to_owned(), Reach::Public)];
        let client = Client::new(&hosts, limits, network).expect("hosts");
        let headers = (0..headers).map(|n| (format!("x-{n}"), String::new()));
        let request = HttpRequest {
            method: "GET".into(),
            url: "https://a.example/".into(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        client.check(request).map(drop)
    }

    #[test]
    fn more_headers_than_a_map_holds_are_refused() {
        let refusal = check(&Limits::default(), 30_000).expect_err("too long");
        assert_eq!(refusal.code, "http.headers");
        let limits = Limits {
            http_headers_bytes_max: usize::MAX,
            ..Limits::default()
        };
        let refusal = check(&limits, 30_000).expect_err("too many");
        assert_eq!(refusal.code, "http.request");
        assert!(check(&limits, 1_000).is_ok());
    }
}
