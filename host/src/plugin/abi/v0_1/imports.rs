//! What the host offers to tools and agents. Whether a plugin may import it was checked before it was
//! compiled.

#[cfg(feature = "http")]
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasSelf, Linker};

use super::tool_provider::lapidary::plugin::{
    clock, config, files, http, inference, key_value, log, secrets,
};
use super::{convert, wit};
use crate::error::{Error, ErrorKind};
#[cfg(feature = "http")]
use crate::plugin::capability::{HttpRequest, HttpResponse, Patience};
use crate::plugin::capability::{Refusal, RefusalKind};
use crate::plugin::inference::TOKENS_PER_MINUTE;
use crate::plugin::log::Level;
use crate::plugin::store::{Sandbox, State};
#[cfg(feature = "http")]
use crate::plugin::tape;
use crate::plugin::tape::Bytes;

/// The arguments of a function that takes none.
pub(super) const NOTHING: [(); 0] = [];

pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    config::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    secrets::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    key_value::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    files::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    http::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    #[cfg(feature = "http")]
    crate::plugin::wasi::add(linker)?;
    inference::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// What a capability answered, or why it did not.
type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl State {
    pub(super) fn answer<T>(&mut self, outcome: Result<T, Refusal>) -> Answer<T> {
        Ok(outcome.map_err(|refusal| {
            match refusal.kind {
                RefusalKind::Denied => self.shared.counters.denied(),
                RefusalKind::Limit => self.limit_told = Some(refusal.code.clone()),
                RefusalKind::Invalid | RefusalKind::Cancelled | RefusalKind::Unavailable => {}
            }
            told(refusal)
        }))
    }

    /// The guest's failure, as ours. Where it passes on a limit of which the host told it, that limit's.
    pub(super) fn failure(&self, sandbox: &Sandbox, error: wit::Error) -> Error {
        let is_passed_on = error.kind == wit::ErrorKind::LimitExceeded
            && self.limit_told.as_deref() == Some(error.code.as_str());
        let failure = convert::failure(sandbox, error);
        match self
            .limit_told
            .as_deref()
            .and_then(field)
            .filter(|_| is_passed_on)
        {
            Some(field) => failure.of_kind(ErrorKind::Limit(field)),
            None => failure,
        }
    }
}

/// What the operator raises where a capability refused with `code`.
fn field(code: &str) -> Option<&'static str> {
    Some(match code {
        "files.size" => "file_bytes_max",
        "key-value.size" => "key_value_bytes_max",
        "http.body" => "http_body_bytes_max",
        "http.headers" => "http_headers_bytes_max",
        "inference.tokens-per-minute" => TOKENS_PER_MINUTE,
        _ => return None,
    })
}

fn told(refusal: Refusal) -> wit::Error {
    wit::Error {
        kind: match refusal.kind {
            RefusalKind::Invalid => wit::ErrorKind::InvalidInput,
            RefusalKind::Denied => wit::ErrorKind::Denied,
            RefusalKind::Limit => wit::ErrorKind::LimitExceeded,
            RefusalKind::Cancelled => wit::ErrorKind::Cancelled,
            RefusalKind::Unavailable => wit::ErrorKind::Unavailable,
        },
        code: refusal.code.into_owned(),
        message: refusal.message,
        at: None,
    }
}

impl log::Host for State {
    fn emit(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.called()?;
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        let message = self.shared.capabilities.redacted(&message);
        self.log.push(level, &message);
        Ok(())
    }
}

impl clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<clock::Datetime> {
        self.called()?;
        let (seconds, nanoseconds, utc_offset_minutes) =
            self.taped("clock.now", NOTHING, |_| time())?;
        Ok(clock::Datetime {
            seconds,
            nanoseconds,
            utc_offset_minutes,
        })
    }
}

/// Seconds and nanoseconds since 1970, and the offset from UTC in minutes.
fn time() -> (u64, u32, i32) {
    // Before 1970 the machine's clock is not set; the contract has no word for that.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let offset_minutes = jiff::Zoned::now().offset().seconds() / 60;
    (now.as_secs(), now.subsec_nanos(), offset_minutes)
}

impl config::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.called()?;
        self.taped("config.get", [&name], |state| {
            state.shared.capabilities.config.get(&name).cloned()
        })
    }

    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        self.called()?;
        self.taped("config.names", NOTHING, |state| {
            state.shared.capabilities.config.keys().cloned().collect()
        })
    }
}

// Never on tape: a recording is read by others.
impl secrets::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.called()?;
        Ok(self.shared.capabilities.secrets.get(&name).cloned())
    }
}

impl key_value::Host for State {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.called()?;
        let value = self.taped("key-value.get", [&key], |state| {
            state.shared.capabilities.key_value.get(&key).map(Bytes)
        })?;
        Ok(Ok(value.map(|bytes| bytes.0)))
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        self.called()?;
        let asked = (key.clone(), Bytes(value.clone()));
        let outcome = self.taped("key-value.set", asked, |state| {
            state.shared.capabilities.key_value.set(key, value)
        })?;
        self.answer(outcome)
    }

    fn delete(&mut self, key: String) -> Answer<()> {
        self.called()?;
        let outcome = self.taped("key-value.delete", [&key], |state| {
            state.shared.capabilities.key_value.delete(&key)
        })?;
        self.answer(outcome)
    }

    fn keys(&mut self) -> Answer<Vec<String>> {
        self.called()?;
        let keys = self.taped("key-value.keys", NOTHING, |state| {
            state.shared.capabilities.key_value.keys()
        })?;
        Ok(Ok(keys))
    }
}

impl files::Host for State {
    fn read(&mut self, path: String) -> Answer<Vec<u8>> {
        self.called()?;
        let outcome = self.taped("files.read", [&path], |state| {
            state.shared.capabilities.folders.read(&path).map(Bytes)
        })?;
        self.answer(outcome.map(|bytes| bytes.0))
    }

    fn write(&mut self, path: String, bytes: Vec<u8>) -> Answer<()> {
        self.called()?;
        let asked = (&path, Bytes(bytes.clone()));
        let outcome = self.taped("files.write", asked, |state| {
            state.shared.capabilities.folders.write(&path, &bytes)
        })?;
        self.answer(outcome)
    }

    fn names(&mut self, path: String) -> Answer<Vec<String>> {
        self.called()?;
        let outcome = self.taped("files.names", [&path], |state| {
            state.shared.capabilities.folders.names(&path)
        })?;
        self.answer(outcome)
    }
}

#[cfg(feature = "http")]
impl http::Host for State {
    async fn send(&mut self, request: http::Request) -> Answer<http::Response> {
        let outcome = self.sending(request)?.await?;
        self.answer(outcome)
    }
}

/// What became of a request.
#[cfg(feature = "http")]
type Sent = wasmtime::Result<Result<http::Response, Refusal>>;

#[cfg(feature = "http")]
impl State {
    /// A request under way, which needs the store no more.
    pub(super) fn sending(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<impl Future<Output = Sent> + use<>> {
        self.called()?;
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
        };
        let asked = request.asked();
        let (tape, shared) = (self.tape.clone(), Arc::clone(&self.shared));
        let patience = Patience::until(self.watch.deadline());
        Ok(async move {
            let sent = async {
                let client = shared.capabilities.http.clone().ok_or_else(not_granted)?;
                let turn = client.turn().await?;
                let sent = client.send(request, patience, turn).await;
                sent.map(HttpResponse::written)
            };
            let outcome = tape::waiting(tape.as_ref(), &shared, "http.send", asked, sent).await?;
            Ok(outcome.map(|(status, headers, body)| http::Response {
                status,
                headers,
                body: body.0,
            }))
        })
    }
}

#[cfg(not(feature = "http"))]
impl http::Host for State {
    async fn send(&mut self, _: http::Request) -> Answer<http::Response> {
        self.called()?;
        self.answer(Err(not_granted()))
    }
}

/// Nobody gets here: who imports it was granted it, and a build without it refuses the grant.
fn not_granted() -> Refusal {
    Refusal::new(
        RefusalKind::Denied,
        "http.absent",
        "no requests were granted",
    )
}
