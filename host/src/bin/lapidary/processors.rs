//! The flags for logits processors, which lean on the choice of tokens.

use clap::Args as ClapArgs;
use lapidary::{Error, ErrorKind, RuntimeBuilder, World, inspect};
use serde_json::{Map, Value, json};

use crate::model::ToolArgs;
use crate::settings;

/// Which logits processors take part, where nothing else can.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct ProcessorArgs {
    /// A logits processor, a component's file. May be given several times; each leans on what those before it left.
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<String>,
    #[command(flatten)]
    configs: ConfigArgs,
}

/// What logits processors are told.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// What one logits processor is told, a JSON object of its own; NAME is that of its file. May be given several
    /// times.
    #[arg(long = "plugin-config", value_name = "NAME=JSON", value_parser = named_object)]
    named: Vec<(String, Value)>,
    /// What those logits processors are told that no --plugin-config names.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    logits_config: Option<Value>,
}

impl ProcessorArgs {
    /// Adds them to a runtime that only generates.
    pub fn add_to(&self, mut builder: RuntimeBuilder) -> anyhow::Result<RuntimeBuilder> {
        let files = ToolArgs::of_plugins(self.plugins.clone()).files()?;
        self.configs
            .check(files.iter().map(|file| file.name.as_str()))?;
        for file in files {
            let world = inspect(&file.name, &file.component)?.world;
            if world != World::LogitsProcessor {
                return Err(no_processor(&file.name, world).into());
            }
            let config = self.configs.of(&file.name)?;
            builder = builder.logits_processor(file.name, file.component, config, file.grants);
        }
        Ok(builder)
    }
}

fn no_processor(name: &str, world: World) -> Error {
    let cure = match world {
        World::ToolProvider => "; `lapidary chat` takes tools",
        World::Agent => "; `lapidary agent` runs it",
        World::ChatFormat => "; raw prompts have no chat format, `lapidary chat` takes one",
        World::LogitsProcessor => "",
    };
    let detail = format!(
        "expected a logits processor, found a {}{cure}",
        world.name()
    );
    Error::new(ErrorKind::Unsupported, format!("plugin {name:?}"), detail)
}

impl ConfigArgs {
    /// Refuses a configuration for a plugin that is none of `names`.
    pub fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
        let names: Vec<&str> = names.collect();
        let is_known = |name: &str| names.contains(&name);
        match self.named.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => {
                let detail = format!("expected the file name of a --plugin, found {name:?}");
                Err(Error::new(ErrorKind::Invalid, "--plugin-config", detail).into())
            }
            None => Ok(()),
        }
    }

    /// What the processor `name` is told: by the flag of its name, by that for all, by `lapidary.toml`, or nothing.
    pub fn of(&self, name: &str) -> anyhow::Result<Value> {
        let flag = self.named(name).or(self.logits_config.as_ref()).cloned();
        let of_file = flag.map_or_else(|| of_file(name), |config| Ok(Some(config)))?;
        Ok(of_file.unwrap_or_else(|| json!({})))
    }

    /// Refuses a configuration for the plugin `name`, which is no logits processor.
    pub fn refuse_for(&self, name: &str) -> anyhow::Result<()> {
        if self.named(name).is_none() && of_file(name)?.is_none() {
            return Ok(());
        }
        let detail = "has a configuration, which only logits processors take; a tool gets settings by the grant \
                      config:NAME=VALUE";
        Err(Error::new(ErrorKind::Invalid, format!("plugin {name:?}"), detail).into())
    }

    fn named(&self, name: &str) -> Option<&Value> {
        let mut latest = self.named.iter().rev();
        latest
            .find(|(one, _)| one == name)
            .map(|(_, config)| config)
    }
}

/// What `lapidary.toml` says.
fn of_file(name: &str) -> anyhow::Result<Option<Value>> {
    let mut settings = settings::read()?;
    let plugin = settings.plugins.remove(name);
    Ok(plugin.and_then(|plugin| plugin.config).map(Value::Object))
}

fn named_object(text: &str) -> Result<(String, Value), String> {
    let expected = || format!("expected NAME=JSON, such as shorter.wasm={{}}, found {text:?}");
    let (name, json) = text.split_once('=').ok_or_else(expected)?;
    Ok((name.to_owned(), json_object(json)?))
}

fn json_object(text: &str) -> Result<Value, String> {
    let object: Result<Map<String, Value>, _> = serde_json::from_str(text);
    let object = object.map_err(|error| format!("expected a JSON object: {error}"))?;
    Ok(Value::Object(object))
}
