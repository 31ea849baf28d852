//! The grant `http`: requests to named hosts, bounded in time and size.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use ureq::unversioned::transport::DefaultConnector;

use super::reach::{Allowed, CheckedResolver};
use super::{Refusal, RefusalKind};
use crate::limits::Limits;
use crate::plugin::Check;
use crate::plugin::grants::Reach;

/// A plugin's way out. It has no proxy, follows no redirect and keeps no connection: every request is
/// resolved and checked anew.
pub(in crate::plugin) struct Client {
    agent: Agent,
    allowed: Allowed,
    body_bytes_max: usize,
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

/// What came back.
pub(in crate::plugin) struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
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
            .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver::new(allowed.clone());
        Ok(Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            allowed,
            body_bytes_max: limits.http_body_bytes_max,
            time_max: Duration::from_millis(limits.http_ms_max),
            network,
        })
    }

    /// Sends a request, which must be over by `deadline` too, on a thread of its own. Nobody has to wait for the
    /// end: what is dropped runs into its timeout.
    pub(in crate::plugin) async fn send(
        self: Arc<Self>,
        request: HttpRequest,
        deadline: Instant,
    ) -> Result<HttpResponse, Refusal> {
        let network = self.network.clone();
        let sent = network.spawn_blocking(move || self.send_now(request, deadline));
        sent.await.unwrap_or_else(|cause| {
            let message = cause.to_string();
            Err(Refusal::new(
                RefusalKind::Unavailable,
                "http.failed",
                message,
            ))
        })
    }

    fn send_now(&self, request: HttpRequest, deadline: Instant) -> Result<HttpResponse, Refusal> {
        let request = self.check(request)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self
            .agent
            .configure_request(request)
            .timeout_global(Some(self.time_max.min(left)))
            .build();
        let response = self.agent.run(request).map_err(failed)?;
        self.read(response)
    }

    fn check(&self, from: HttpRequest) -> Result<Request<Vec<u8>>, Refusal> {
        let invalid = |message: String| Refusal::new(RefusalKind::Invalid, "http.request", message);
        let url = from.url;
        let uri: Uri = url
            .parse()
            .map_err(|_| invalid(format!("{url}: expected an absolute address")))?;
        self.allowed.check(&uri)?;
        let method: Method = from
            .method
            .parse()
            .map_err(|_| invalid(format!("{}: expected a method", from.method)))?;
        let mut request = Request::new(from.body);
        *request.uri_mut() = uri;
        *request.method_mut() = method;
        for (name, value) in &from.headers {
            let (name, value) = header(name, value)
                .ok_or_else(|| invalid(format!("{name}: expected a header of the plugin's own")))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
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
            .map_err(|cause| failed(ureq::Error::Io(cause)))?;
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

/// Those that decide where a request goes and where it ends are the host's.
fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    const HOSTS: [&str; 6] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "te",
    ];
    let name: HeaderName = name.parse().ok()?;
    let ours = HOSTS.contains(&name.as_str()) || name.as_str().starts_with("proxy-");
    let value = value.parse().ok()?;
    (!ours).then_some((name, value))
}

fn failed(error: ureq::Error) -> Refusal {
    let refused = match &error {
        ureq::Error::Io(cause) => cause
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<super::reach::Forbidden>()),
        _ => None,
    };
    if let Some(forbidden) = refused {
        return Refusal::denied("http.address", forbidden.to_string());
    }
    let text = error.to_string();
    let late = text.contains("timeout");
    let code = if late { "http.late" } else { "http.failed" };
    Refusal::new(RefusalKind::Unavailable, code, text)
}
