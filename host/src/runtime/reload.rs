//! Plugins that change while chats run: a chat ends with what it began with.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::processors::Processors;
use super::tools::Toolbox;
use super::{Base, Inner, Runtime};
use crate::error::{Error, Result};
use crate::plugin::{Format, Grants, Inference, PluginMetrics, ToolPlugin};
use crate::text::Tokenizer;

/// What all clones of a runtime share.
pub(super) struct Shared {
    pub base: Arc<Base>,
    current: RwLock<Arc<Inner>>,
    /// What was before the last change.
    previous: Mutex<Option<Arc<Inner>>>,
}

impl Shared {
    pub fn new(base: Base, format: Format, tools: Toolbox, processors: Processors) -> Arc<Self> {
        let base = Arc::new(base);
        let inner = Inner {
            base: Arc::clone(&base),
            format,
            tools,
            processors,
        };
        let shared = Arc::new(Self {
            base,
            current: RwLock::new(Arc::new(inner)),
            previous: Mutex::default(),
        });
        let model: Arc<dyn Inference> = shared.clone();
        shared.base.engines.provide(&model);
        shared
    }

    /// What a chat that starts now runs with.
    pub fn current(&self) -> Arc<Inner> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `change` of what is there what later chats run with. Nothing changes when it fails.
    fn change(&self, change: impl FnOnce(&mut Inner) -> Result<()>) -> Result<()> {
        let mut previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.current();
        let mut new = Inner::clone(&old);
        change(&mut new)?;
        self.set(Arc::new(new));
        *previous = Some(old);
        Ok(())
    }

    fn set(&self, inner: Arc<Inner>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = inner;
    }
}

impl Runtime {
    /// Puts a tool plugin in the place of the one called `name`, or beside the others. Chats that run end with
    /// the old one; those that start now get the new one. What the old one kept under `key-value` is the new
    /// one's.
    ///
    /// # Errors
    /// As [`ToolPlugin::load`]; `Invalid` when another plugin offers a tool of the same name. Nothing has
    /// changed then.
    pub fn replace_tool(&self, name: &str, component: &[u8], grants: &Grants) -> Result<()> {
        let plugin = ToolPlugin::load(name, component, grants, self.engines())?;
        self.shared.change(|inner| {
            inner.tools = inner.tools.with(name, Some(plugin))?;
            Ok(())
        })
    }

    /// Takes away the tool plugin called `name`.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub fn remove_tool(&self, name: &str) -> Result<()> {
        self.shared.change(|inner| {
            if !inner
                .tools
                .plugins()
                .iter()
                .any(|plugin| plugin.info().name == name)
            {
                let detail = "expected a loaded tool plugin, found none of this name";
                return Err(Error::invalid(format!("plugin \"{name}\""), detail));
            }
            inner.tools = inner.tools.with(name, None)?;
            Ok(())
        })
    }

    /// Puts a chat format in the place of the one that is there, for chats that start now.
    ///
    /// # Errors
    /// As [`Format::load`]; `Plugin` when it ends turns with tokens that the model does not have. Nothing has
    /// changed then.
    pub fn replace_format(&self, name: &str, component: &[u8]) -> Result<()> {
        let format = Format::load(name, component, self.engines())?;
        check_format(&format, &self.shared.base.tokenizer)?;
        self.shared.change(|inner| {
            inner.format = format;
            Ok(())
        })
    }

    /// Takes the last change back; a second time, takes that back. `false` when nothing was changed.
    pub fn rollback(&self) -> bool {
        let mut previous = self
            .shared
            .previous
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(old) = previous.take() else {
            return false;
        };
        *previous = Some(self.shared.current());
        self.shared.set(old);
        true
    }

    /// What each plugin that chats now start with did and cost since it was loaded: the chat format first.
    pub fn plugin_metrics(&self) -> Vec<(String, PluginMetrics)> {
        let inner = self.shared.current();
        let format = (inner.format.info().name.clone(), inner.format.metrics());
        let tools = inner.tools.plugins().iter();
        let tools = tools.map(|plugin| (plugin.info().name.clone(), plugin.metrics()));
        let processors = inner.processors.plugins();
        let processors = processors.map(|plugin| (plugin.info().name.clone(), plugin.metrics()));
        std::iter::once(format)
            .chain(tools)
            .chain(processors)
            .collect()
    }
}

/// A format whose stop tokens the model does not have would never end an answer.
pub(super) fn check_format(format: &Format, tokenizer: &Tokenizer) -> Result<()> {
    let description = format.describe();
    let unknown = description
        .stop_tokens
        .iter()
        .find(|token| tokenizer.control_id(token).is_none());
    unknown.map_or(Ok(()), |token| {
        let detail = format!("ends a turn with {token}, which the model's tokenizer does not have; use the format of this model");
        Err(Error::plugin(format!("plugin {:?}", description.name), detail))
    })
}
