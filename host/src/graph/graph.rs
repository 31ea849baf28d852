//! A graph that can be run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session, SessionInputValue};
use ort::value::DynValue;

use super::control::RunControl;
use super::load::{self, GraphOptions, GraphSource};
use super::provider::Provider;
use super::signature::{Port, Ports};
use super::value::Value;
use crate::error::{Error, Result};

/// One open graph. It runs one thing at a time, hence `&mut`.
pub struct Graph {
    subject: String,
    session: Session,
    inputs: Ports,
    outputs: Arc<Ports>,
    providers: Vec<Provider>,
    // Only with a device: without one, a plain run is the shorter way.
    binding: Option<Binding>,
    busy: Duration,
}

/// Where each output goes.
struct Binding {
    bound: IoBinding,
    memory: Vec<Arc<MemoryInfo<'static>>>,
}

impl Graph {
    /// Opens a graph.
    ///
    /// # Errors
    /// `Bundle` when the graph or its external data is missing, cut short or refused; `Unsupported` when a provider
    /// does not start; `Io` when there is no usable ONNX Runtime library.
    pub fn load(source: &GraphSource, options: &GraphOptions) -> Result<Self> {
        let subject = source.subject();
        let (session, providers) = load::open(source, options)?;
        let ports =
            |outlets| Ports::from_ort(outlets).map_err(|detail| Error::bundle(&subject, detail));
        let (inputs, outputs) = (
            ports(session.inputs())?,
            Arc::new(ports(session.outputs())?),
        );
        let binding = Binding::new(&session, &outputs, &providers, &options.device_outputs);
        let binding = binding
            .map_err(|cause| Error::graph(&subject, "cannot be bound").with_source(cause))?;
        Ok(Self {
            subject,
            session,
            inputs,
            outputs,
            providers,
            binding,
            busy: Duration::ZERO,
        })
    }

    /// Every input, in the graph's order.
    pub fn inputs(&self) -> &[Port] {
        self.inputs.as_slice()
    }

    /// The input called `name`.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.get(name)
    }

    /// The output called `name`.
    pub fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.get(name)
    }

    /// What computes it: each of these started, and took the nodes that it can before the next one.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// What messages call it: `graph "decoder_model_merged_q4"`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The time that all runs so far spent inside ONNX Runtime.
    pub fn busy(&self) -> Duration {
        self.busy
    }

    /// Runs it once. Every input has to be there, in any order.
    ///
    /// # Errors
    /// `Graph` for a missing or unknown input, one of another type or shape than the port's, or a failure within
    /// ONNX Runtime; `Cancelled` when `control` was.
    pub fn run(&mut self, inputs: &[(&str, &Value)], control: &RunControl) -> Result<Outputs> {
        let options = control.options(|| self.subject.clone())?;
        let fed = in_order(&self.subject, &self.inputs, inputs)?;
        let started = Instant::now();
        let values = match &mut self.binding {
            None => run_plainly(&mut self.session, &fed, options),
            Some(binding) => binding.run(
                &mut self.session,
                &self.inputs,
                &self.outputs,
                &fed,
                options,
            ),
        };
        self.busy += started.elapsed();
        match values {
            Ok(values) => Outputs::new(&self.subject, &self.outputs, values),
            Err(_) if control.is_cancelled() => Err(Error::cancelled(&self.subject)),
            Err(cause) => {
                Err(Error::graph(&self.subject, "failed while it ran").with_source(cause))
            }
        }
    }
}

/// What one run gave.
#[derive(Debug)]
pub struct Outputs {
    subject: String,
    ports: Arc<Ports>,
    values: Vec<Option<Value>>,
}

impl Outputs {
    fn new(subject: &str, ports: &Arc<Ports>, values: Vec<DynValue>) -> Result<Self> {
        let values = values
            .into_iter()
            .map(|value| Value::from_output(value).map(Some));
        let values = values.collect::<std::result::Result<Vec<_>, String>>();
        let unknown =
            |dtype| Error::bundle(subject, format!("gave {dtype}, which is not supported"));
        Ok(Self {
            subject: subject.to_owned(),
            ports: ports.clone(),
            values: values.map_err(unknown)?,
        })
    }

    /// Takes the output called `name`.
    ///
    /// # Errors
    /// `Bundle` when the graph has no such output; `Graph` when it was taken before.
    pub fn take(&mut self, name: &str) -> Result<Value> {
        let Some(position) = self.ports.position(name) else {
            let detail = format!("has no output {name}, only {}", self.ports.names());
            return Err(Error::bundle(&self.subject, detail));
        };
        let value = self.values[position].take();
        value.ok_or_else(|| Error::graph(&self.subject, format!("output {name} was taken before")))
    }
}

/// `inputs` in the graph's order, each checked against its port.
fn in_order<'v>(
    subject: &str,
    ports: &Ports,
    inputs: &[(&str, &'v Value)],
) -> Result<Vec<SessionInputValue<'v>>> {
    let mut slots = vec![None; ports.as_slice().len()];
    for (name, value) in inputs {
        let Some(position) = ports.position(name) else {
            return Err(Error::graph(
                subject,
                format!("has no input {name}, only {}", ports.names()),
            ));
        };
        let port = &ports.as_slice()[position];
        if !value.fits(port) {
            return Err(Error::graph(
                subject,
                format!("expected input {port}, found {value}"),
            ));
        }
        slots[position] = Some(*value);
    }
    let filled = slots.into_iter().zip(ports.as_slice());
    filled
        .map(|(value, port)| {
            value
                .map(|value| value.tensor().into())
                .ok_or_else(|| not_fed(subject, port))
        })
        .collect()
}

fn not_fed(subject: &str, port: &Port) -> Error {
    Error::graph(subject, format!("expected input {port}, found none"))
}

fn run_plainly(
    session: &mut Session,
    fed: &[SessionInputValue<'_>],
    options: &RunOptions,
) -> ort::Result<Vec<DynValue>> {
    let outputs = session.run_with_options::<_, 0>(fed, options)?;
    Ok(outputs.into_iter().map(|(_, value)| value).collect())
}

impl Binding {
    fn new(
        session: &Session,
        outputs: &Ports,
        providers: &[Provider],
        device_outputs: &[String],
    ) -> ort::Result<Option<Self>> {
        let Some(device) = device_memory(providers)? else {
            return Ok(None);
        };
        let device = Arc::new(device);
        let host = Arc::new(MemoryInfo::new(
            AllocationDevice::CPU,
            0,
            AllocatorType::Device,
            MemoryType::CPUOutput,
        )?);
        let stays = |port: &Port| {
            device_outputs
                .iter()
                .any(|prefix| port.name.starts_with(prefix.as_str()))
        };
        let place = |port| {
            if stays(port) {
                device.clone()
            } else {
                host.clone()
            }
        };
        let memory = outputs.as_slice().iter().map(place).collect();
        Ok(Some(Self {
            bound: session.create_binding()?,
            memory,
        }))
    }

    fn run(
        &mut self,
        session: &mut Session,
        inputs: &Ports,
        outputs: &Ports,
        fed: &[SessionInputValue<'_>],
        options: &RunOptions,
    ) -> ort::Result<Vec<DynValue>> {
        for (port, value) in inputs.as_slice().iter().zip(fed) {
            self.bound.bind_input(port.name.as_str(), value)?;
        }
        // Bound anew each time, or ONNX Runtime would write over what the last run gave.
        for (port, memory) in outputs.as_slice().iter().zip(&self.memory) {
            self.bound
                .bind_output_to_device(port.name.as_str(), memory)?;
        }
        let outputs = session.run_binding_with_options(&self.bound, options);
        let values = outputs.map(|outputs| outputs.into_iter().map(|(_, value)| value).collect());
        // What is bound stays in memory, and a cache is large.
        self.bound.clear();
        values
    }
}

/// The memory of the first provider that has its own.
fn device_memory(providers: &[Provider]) -> ort::Result<Option<MemoryInfo<'static>>> {
    for provider in providers {
        match provider {
            Provider::Cuda { device } => {
                let device = i32::try_from(*device).unwrap_or(0);
                return MemoryInfo::new(
                    AllocationDevice::CUDA,
                    device,
                    AllocatorType::Device,
                    MemoryType::Default,
                )
                .map(Some);
            }
            // Core ML gives its results on the host.
            Provider::Cpu | Provider::CoreMl => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_and_its_values_move_to_the_engine_thread() {
        fn check<T: Send>() {}
        check::<Graph>();
        check::<Outputs>();
        check::<Value>();
        check::<GraphSource>();
    }
}
