//! The one thread that owns the graphs and all keys and values.
//!
//! Callers hand it jobs over a channel and get steps back over another, so that sequences can share
//! prefixes and batches later without their callers noticing.

mod job;
mod sequence;
mod worker;

pub(crate) use job::{EndReason, Job, Processor, Step, Times};
pub(crate) use worker::{Engine, EngineInfo, stopped};
