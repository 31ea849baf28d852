//! Logits processors: what leans on every generation.

use serde_json::Value;

use crate::engine::Processor;
use crate::error::Result;
use crate::plugin::{Interrupt, LogitsPlugin, LogitsSession};

/// The processors of a runtime in their order, and what each is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Processors(Vec<(LogitsPlugin, Value)>);

impl Processors {
    pub fn new(processors: Vec<(LogitsPlugin, Value)>) -> Self {
        Self(processors)
    }

    pub fn plugins(&self) -> impl Iterator<Item = &LogitsPlugin> {
        self.0.iter().map(|(plugin, _)| plugin)
    }

    /// Those of one generation, as one; none where there are none.
    ///
    /// # Errors
    /// As [`LogitsPlugin::session`].
    pub fn start(&self, interrupt: &Interrupt) -> Result<Option<Processor>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let sessions = self.0.iter();
        let sessions = sessions.map(|(plugin, config)| plugin.session(config, interrupt));
        let mut sessions: Vec<LogitsSession> = sessions.collect::<Result<_>>()?;
        Ok(Some(Box::new(move |last, scores| {
            let mut sessions = sessions.iter_mut();
            sessions.try_for_each(|session| session.step(last, scores))
        })))
    }
}
