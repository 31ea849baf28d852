//! The tools of all plugins, and one round of calls.

use crate::chat::{Content, ToolCall, ToolResult, ToolSpec};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::plugin::{Interrupt, ToolPlugin};

/// Every tool plugin, found by tool name.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    plugins: Vec<ToolPlugin>,
    specs: Vec<ToolSpec>,
}

impl Toolbox {
    /// # Errors
    /// `Invalid` when two plugins offer a tool of the same name.
    pub fn new(plugins: Vec<ToolPlugin>) -> Result<Self> {
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

    pub fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    /// Runs a call. A name that no plugin has becomes a result the model can mend.
    ///
    /// # Errors
    /// `Plugin` when the handler trapped or overran; `Limit` when its result is too large.
    pub fn call(
        &self,
        call: &ToolCall,
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<ToolResult> {
        let owner = |plugin: &&ToolPlugin| plugin.specs().iter().any(|spec| spec.name == call.name);
        let Some(plugin) = self.plugins.iter().find(owner) else {
            return Ok(unknown(call, &self.specs));
        };
        let result = plugin.call(call, interrupt)?;
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

fn unknown(call: &ToolCall, specs: &[ToolSpec]) -> ToolResult {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let text = format!(
        "there is no tool {:?}; the tools are: {}",
        call.name,
        names.join(", ")
    );
    ToolResult {
        id: call.id.clone(),
        name: call.name.clone(),
        content: Content::Text(text),
        is_error: true,
    }
}
