//! Requests to a hub: redirects, the token, and patience.

use std::io::Read;
use std::thread;
use std::time::Duration;

use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body};

use crate::error::{Error, Result};

/// A hub, and who asks.
pub(super) struct Client {
    agent: Agent,
    /// `https://huggingface.co`, without a slash at the end.
    endpoint: String,
    token: Option<String>,
}

/// Times that a request is made before we give up.
const TRIES_MAX: u32 = 5;
/// Redirects of one request.
const REDIRECTS_MAX: usize = 10;
/// The longest that we wait because the hub asks us to.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Without one byte for so long, a connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What came of one request.
enum Outcome {
    Answer(Response<Body>),
    /// Worth another try, after a while.
    Again {
        wait: Option<Duration>,
        error: Error,
    },
}

impl Client {
    /// # Errors
    /// `Invalid` when `endpoint` is no address.
    pub fn new(endpoint: &str, token: Option<String>) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if origin(&endpoint).is_none() {
            let detail =
                format!("expected an address such as https://huggingface.co, found {endpoint:?}");
            return Err(Error::invalid("HF_ENDPOINT", detail));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Ours are followed by hand, so that the token stays with the hub.
            .max_redirects(0)
            .timeout_connect(Some(SILENCE_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            agent: config.build().into(),
            endpoint,
            token,
        })
    }

    /// How messages call the hub.
    pub fn subject(&self) -> String {
        format!("hub {}", self.endpoint)
    }

    /// The whole of a small answer.
    pub fn get_small(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let answer = self.get(path, 0, &mut |_| {})?;
        let mut bytes = Vec::new();
        let read = answer
            .into_body()
            .into_reader()
            .take(bytes_max)
            .read_to_end(&mut bytes);
        read.map_err(|cause| {
            Error::io(self.subject(), "was cut off; run it again").with_source(cause)
        })?;
        Ok(bytes)
    }

    /// Asks for `path` from byte `from` on, several times if need be. `waiting` hears of waits.
    ///
    /// # Errors
    /// `Invalid` when there is no such thing; `Io` for all else.
    pub fn get(
        &self,
        path: &str,
        from: u64,
        waiting: &mut dyn FnMut(Duration),
    ) -> Result<Response<Body>> {
        let mut tries = 1;
        loop {
            match self.get_once(path, from)? {
                Outcome::Answer(answer) => return Ok(answer),
                Outcome::Again { error, .. } if tries == TRIES_MAX => return Err(error),
                Outcome::Again { wait, .. } => {
                    let usual = Duration::from_millis(500 << tries);
                    let wait = wait.unwrap_or(usual).min(WAIT_MAX);
                    waiting(wait);
                    thread::sleep(wait);
                    tries += 1;
                }
            }
        }
    }

    /// One request, redirects included.
    fn get_once(&self, path: &str, from: u64) -> Result<Outcome> {
        let mut address = format!("{}{path}", self.endpoint);
        for _ in 0..REDIRECTS_MAX {
            let answer = match self.send(&address, from) {
                Ok(answer) => answer,
                Err(cause) => return Ok(self.unreached(cause)),
            };
            if !answer.status().is_redirection() {
                return self.judge(path, answer);
            }
            address = self.follow(&address, &answer)?;
        }
        let detail =
            format!("sent {path} on {REDIRECTS_MAX} times and more; is HF_ENDPOINT a hub?");
        Err(Error::io(self.subject(), detail))
    }

    fn send(&self, address: &str, from: u64) -> std::result::Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.get(address);
        // What is behind another origin is none of the hub's, and gets nobody's token.
        if let Some(token) = &self.token
            && origin(address) == origin(&self.endpoint)
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call()
    }

    fn unreached(&self, cause: ureq::Error) -> Outcome {
        let detail = "cannot be reached; check the network, or set HF_ENDPOINT to a mirror";
        Outcome::Again {
            wait: None,
            error: Error::io(self.subject(), detail).with_source(cause),
        }
    }

    /// The address that a redirect names.
    fn follow(&self, from: &str, answer: &Response<Body>) -> Result<String> {
        let location = header(answer, "location").unwrap_or_default();
        let next = match (location.starts_with('/'), origin(from)) {
            (true, Some(origin)) => format!("{origin}{location}"),
            _ => location.to_owned(),
        };
        let is_downgrade = from.starts_with("https:") && !next.starts_with("https:");
        if is_downgrade || origin(&next).is_none() {
            let detail = format!("sent us from {from} on to {location:?}, where we do not go");
            return Err(Error::io(self.subject(), detail));
        }
        Ok(next)
    }

    fn judge(&self, path: &str, answer: Response<Body>) -> Result<Outcome> {
        let status = answer.status();
        match status.as_u16() {
            200 | 206 | 416 => Ok(Outcome::Answer(answer)),
            401 | 403 => Err(self.refused(path, status)),
            404 => {
                let detail = format!(
                    "has no {path}; check owner, name and revision, and for a private repository set HF_TOKEN"
                );
                Err(Error::invalid(self.subject(), detail))
            }
            429 | 500..=599 => {
                let wait = header(&answer, "retry-after").and_then(|text| text.parse().ok());
                let detail = format!("answered {status} {TRIES_MAX} times; run it again later");
                Ok(Outcome::Again {
                    wait: wait.map(Duration::from_secs),
                    error: Error::io(self.subject(), detail),
                })
            }
            _ => {
                let detail = format!("expected 200 for {path}, found {status}");
                Err(Error::io(self.subject(), detail))
            }
        }
    }

    fn refused(&self, path: &str, status: StatusCode) -> Error {
        let cure = match &self.token {
            Some(_) => {
                "the token in HF_TOKEN does not open it: accept the licence on its page, or use another token"
            }
            None => {
                "it does not exist, or needs an account: accept the licence on its page and set HF_TOKEN"
            }
        };
        Error::io(
            self.subject(),
            format!("answered {status} for {path}; {cure}"),
        )
    }
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// `https://host:port` of an address.
fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| ["http", "https"].contains(scheme))?;
    Some(format!("{scheme}://{}", uri.authority()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://a.b:8/c?d"), Some("https://a.b:8".into()));
        assert_eq!(origin("ftp://a.b/c"), None);
        assert_eq!(origin("a.b/c"), None);
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_refused() {
        let error = Client::new("huggingface.co", None).err().unwrap();
        assert_eq!(error.subject(), "HF_ENDPOINT");
    }
}
