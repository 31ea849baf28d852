//! The tools of all plugins, and one round of calls.

use std::error::Error as _;
use std::thread;

use crate::chat::{Content, ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::plugin::{Interrupt, ToolPlugin};

/// Takes what comes of a result before it is whole.
pub(super) type Progress<'a> = &'a (dyn Fn(&ToolCall, &str) + Sync);

/// Every tool plugin, found by tool name.
#[derive(Clone, Debug, Default)]
pub(super) struct Toolbox {
    plugins: Vec<ToolPlugin>,
    specs: Vec<ToolSpec>,
}

impl Toolbox {
    /// # Errors
    /// `Invalid` when two plugins have one name, or offer a tool of the same name.
    pub fn new(plugins: Vec<ToolPlugin>) -> Result<Self> {
        unique(&plugins)?;
        let specs: Vec<ToolSpec> = plugins
            .iter()
            .flat_map(|plugin| plugin.specs().to_vec())
            .collect();
        for (index, spec) in specs.iter().enumerate() {
            if specs[..index]
                .iter()
                .any(|earlier| earlier.name == spec.name)
            {
                let detail = "is offered by two plugins; leave one out";
                return Err(Error::invalid(format!("tool {:?}", spec.name), detail));
            }
        }
        Ok(Self { plugins, specs })
    }

    /// The same, with `plugin` in the place of the one called `name`, or nothing there.
    ///
    /// # Errors
    /// As [`Toolbox::new`].
    pub fn with(&self, name: &str, plugin: Option<ToolPlugin>) -> Result<Self> {
        let mut plugins = self.plugins.clone();
        let place = plugins.iter().position(|old| old.info().name == name);
        let end = place.map_or(plugins.len(), |place| place + 1);
        plugins.splice(place.unwrap_or(end)..end, plugin);
        Self::new(plugins)
    }

    /// The one called `name`.
    pub fn plugin(&self, name: &str) -> Option<&ToolPlugin> {
        self.plugins
            .iter()
            .find(|plugin| plugin.info().name == name)
    }

    pub fn plugins(&self) -> &[ToolPlugin] {
        &self.plugins
    }

    pub fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    /// Whether a person must agree to a call.
    pub fn needs_approval(&self, call: &ToolCall) -> bool {
        let spec = self.specs.iter().find(|spec| spec.name == call.name);
        spec.is_some_and(|spec| spec.traits.needs_approval)
    }

    /// Runs calls side by side; the results are in the calls' order.
    ///
    /// `progress` takes what comes of results before they are whole. A name that no plugin has, and a plugin that breaks, become results that the model sees.
    ///
    /// # Errors
    /// `Limit` when a result is too large, `Cancelled`, `Io` when no thread can be had.
    pub fn call_all(
        &self,
        calls: &[&ToolCall],
        limits: &Limits,
        interrupt: &Interrupt,
        progress: Progress<'_>,
    ) -> Result<Vec<ToolResult>> {
        if let [call] = calls {
            return Ok(vec![self.call(call, limits, interrupt, progress)?]);
        }
        thread::scope(|scope| {
            let start = |call| {
                let run = move || self.call(call, limits, interrupt, progress);
                thread::Builder::new()
                    .name("lapidary-tool".into())
                    .spawn_scoped(scope, run)
            };
            let threads: Vec<_> = calls.iter().map(|call| start(*call)).collect();
            let results = threads.into_iter().map(|thread| {
                let thread = thread.map_err(|error| {
                    Error::io("tools", "no thread can be started").with_source(error)
                })?;
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err(Error::graph("tools", "a call ended unexpectedly")))
            });
            results.collect()
        })
    }

    fn call(
        &self,
        call: &ToolCall,
        limits: &Limits,
        interrupt: &Interrupt,
        progress: Progress<'_>,
    ) -> Result<ToolResult> {
        let owner = |plugin: &&ToolPlugin| plugin.specs().iter().any(|spec| spec.name == call.name);
        let Some(plugin) = self.plugins.iter().find(owner) else {
            return Ok(unknown(call, &self.specs));
        };
        let result = match plugin.call_streaming(call, interrupt, &mut |text| progress(call, text))
        {
            Ok(result) => result,
            Err(error) if is_of_the_call(error.kind()) => failed(call, told(&error)),
            Err(error) => return Err(error),
        };
        let size = result.content.text_bytes();
        if size > limits.tool_result_bytes_max {
            let subject = format!("result of tool {:?}", call.name);
            return Err(Error::limit(
                "tool_result_bytes_max",
                subject,
                limits.tool_result_bytes_max,
                size,
            ));
        }
        Ok(result)
    }
}

/// What a plugin keeps, and what it was granted, goes by its name.
fn unique(plugins: &[ToolPlugin]) -> Result<()> {
    let mut names: Vec<&str> = plugins
        .iter()
        .map(|plugin| plugin.info().name.as_str())
        .collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    twice.map_or(Ok(()), |pair| {
        let detail = "is the name of two plugins; give one of the files another name";
        Err(Error::invalid(format!("plugin \"{}\"", pair[0]), detail))
    })
}

/// What the model is told; its cause is the operator's.
fn told(error: &Error) -> String {
    if let Some(cause) = error.source() {
        tracing::warn!("{}: {cause}", error.subject());
    }
    error.to_string()
}

/// What the model may mend, or work around: the chat goes on.
fn is_of_the_call(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Plugin | ErrorKind::Invalid | ErrorKind::Unsupported => true,
        ErrorKind::Limit(_)
        | ErrorKind::Bundle
        | ErrorKind::Graph
        | ErrorKind::Io
        | ErrorKind::Cancelled => false,
    }
}

/// The result of a call that nobody allowed.
pub(super) fn not_approved(call: &ToolCall) -> ToolResult {
    failed(call, "the user did not allow this call".to_owned())
}

fn unknown(call: &ToolCall, specs: &[ToolSpec]) -> ToolResult {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let text = format!(
        "there is no tool {:?}; the tools are: {}",
        call.name,
        names.join(", ")
    );
    failed(call, text)
}

fn failed(call: &ToolCall, text: String) -> ToolResult {
    ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: Content::Text(text),
        is_error: true,
    }
}
