//! The `logits-processor` world.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceAny};

use super::convert;
use super::imports::NOTHING;
use super::logits_world::lapidary::plugin::logits::{self, Scored};
use super::logits_world::{LogitsProcessor, LogitsProcessorPre};
use crate::error::{Error, Result};
use crate::plugin::abi::{LogitsAbi, LogitsSessionAbi};
use crate::plugin::interrupt::Interrupt;
use crate::plugin::json;
use crate::plugin::record::{Change, Score};
use crate::plugin::store::{Sandbox, State};

/// The scores of the step that runs: there is one set in a store, so the handle carries nothing.
pub struct View;

/// A linked processor of contract 0.1.
pub(in crate::plugin) struct LogitsV01 {
    guest: LogitsProcessorPre<State>,
}

impl LogitsV01 {
    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(component.engine());
        let guest = logits::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)
            .and_then(|()| linker.instantiate_pre(component))
            .and_then(LogitsProcessorPre::new);
        Ok(Self {
            guest: guest.map_err(|error| sandbox.mismatch(error))?,
        })
    }
}

impl LogitsAbi for LogitsV01 {
    fn open(
        &self,
        sandbox: &Sandbox,
        config: &Value,
        interrupt: &Interrupt,
    ) -> Result<Box<dyn LogitsSessionAbi>> {
        let config = json::object_text(config)
            .map_err(|reason| Error::invalid("logits processor's configuration", reason))?;
        let mut store = sandbox.store(interrupt);
        let (guest, session) = sandbox.enter(&mut store, config.len(), |store| {
            let guest = self.guest.instantiate(&mut *store)?;
            let sessions = guest.lapidary_plugin_processor().session();
            let opened = sessions.call_open(store, &config)?;
            Ok((guest, opened))
        })?;
        let session = session.map_err(|error| convert::failure(sandbox, error))?;
        Ok(Box::new(SessionV01 {
            store,
            guest,
            session,
        }))
    }
}

/// A processor and the store it lives in.
struct SessionV01 {
    store: Store<State>,
    guest: LogitsProcessor,
    session: ResourceAny,
}

impl LogitsSessionAbi for SessionV01 {
    fn step(&mut self, sandbox: &Sandbox, last: Option<u32>, scores: &mut Vec<f32>) -> Result<()> {
        let (guest, session) = (&self.guest, self.session);
        let state = self.store.data_mut();
        state.scores.clone_from(scores);
        state.tape = sandbox.tape();
        let outcome = sandbox.enter(&mut self.store, 0, |store| {
            let sessions = guest.lapidary_plugin_processor().session();
            sessions.call_step(store, session, last, Resource::new_borrow(0))
        })?;
        outcome.map_err(|error| convert::failure(sandbox, error))?;
        std::mem::swap(scores, &mut self.store.data_mut().scores);
        Ok(())
    }
}

impl logits::Host for State {}

impl logits::HostView for State {
    fn vocab_size(&mut self, _: Resource<View>) -> wasmtime::Result<u32> {
        self.called()?;
        self.taped("logits.vocab-size", NOTHING, |state| {
            u32::try_from(state.scores.len()).unwrap_or(u32::MAX)
        })
    }

    fn top(&mut self, _: Resource<View>, count: u32) -> wasmtime::Result<Vec<Scored>> {
        self.called()?;
        let best = self.taped("logits.top", [count], |state| top(&state.scores, count))?;
        Ok(scored(best))
    }

    fn get(&mut self, _: Resource<View>, ids: Vec<u32>) -> wasmtime::Result<Vec<Scored>> {
        self.called()?;
        let found = self.taped("logits.get", &ids, |state| {
            let found = |id: &u32| Some((*id, Score(*state.scores.get(*id as usize)?)));
            ids.iter().filter_map(found).collect()
        })?;
        Ok(scored(found))
    }

    fn add(&mut self, _: Resource<View>, bias: Vec<Scored>) -> wasmtime::Result<()> {
        self.called()?;
        if let Some(tape) = &self.tape {
            let bias: Vec<(u32, f32)> = bias.iter().map(|one| (one.id, one.score)).collect();
            tape.change(Change::add(&bias));
        }
        for one in bias {
            if let Some(score) = self.scores.get_mut(one.id as usize) {
                let sum = *score + one.score;
                // A NaN would make every comparison of the sampler false.
                *score = if sum.is_nan() { f32::NEG_INFINITY } else { sum };
            }
        }
        Ok(())
    }

    fn ban(&mut self, _: Resource<View>, ids: Vec<u32>) -> wasmtime::Result<()> {
        self.called()?;
        if let Some(tape) = &self.tape {
            tape.change(Change::ban(&ids));
        }
        for id in ids {
            if let Some(score) = self.scores.get_mut(id as usize) {
                *score = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    fn drop(&mut self, _: Resource<View>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// The highest scores, best first.
fn top(scores: &[f32], count: u32) -> Vec<(u32, Score)> {
    const COUNT_MAX: usize = 1_024;
    let mut all: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).collect();
    let count = (count as usize).min(COUNT_MAX).min(all.len());
    let best = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if count < all.len() {
        all.select_nth_unstable_by(count, best);
        all.truncate(count);
    }
    all.sort_unstable_by(best);
    all.into_iter()
        .map(|(id, score)| (id, Score(score)))
        .collect()
}

fn scored(all: Vec<(u32, Score)>) -> Vec<Scored> {
    let all = all.into_iter();
    all.map(|(id, Score(score))| Scored { id, score }).collect()
}
