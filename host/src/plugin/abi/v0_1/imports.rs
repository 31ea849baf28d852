//! What the host offers to tools. Whether a plugin may import it was checked before it was compiled.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasSelf, Linker};

use super::tool_provider::lapidary::plugin::{clock, log};
use crate::plugin::log::Level;
use crate::plugin::store::State;

pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    log::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

impl log::Host for State {
    fn emit(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.push(level, &message);
    }
}

impl clock::Host for State {
    fn now(&mut self) -> clock::Datetime {
        // Before 1970 the machine's clock is not set; the contract has no word for that.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        clock::Datetime {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
            utc_offset_minutes: jiff::Zoned::now().offset().seconds() / 60,
        }
    }
}
