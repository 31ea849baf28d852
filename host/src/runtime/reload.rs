//! Plugins that change while chats run: a chat ends with what it began with.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;

use super::processors::Processors;
use super::tools::Toolbox;
use super::{Base, Inner, Runtime};
use crate::error::{Error, Result};
use crate::plugin::{Format, Grants, Inference, LogitsPlugin, PluginMetrics, ToolPlugin};
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
            resting: None,
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

    /// The plugins as they are now.
    pub fn current(&self) -> Arc<Inner> {
        let current = self.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// What a chat that starts now runs with. Where the format rests, that is the one that stands in for it.
    ///
    /// # Errors
    /// `Plugin` where the format rests and none stands in.
    pub fn of_new_chat(&self) -> Result<Arc<Inner>> {
        let inner = self.current();
        let Err(error) = inner.format.awake() else {
            return Ok(inner);
        };
        let is_another = |one: &&Format| one.info().digest != inner.format.info().digest;
        let Some(format) = inner.fallback.as_ref().filter(is_another) else {
            return Err(error);
        };
        format.awake()?;
        inner.format.is_replaced(&error);
        Ok(Arc::new(Inner {
            format: format.clone(),
            resting: Some(inner.format.info().name.clone()),
            ..Inner::clone(&inner)
        }))
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
    /// one's; if the new one exports `handover`, a copy, which it may change first.
    ///
    /// # Errors
    /// As [`ToolPlugin::load`] and [`ToolPlugin::successor`]; `Invalid` when another plugin offers a tool of the same
    /// name. Nothing has changed then.
    pub fn replace_tool(&self, name: &str, component: &[u8], grants: &Grants) -> Result<()> {
        self.shared.change(|inner| {
            let plugin = match inner.tools.plugin(name) {
                Some(old) => old.heir(component, grants)?,
                None => ToolPlugin::load(name, component, grants, &inner.engines)?,
            };
            inner.tools = inner.tools.with(name, Some(plugin.clone()))?;
            plugin.resume()
        })
    }

    /// Takes away the tool plugin called `name`.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub fn remove_tool(&self, name: &str) -> Result<()> {
        self.shared.change(|inner| {
            if inner.tools.plugin(name).is_none() {
                return Err(absent("tool plugin", name));
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

    /// Puts a logits processor in the place of the one called `name`, or behind the others, for generations that start
    /// now. `config`, a JSON object, is for the plugin.
    ///
    /// # Errors
    /// As [`LogitsPlugin::load`]. Nothing has changed then.
    pub fn replace_logits_processor(
        &self,
        name: &str,
        component: &[u8],
        config: Value,
        grants: &Grants,
    ) -> Result<()> {
        let plugin = LogitsPlugin::load(name, component, grants, self.engines())?;
        self.shared.change(|inner| {
            inner.processors = inner.processors.with(name, Some((plugin, config)));
            Ok(())
        })
    }

    /// Takes away the logits processor called `name`.
    ///
    /// # Errors
    /// `Invalid` when there is none.
    pub fn remove_logits_processor(&self, name: &str) -> Result<()> {
        self.shared.change(|inner| {
            let mut plugins = inner.processors.plugins();
            if !plugins.any(|plugin| plugin.info().name == name) {
                return Err(absent("logits processor", name));
            }
            drop(plugins);
            inner.processors = inner.processors.with(name, None);
            Ok(())
        })
    }

    /// Takes the last change back; a second time, takes that back. `false` when nothing was changed. A version that
    /// handed over what it kept has it again, with what its chats made of it since.
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
        for plugin in old.tools.plugins() {
            if let Err(error) = plugin.resume() {
                // It has its state in memory; the file follows when it keeps something again.
                tracing::warn!(target: "lapidary::calls", %error, "rollback");
            }
        }
        self.shared.set(old);
        true
    }

    /// What each plugin that chats now start with did and cost since it was loaded: the chat format first, what stands
    /// in for it last.
    pub fn plugin_metrics(&self) -> Vec<(String, PluginMetrics)> {
        let inner = self.shared.current();
        let counted = |format: &Format| (format.info().name.clone(), format.metrics());
        let tools = inner.tools.plugins().iter();
        let tools = tools.map(|plugin| (plugin.info().name.clone(), plugin.metrics()));
        let processors = inner.processors.plugins();
        let processors = processors.map(|plugin| (plugin.info().name.clone(), plugin.metrics()));
        std::iter::once(counted(&inner.format))
            .chain(tools)
            .chain(processors)
            .chain(inner.fallback.as_ref().map(counted))
            .collect()
    }
}

fn absent(kind: &str, name: &str) -> Error {
    let detail = format!("expected a loaded {kind}, found none of this name");
    Error::invalid(format!("plugin \"{name}\""), detail)
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
