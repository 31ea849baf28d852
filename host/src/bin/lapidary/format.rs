//! The flags that choose a chat format.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args as ClapArgs;
use lapidary::{Bundle, Engines, Format, Limits, RuntimeBuilder};

use crate::model::{code_cache, file_name, read};

/// The name of the built-in format, where a component's file could stand.
const BUILTIN: &str = "gemma4";

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
}

impl FormatArgs {
    /// The flags as if they were given.
    pub fn new(format: Option<PathBuf>, template: Option<PathBuf>) -> Self {
        Self { format, template }
    }

    /// Tells a runtime.
    pub fn add_to(&self, builder: RuntimeBuilder) -> anyhow::Result<RuntimeBuilder> {
        Ok(match (&self.format, &self.template) {
            (Some(path), _) if is_builtin(path) => builder.builtin_format(),
            (Some(path), _) => builder.format(file_name(path), read(path)?),
            (None, Some(path)) => builder.template(text(path)?),
            (None, None) => builder,
        })
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
