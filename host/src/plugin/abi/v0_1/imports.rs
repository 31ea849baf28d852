//! What the host offers to tools and agents. Whether a plugin may import it was checked before it was
//! compiled.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasSelf, Linker};

use super::tool_provider::lapidary::plugin::{
    clock, config, files, http, inference, key_value, log, secrets,
};
use super::wit;
use crate::plugin::capability::{Refusal, RefusalKind};
use crate::plugin::log::Level;
use crate::plugin::store::State;

pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    config::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    secrets::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    key_value::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    files::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    http::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    inference::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// What a capability answered, or why it did not.
type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl State {
    pub(super) fn answer<T>(&self, outcome: Result<T, Refusal>) -> Answer<T> {
        Ok(outcome.map_err(|refusal| {
            if refusal.kind == RefusalKind::Denied {
                self.shared.counters.denied();
            }
            told(refusal)
        }))
    }
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
        code: refusal.code.to_owned(),
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
        let message = self.shared.capabilities.redacted(message);
        self.log.push(level, &message);
        Ok(())
    }
}

impl clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<clock::Datetime> {
        self.called()?;
        // Before 1970 the machine's clock is not set; the contract has no word for that.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
            utc_offset_minutes: jiff::Zoned::now().offset().seconds() / 60,
        })
    }
}

impl config::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.called()?;
        Ok(self.shared.capabilities.config.get(&name).cloned())
    }

    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        self.called()?;
        Ok(self.shared.capabilities.config.keys().cloned().collect())
    }
}

impl secrets::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.called()?;
        Ok(self.shared.capabilities.secrets.get(&name).cloned())
    }
}

impl key_value::Host for State {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.called()?;
        Ok(Ok(self.shared.capabilities.key_value.get(&key)))
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        self.called()?;
        self.answer(self.shared.capabilities.key_value.set(key, value))
    }

    fn delete(&mut self, key: String) -> Answer<()> {
        self.called()?;
        self.answer(self.shared.capabilities.key_value.delete(&key))
    }

    fn keys(&mut self) -> Answer<Vec<String>> {
        self.called()?;
        Ok(Ok(self.shared.capabilities.key_value.keys()))
    }
}

impl files::Host for State {
    fn read(&mut self, path: String) -> Answer<Vec<u8>> {
        self.called()?;
        self.answer(self.shared.capabilities.folders.read(&path))
    }

    fn write(&mut self, path: String, bytes: Vec<u8>) -> Answer<()> {
        self.called()?;
        self.answer(self.shared.capabilities.folders.write(&path, &bytes))
    }

    fn names(&mut self, path: String) -> Answer<Vec<String>> {
        self.called()?;
        self.answer(self.shared.capabilities.folders.names(&path))
    }
}

#[cfg(feature = "http")]
impl http::Host for State {
    fn send(&mut self, request: http::Request) -> Answer<http::Response> {
        use crate::plugin::capability::HttpRequest;
        self.called()?;
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
        };
        let outcome = self
            .shared
            .capabilities
            .http
            .send(request, self.deadline)
            .map(|response| http::Response {
                status: response.status,
                headers: response.headers,
                body: response.body,
            });
        self.answer(outcome)
    }
}

#[cfg(not(feature = "http"))]
impl http::Host for State {
    fn send(&mut self, _: http::Request) -> Answer<http::Response> {
        self.called()?;
        // Nobody gets here: such a build refuses the grant.
        let refusal = Refusal::new(
            RefusalKind::Denied,
            "http.absent",
            "this build has no outbound requests",
        );
        self.answer(Err(refusal))
    }
}
