//! Logits processors: what leans on every generation.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::engine::Processor;
use crate::error::Result;
use crate::plugin::{Interrupt, LogitsPlugin, LogitsSession};

/// The processors of a runtime in their order, and what each is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Processors(Vec<(LogitsPlugin, Value)>);

/// Names of plugins that a chat goes on without, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypassed(Arc<Mutex<Vec<String>>>);

impl Processors {
    pub fn new(processors: Vec<(LogitsPlugin, Value)>) -> Self {
        Self(processors)
    }

    /// The same, with `processor` in the place of the one called `name`, at the end where there is none; or nothing
    /// there.
    pub fn with(&self, name: &str, processor: Option<(LogitsPlugin, Value)>) -> Self {
        let mut all = self.0.clone();
        let place = all.iter().position(|(old, _)| old.info().name == name);
        let end = place.map_or(all.len(), |place| place + 1);
        all.splice(place.unwrap_or(end)..end, processor);
        Self(all)
    }

    pub fn plugins(&self) -> impl Iterator<Item = &LogitsPlugin> {
        self.0.iter().map(|(plugin, _)| plugin)
    }

    /// Those of one generation, as one; none where there are none. Those that fail and may be left out are named in
    /// `bypassed`.
    ///
    /// # Errors
    /// As [`LogitsPlugin::session`].
    pub fn start(&self, interrupt: &Interrupt, bypassed: &Bypassed) -> Result<Option<Processor>> {
        let mut running: Vec<(LogitsPlugin, LogitsSession)> = Vec::new();
        for (plugin, config) in &self.0 {
            match plugin.session(config, interrupt) {
                Ok(session) => running.push((plugin.clone(), session)),
                Err(error) if plugin.is_bypassed(&error) => bypassed.add(&plugin.info().name),
                Err(error) => return Err(error),
            }
        }
        if running.is_empty() {
            return Ok(None);
        }
        let bypassed = bypassed.clone();
        Ok(Some(Box::new(move |last, scores| {
            step(&mut running, last, scores, &bypassed)
        })))
    }
}

/// One step of each, in their order. One that fails and may be left out is gone for the rest of the generation.
fn step(
    running: &mut Vec<(LogitsPlugin, LogitsSession)>,
    last: Option<u32>,
    scores: &mut Vec<f32>,
    bypassed: &Bypassed,
) -> Result<()> {
    let mut failed = Ok(());
    running.retain_mut(|(plugin, session)| {
        if failed.is_err() {
            return true;
        }
        match session.step(last, scores) {
            Err(error) if plugin.is_bypassed(&error) => {
                bypassed.add(&plugin.info().name);
                false
            }
            outcome => {
                failed = outcome;
                true
            }
        }
    });
    failed
}

impl Bypassed {
    pub fn add(&self, name: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }

    pub fn names(&self) -> Vec<String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.clone()
    }
}
