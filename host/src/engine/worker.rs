//! The engine's thread: takes jobs, and gives every running sequence one step in turn.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::job::Job;
use super::sequence::Sequence;
use crate::error::{Error, Result};
use crate::model::{Bundle, Gemma, GemmaOptions, KvLayer};

/// A handle to the engine's thread. The thread ends with the last handle.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    jobs: Sender<Job>,
}

/// What a loaded model says of itself.
#[derive(Clone, Debug)]
pub(crate) struct EngineInfo {
    pub provider: String,
    pub kv_layers: Vec<KvLayer>,
}

impl Engine {
    /// Starts the thread and loads the model on it.
    ///
    /// # Errors
    /// Whatever loading says; `Io` when no thread can be had.
    pub fn start(
        bundle: Bundle,
        options: GemmaOptions,
        sequences_max: usize,
    ) -> Result<(Self, EngineInfo)> {
        let (jobs, inbox) = mpsc::channel();
        let (loaded, answer) = mpsc::channel();
        let run = move || match Gemma::load(bundle, options) {
            Ok(model) => {
                drop(loaded.send(Ok(info(&model))));
                work(model, &inbox, sequences_max);
            }
            Err(error) => drop(loaded.send(Err(error))),
        };
        thread::Builder::new()
            .name("lapidary-engine".into())
            .spawn(run)
            .map_err(no_thread)?;
        let info = answer.recv().map_err(|_| stopped())??;
        Ok((Self { jobs }, info))
    }

    /// Hands over a job; its steps arrive on the channel in it.
    ///
    /// # Errors
    /// `Graph` when the engine is gone.
    pub fn submit(&self, job: Job) -> Result<()> {
        self.jobs.send(job).map_err(|_| stopped())
    }
}

/// The error of a caller whose engine is gone.
pub(crate) fn stopped() -> Error {
    Error::graph("engine", "stopped unexpectedly; build a new runtime")
}

fn no_thread(error: std::io::Error) -> Error {
    Error::io("engine", "no thread can be started").with_source(error)
}

fn info(model: &Gemma) -> EngineInfo {
    EngineInfo {
        provider: model.provider(),
        kv_layers: model.kv_layers().to_vec(),
    }
}

fn work(mut model: Gemma, inbox: &Receiver<Job>, sequences_max: usize) {
    let mut running: Vec<Sequence> = Vec::new();
    loop {
        if running.is_empty() {
            match inbox.recv() {
                Ok(job) => running.extend(Sequence::start(&mut model, job)),
                Err(_) => return,
            }
        }
        while running.len() < sequences_max
            && let Ok(job) = inbox.try_recv()
        {
            running.extend(Sequence::start(&mut model, job));
        }
        running.retain_mut(|sequence| sequence.advance(&mut model));
    }
}
