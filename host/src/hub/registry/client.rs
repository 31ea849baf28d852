//! A registry: the part of the OCI distribution API that artefacts need.

use std::cell::RefCell;
use std::io::Read;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Request, Response, Uri};
use ureq::{Agent, Body, ResponseExt};

use super::artefact::{Artefact, JSON_BYTES_MAX, MANIFEST_TYPE, check_digest};
use super::reference::Reference;
use crate::error::{Error, Result};

/// Without one byte for so long, a connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An account at a registry.
#[derive(Clone)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password or token.
    pub password: String,
}

/// Puts an artefact where `reference` says.
///
/// # Errors
/// `Io` when the registry cannot be reached or refuses.
pub fn push(reference: &Reference, artefact: &Artefact, login: Option<&Login>) -> Result<()> {
    let registry = Registry::new(reference, login);
    for (digest, bytes) in artefact.blobs() {
        registry.upload(&digest, bytes)?;
    }
    let path = registry.path("manifests", &reference.tag);
    let headers = [("content-type", MANIFEST_TYPE)];
    let answer = registry.ask("PUT", &path, &headers, Some(artefact.manifest()))?;
    registry.expect(answer, &[201], &path).map(drop)
}

/// The artefact at `reference`; its digest, where it has one, decides.
///
/// # Errors
/// `Io` when the registry cannot be reached or refuses, `Invalid` when what comes is no artefact of ours or not what
/// the digests name.
pub fn pull(reference: &Reference, login: Option<&Login>) -> Result<Artefact> {
    let registry = Registry::new(reference, login);
    let wanted = reference.digest.as_deref().unwrap_or(&reference.tag);
    let path = registry.path("manifests", wanted);
    let answer = registry.ask("GET", &path, &[("accept", MANIFEST_TYPE)], None)?;
    let manifest = registry.body(answer, &path, JSON_BYTES_MAX as u64)?;
    if let Some(digest) = &reference.digest {
        check_digest(&registry.subject, digest, &manifest)?;
    }
    Artefact::assemble(&registry.subject, manifest, &mut |blob| {
        let path = registry.path("blobs", &blob.digest);
        let answer = registry.ask("GET", &path, &[], None)?;
        registry.body(answer, &path, blob.size)
    })
}

struct Registry<'a> {
    agent: Agent,
    /// `https://ghcr.io`; a registry on this machine is spoken to in the clear.
    origin: String,
    reference: &'a Reference,
    login: Option<&'a Login>,
    /// What the registry wants to see with each request, once it said so.
    authorization: RefCell<Option<String>>,
    subject: String,
}

impl<'a> Registry<'a> {
    fn new(reference: &'a Reference, login: Option<&'a Login>) -> Self {
        let host = reference.registry.split(':').next().unwrap_or_default();
        let scheme = if is_here(host) { "http" } else { "https" };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(SILENCE_MAX))
            .timeout_per_read(Some(SILENCE_MAX))
            .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")));
        Self {
            agent: config.build().into(),
            origin: format!("{scheme}://{}", reference.registry),
            reference,
            login,
            authorization: RefCell::new(None),
            subject: format!("registry {}", reference.registry),
        }
    }

    fn path(&self, kind: &str, name: &str) -> String {
        format!("/v2/{}/{kind}/{name}", self.reference.repository)
    }

    /// Sends a blob that the registry does not have yet.
    fn upload(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        let known = self.ask("HEAD", &self.path("blobs", digest), &[], None)?;
        if known.status() == 200 {
            return Ok(());
        }
        let start = self.path("blobs", "uploads/");
        let answer = self.ask("POST", &start, &[], Some(&[]))?;
        let answer = self.expect(answer, &[202], &start)?;
        let place = header(&answer, "location").unwrap_or_default();
        let sign = if place.contains('?') { '&' } else { '?' };
        let place = format!("{place}{sign}digest={digest}");
        let headers = [("content-type", "application/octet-stream")];
        let answer = self.ask("PUT", &place, &headers, Some(bytes))?;
        self.expect(answer, &[201], &place).map(drop)
    }

    /// One request; a second one when the registry wants to know first who asks. What it was told before need not
    /// do: a token may be for reading alone, or have expired. Whoever else answers is told nothing.
    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response<Body>> {
        let answer = self.send(method, path, headers, body)?;
        if answer.status() != 401 || !self.is_own(answer.get_uri()) {
            return Ok(answer);
        }
        let challenge = header(&answer, "www-authenticate").unwrap_or_default();
        let authorization = self.authorize(challenge)?;
        *self.authorization.borrow_mut() = Some(authorization);
        self.send(method, path, headers, body)
    }

    /// `path` may be an address: a registry may have uploads go elsewhere, without our name then.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response<Body>> {
        let address = match path.starts_with('/') {
            true => format!("{}{path}", self.origin),
            false => path.to_owned(),
        };
        let address: Uri = address.parse().map_err(|source| {
            self.failure(format!("{address:?} is no address"))
                .with_source(source)
        })?;
        let is_own = self.is_own(&address);
        let mut request = Request::builder().method(method).uri(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = self.authorization.borrow().as_deref()
            && is_own
        {
            request = request.header("authorization", authorization);
        }
        let answer = match body {
            Some(bytes) => request.body(bytes).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let answer = answer.map_err(|source| {
            self.failure(format!("cannot be asked for {path}"))
                .with_source(source)
        })?;
        answer.map_err(|source| {
            self.failure("cannot be reached; check the network".to_owned())
                .with_source(source)
        })
    }

    /// What to say who we are with: a token for the scope that the challenge names, or the account itself.
    fn authorize(&self, challenge: &str) -> Result<String> {
        let account = self.login.map(|login| {
            let pair = format!("{}:{}", login.user, login.password);
            format!("Basic {}", STANDARD.encode(pair))
        });
        let Some(fields) = challenge.strip_prefix("Bearer ") else {
            let detail = || format!("wants an account; {}", self.account_wanted());
            return account.ok_or_else(|| self.failure(detail()));
        };
        let realm = field(fields, "realm").unwrap_or_default();
        let mut request = self.agent.get(self.token_address(realm)?);
        for name in ["service", "scope"] {
            if let Some(value) = field(fields, name) {
                request = request.query(name, value);
            }
        }
        if let Some(account) = account {
            request = request.header("authorization", account);
        }
        let answer = request.call().map_err(|source| {
            self.failure(format!(
                "names {realm:?} for tokens, which cannot be reached"
            ))
            .with_source(source)
        })?;
        let bytes = self.body(answer, realm, JSON_BYTES_MAX as u64)?;
        let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = said["token"].as_str().or(said["access_token"].as_str());
        let token = token.ok_or_else(|| self.failure(format!("got no token from {realm}")))?;
        Ok(format!("Bearer {token}"))
    }

    /// Where a registry says that tokens are. An account does not leave this machine in the clear.
    fn token_address(&self, realm: &str) -> Result<Uri> {
        let is_safe = |uri: &Uri| match uri.scheme_str() {
            Some("http") => self.origin.starts_with("http:") && uri.host().is_some_and(is_here),
            scheme => scheme == Some("https"),
        };
        let address = realm.parse().ok().filter(is_safe);
        address.ok_or_else(|| {
            let detail = format!("names {realm:?} for tokens; expected an https:// address");
            self.failure(detail)
        })
    }

    fn account_wanted(&self) -> String {
        format!(
            "set LAPIDARY_REGISTRY to {}, and LAPIDARY_REGISTRY_USER and LAPIDARY_REGISTRY_PASSWORD to an account \
             there that may",
            self.reference.registry
        )
    }

    /// Whether an address is the registry's own.
    fn is_own(&self, address: &Uri) -> bool {
        origin(address).as_ref() == Some(&self.origin)
    }

    fn expect(
        &self,
        answer: Response<Body>,
        statuses: &[u16],
        path: &str,
    ) -> Result<Response<Body>> {
        let status = answer.status();
        if statuses.contains(&status.as_u16()) {
            return Ok(answer);
        }
        let cure = match status.as_u16() {
            401 | 403 => format!("; {}", self.account_wanted()),
            404 => "; check registry, repository and tag".to_owned(),
            _ => String::new(),
        };
        Err(self.failure(format!("answered {status} for {path}{cure}")))
    }

    /// The whole of an answer, at most `bytes_max` of it.
    fn body(&self, answer: Response<Body>, path: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let answer = self.expect(answer, &[200], path)?;
        let mut bytes = Vec::new();
        let mut reader = answer.into_body().into_reader().take(bytes_max);
        let read = reader.read_to_end(&mut bytes);
        read.map_err(|source| {
            self.failure("was cut off; run it again".to_owned())
                .with_source(source)
        })?;
        Ok(bytes)
    }

    fn failure(&self, detail: String) -> Error {
        Error::io(&self.subject, detail)
    }
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// The value of `name="value"` in a challenge.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = fields.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

/// `https://host:port` of an address.
fn origin(address: &Uri) -> Option<String> {
    let (scheme, authority) = (address.scheme_str()?, address.authority()?);
    Some(format!("{scheme}://{authority}"))
}

/// Whether a name is this machine's own.
fn is_here(host: &str) -> bool {
    ["localhost", "127.0.0.1"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_has_fields() {
        let fields = r#"realm="https://a.b/token",service="a.b", scope="repository:x:pull,push""#;
        assert_eq!(field(fields, "realm"), Some("https://a.b/token"));
        assert_eq!(field(fields, "scope"), Some("repository:x:pull,push"));
        assert_eq!(field(fields, "error"), None);
    }
}
