//! The flags that choose a model and its plugins, and the runtime they make.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use lapidary::{
    Bundle, DtypeChoice, Engines, Error, ErrorKind, Grants, HubId, Providers, Resizer, Runtime,
    RuntimeBuilder, ToolPlugin, World, inspect, onnxruntime,
};
use serde_json::Value;

use crate::format::FormatArgs;
use crate::processors::ConfigArgs;
use crate::settings::{PluginSettings, Settings};
use crate::watch::Watch;
use crate::{screen, settings};

/// Which model runs, and on what.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct ModelArgs {
    /// A bundle's directory, or a hub id that was fetched. Without it, the embedded model.
    #[arg(long, env = "LAPIDARY_MODEL")]
    pub model: Option<String>,
    /// What runs the graphs, such as cuda:0,cpu: each takes the nodes it can, the next one the rest. One that
    /// cannot start is an error; auto takes what starts.
    #[arg(long, env = "LAPIDARY_PROVIDER")]
    pub provider: Option<String>,
    /// Which dtype of the bundle: fp32, fp16, q4, q4f16, …, or one for each graph, embed=q4,decoder=q4f16.
    #[arg(long)]
    pub dtype: Option<String>,
    /// Whose arithmetic resizes pictures: transformers' with torchvision, or its own without. `chat` follows
    /// torchvision; `generate` Pillow, with which reference logits are commonly made.
    #[arg(long, value_enum)]
    pub resizer: Option<ResizerName>,
    /// Threads of one graph run.
    #[arg(long)]
    pub threads: Option<usize>,
}

/// A [`Resizer`] on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ResizerName {
    /// What transformers does with torchvision installed.
    #[default]
    Torchvision,
    /// What transformers does without.
    Pillow,
}

impl From<ResizerName> for Resizer {
    fn from(name: ResizerName) -> Self {
        match name {
            ResizerName::Torchvision => Self::Torchvision,
            ResizerName::Pillow => Self::Pillow,
        }
    }
}

/// Which plugins take part.
#[derive(ClapArgs, Debug, Default)]
pub struct PluginArgs {
    #[command(flatten)]
    pub tools: ToolArgs,
    #[command(flatten)]
    pub format: FormatArgs,
    #[command(flatten)]
    pub configs: ConfigArgs,
}

/// Which tool plugins take part.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct ToolArgs {
    /// A tool, or where a model runs a logits processor: a component's file, or calculator, clock or weather. May be
    /// given several times.
    #[arg(long = "plugin", value_name = "PLUGIN")]
    pub plugins: Vec<String>,
    /// What tool plugins from files may do, such as clock; PLUGIN@GRANT for one of them, by its file's name. May be
    /// given several times.
    #[arg(long = "grant", value_name = "GRANT")]
    pub grants: Vec<String>,
    /// Load a plugin's file again when it changed, before the next message or call. A version that cannot be loaded
    /// is told, and the one before it stays.
    #[arg(long)]
    watch: bool,
    /// An agent beside the plugins, by its file's name: grants may name it as well.
    #[arg(skip)]
    pub agent: Option<String>,
}

/// Finds ONNX Runtime, fetching it once unless that is forbidden.
pub fn find_library() -> anyhow::Result<()> {
    onnxruntime::locate_or_fetch(&mut |line: &str| screen::progress(line))?;
    Ok(())
}

/// The bundle that the flags name: a directory, or a hub id that was fetched.
pub fn bundle(name: Option<&str>) -> anyhow::Result<Bundle> {
    match name {
        None => Ok(Bundle::embedded()?),
        Some(name) if Path::new(name).is_dir() => Ok(Bundle::open(name)?),
        Some(name) => match fetched(name)? {
            Some(folder) => Ok(Bundle::open(folder)?),
            None => Err(no_bundle(name).into()),
        },
    }
}

/// Where the files of a hub id are, if they were fetched.
fn fetched(name: &str) -> anyhow::Result<Option<PathBuf>> {
    match name.parse::<HubId>() {
        Ok(id) => Ok(lapidary::cached(&id, &onnxruntime::cache_folder()?)),
        Err(_) => Ok(None),
    }
}

fn no_bundle(name: &str) -> lapidary::Error {
    let cure = match name.parse::<HubId>() {
        Ok(_) => format!("; if it is a hub id, run `lapidary fetch {name}` first"),
        Err(_) => String::new(),
    };
    let detail = format!(
        "expected a directory with config.json and onnx/, or a fetched hub id, found neither{cure}"
    );
    lapidary::Error::new(
        lapidary::ErrorKind::Bundle,
        format!("bundle {name}"),
        detail,
    )
}

/// The folder for the plugins' machine code.
pub fn code_cache() -> Option<PathBuf> {
    Some(onnxruntime::cache_folder().ok()?.join("plugins"))
}

impl ModelArgs {
    /// The same choices as words of a command line.
    pub fn flags(&self) -> Vec<String> {
        let resizer = self.resizer.and_then(|name| name.to_possible_value());
        let given = [
            ("--model", self.model.clone()),
            ("--provider", self.provider.clone()),
            ("--dtype", self.dtype.clone()),
            ("--resizer", resizer.map(|name| name.get_name().to_owned())),
            ("--threads", self.threads.map(|count| count.to_string())),
        ];
        let given = given
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        given.flatten().collect()
    }

    /// A builder with the model, its providers and dtype set; `lapidary.toml` fills what was not given.
    pub fn builder(self) -> anyhow::Result<RuntimeBuilder> {
        find_library()?;
        let settings = settings::read()?;
        let model = self.model.or(settings.model);
        let mut builder = Runtime::builder()
            .bundle(bundle(model.as_deref())?)
            .resizer(self.resizer.unwrap_or_default().into());
        if let Some(provider) = self.provider.or(settings.provider) {
            builder = builder.providers(provider.parse::<Providers>()?);
        }
        if let Some(dtype) = self.dtype.or(settings.dtype) {
            builder = builder.dtype(dtype.parse::<DtypeChoice>()?);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        Ok(match code_cache() {
            Some(folder) => builder.code_cache(folder),
            None => builder,
        })
    }
}

impl PluginArgs {
    /// Adds the plugins.
    pub fn add_to(&self, mut builder: RuntimeBuilder) -> anyhow::Result<RuntimeBuilder> {
        builder = self.format.add_to(builder)?;
        let files = self.tools.files()?;
        self.configs
            .check(files.iter().map(|file| file.name.as_str()))?;
        for plugin in files {
            builder = self.add(plugin, builder)?;
        }
        Ok(builder)
    }

    /// Who knows which files changed, the chat format's among them: none without `--watch`.
    pub fn watch(&self) -> Watch {
        let format = self.format.component().filter(|_| self.tools.watch);
        Watch::new(self.tools.watched().chain(format.map(Path::to_owned)))
    }

    /// Loads a file again that changed.
    pub fn reload(&self, path: &Path, runtime: &Runtime) -> anyhow::Result<()> {
        if self.format.component() == Some(path) {
            return Ok(runtime.replace_format(&file_name(path), &read(path)?)?);
        }
        let plugin = self.tools.file(path)?;
        let config = self.configs.of(&plugin.name)?;
        Ok(plugin.replace_in(runtime, &config)?)
    }

    fn add(&self, plugin: PluginFile, builder: RuntimeBuilder) -> anyhow::Result<RuntimeBuilder> {
        let PluginFile {
            name,
            component,
            grants,
        } = plugin;
        let cure = match inspect(&name, &component)?.world {
            World::ToolProvider => {
                self.configs.refuse_for(&name)?;
                return Ok(builder.tool(name, component, grants));
            }
            World::LogitsProcessor => {
                let config = self.configs.of(&name)?;
                return Ok(builder.logits_processor(name, component, config, grants));
            }
            World::Agent => "found an agent; run it with `lapidary agent`",
            World::ChatFormat => "found a chat format; name it with --format",
        };
        let detail = format!("expected a tool or a logits processor, {cure}");
        Err(Error::new(ErrorKind::Unsupported, format!("plugin {name:?}"), detail).into())
    }
}

impl ToolArgs {
    /// As if only `plugins` had been given.
    pub fn of_plugins(plugins: Vec<String>) -> Self {
        Self {
            plugins,
            ..Self::default()
        }
    }

    /// The plugins before they are loaded.
    pub fn files(&self) -> anyhow::Result<Vec<PluginFile>> {
        // Read also where no plugin takes them: a grant that means nothing is a slip.
        self.grants_of("", &Settings::default())?;
        let plugin = |name: &String| builtin(name).map_or_else(|| self.file(Path::new(name)), Ok);
        self.plugins.iter().map(plugin).collect()
    }

    /// A plugin's file as it is now.
    pub fn file(&self, path: &Path) -> anyhow::Result<PluginFile> {
        let name = file_name(path);
        Ok(PluginFile {
            grants: self.grants_of(&name, &settings::read()?)?,
            component: read(path)?,
            name,
        })
    }

    /// Whether files that change are loaded again.
    pub fn is_watching(&self) -> bool {
        self.watch
    }

    /// Who knows which files changed: none without `--watch`.
    pub fn watch(&self) -> Watch {
        Watch::new(self.watched())
    }

    fn watched(&self) -> impl Iterator<Item = PathBuf> {
        let is_watched = |plugin: &&String| self.watch && builtin(plugin).is_none();
        self.plugins.iter().filter(is_watched).map(PathBuf::from)
    }

    /// What `lapidary.toml` says of a plugin, and the flags over it.
    fn grants_of(&self, name: &str, settings: &Settings) -> anyhow::Result<Grants> {
        let told = settings.plugins.get(name);
        let mut grants = told
            .map(PluginSettings::grants)
            .transpose()?
            .unwrap_or_default();
        let texts = self.grants.iter().flat_map(|texts| texts.split(','));
        for text in texts.map(str::trim) {
            let named = text
                .split_once('@')
                .filter(|(plugin, _)| *plugin == name || self.names(plugin));
            grants = match named {
                Some((plugin, text)) if plugin == name => grants.with_text(text)?,
                Some(_) => grants,
                None => grants.with_text(text)?,
            };
        }
        Ok(grants)
    }

    fn names(&self, name: &str) -> bool {
        let plugins = self.plugins.iter().map(Path::new).map(file_name);
        plugins.chain(self.agent.clone()).any(|known| known == name)
    }
}

/// A plugin before it is loaded.
pub struct PluginFile {
    /// What errors call it.
    pub name: String,
    /// Its bytes.
    pub component: Vec<u8>,
    /// What it may do.
    pub grants: Grants,
}

impl PluginFile {
    /// Loads it without a model.
    pub fn load(&self, engines: &Engines) -> lapidary::Result<ToolPlugin> {
        ToolPlugin::load(&self.name, &self.component, &self.grants, engines)
    }

    /// Puts it in the place of its older version; `config` is for logits processors.
    fn replace_in(&self, runtime: &Runtime, config: &Value) -> lapidary::Result<()> {
        let (name, component, grants) = (&self.name, &self.component, &self.grants);
        match inspect(name, component)?.world {
            World::LogitsProcessor => {
                runtime.replace_logits_processor(name, component, config.clone(), grants)
            }
            World::ToolProvider | World::Agent | World::ChatFormat => {
                runtime.replace_tool(name, component, grants)
            }
        }
    }
}

fn builtin(name: &str) -> Option<PluginFile> {
    let (component, grants) = match name {
        "calculator" => (lapidary_guests::TOOL_CALCULATOR, Grants::none()),
        "clock" => (lapidary_guests::TOOL_CLOCK, Grants::clock()),
        "weather" => (lapidary_guests::TOOL_WEATHER, Grants::none()),
        _ => return None,
    };
    Some(PluginFile {
        name: format!("tool-{name}"),
        component: component.to_vec(),
        grants,
    })
}

/// Reads a file that the caller named.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))
}

/// Reads a text that need not be there. One that is there and cannot be read, such as a link to nowhere, is an
/// error.
pub fn read_if_there(path: &Path) -> anyhow::Result<Option<String>> {
    let there = fs::symlink_metadata(path);
    if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(Some(text))
}

/// The last part of a path, which names a plugin in errors.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
