//! The flags that choose a chat format.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use lapidary::{Bundle, Engines, Error, ErrorKind, Format, Limits, RuntimeBuilder};

use crate::model::{code_cache, file_name, read};
use crate::settings;

/// The name of the built-in format, where a component's file could stand.
const BUILTIN: &str = "gemma4";

/// What errors and `lapidary.toml` call the format that runs templates.
const TEMPLATE: &str = "jinja-format";

/// The fallback in `lapidary.toml`.
const NATIVE: &str = "native";

/// How conversations become prompts, and output events.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct FormatArgs {
    /// A chat format component, or gemma4 for the built-in one. Without it, a bundle's own chat template; gemma4 for
    /// a bundle without one.
    #[arg(long, value_name = "PLUGIN", conflicts_with = "template")]
    format: Option<PathBuf>,
    /// A chat template in Jinja, run in the sandbox.
    #[arg(long, value_name = "FILE.jinja")]
    template: Option<PathBuf>,
    /// What new chats use while the chat format rests because it kept failing. Without it, they fail.
    #[arg(long, value_name = "FORMAT", value_enum)]
    format_fallback: Option<FallbackName>,
}

/// A format that stands in for another.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FallbackName {
    /// The built-in one.
    Native,
}

impl FormatArgs {
    /// The flags as if they were given.
    pub fn new(format: Option<PathBuf>, template: Option<PathBuf>) -> Self {
        Self {
            format,
            template,
            format_fallback: None,
        }
    }

    /// Tells a runtime.
    pub fn add_to(&self, builder: RuntimeBuilder) -> anyhow::Result<RuntimeBuilder> {
        let builder = match self.has_fallback()? {
            true => builder.native_fallback(),
            false => builder,
        };
        Ok(match (&self.format, &self.template) {
            (Some(path), _) if is_builtin(path) => builder.builtin_format(),
            (Some(path), _) => builder.format(file_name(path), read(path)?),
            (None, Some(path)) => builder.template(text(path)?),
            (None, None) => builder,
        })
    }

    /// The component's file, where the format is one.
    pub fn component(&self) -> Option<&Path> {
        self.format.as_deref().filter(|path| !is_builtin(path))
    }

    /// Whether the flag or `lapidary.toml` says that the built-in format stands in.
    fn has_fallback(&self) -> anyhow::Result<bool> {
        let name = self.format.as_deref().map_or(TEMPLATE.into(), file_name);
        let settings = settings::read()?;
        let told = settings.plugins.get(&name);
        match told.and_then(|told| told.fallback.as_deref()) {
            Some(NATIVE) => Ok(true),
            Some(other) => {
                let detail = format!("expected fallback = \"{NATIVE}\", found {other:?}");
                let subject = format!("lapidary.toml, plugin {name:?}");
                Err(Error::new(ErrorKind::Invalid, subject, detail).into())
            }
            None => Ok(self.format_fallback.is_some()),
        }
    }

    /// The format without a runtime around it; `bundle` is whose template counts.
    pub fn load(&self, bundle: Option<&Bundle>, limits: &Limits) -> anyhow::Result<Format> {
        let engines = Engines::new(limits, code_cache())?;
        let own = || bundle.map_or(Ok(None), Bundle::own_template);
        Ok(match (&self.format, &self.template) {
            (Some(path), _) if is_builtin(path) => Format::builtin(&engines)?,
            (Some(path), _) => Format::load(&file_name(path), &read(path)?, &engines)?,
            (None, Some(path)) => Format::template(&text(path)?, &engines)?,
            (None, None) => match own()? {
                Some(template) => Format::template(template.text(), &engines)?,
                None => Format::builtin(&engines)?,
            },
        })
    }
}

fn is_builtin(path: &Path) -> bool {
    path.as_os_str() == BUILTIN
}

fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path)?;
    String::from_utf8(bytes).with_context(|| format!("{}: expected UTF-8", path.display()))
}
