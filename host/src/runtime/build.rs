//! Putting a runtime together.

use std::path::PathBuf;

use serde_json::Value;

use super::processors::Processors;
use super::reload::{Shared, check_format};
use super::tools::Toolbox;
use super::{Base, Runtime};
use crate::constrain::Grammars;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::graph::{GraphOptions, Providers, library};
use crate::limits::Limits;
use crate::media::Resizer;
use crate::model::{Bundle, DtypeChoice, GemmaOptions};
use crate::plugin::{Engines, Format, Grants, LogitsPlugin, Recorder, ToolPlugin};
use crate::text::Tokenizer;

/// Chooses what a [`Runtime`] is made of.
///
/// ```
/// # lapidary::onnxruntime::locate_or_fetch(&mut |_| {})?;
/// use lapidary::{Limits, Runtime};
/// let limits = Limits { new_tokens_max: 64, ..Limits::default() };
/// let runtime = Runtime::builder().limits(limits).threads(1).build()?;
/// assert_eq!(runtime.provider(), "cpu");
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RuntimeBuilder {
    bundle: Option<Bundle>,
    dtype: DtypeChoice,
    providers: Providers,
    threads: Option<usize>,
    format: FormatChoice,
    tools: Vec<(NamedBytes, Grants)>,
    native_fallback: bool,
    processors: Vec<(NamedBytes, Value, Grants)>,
    limits: Limits,
    code_cache: Option<PathBuf>,
    resizer: Resizer,
    recorder: Option<Recorder>,
}

/// Which chat format a runtime speaks.
#[derive(Debug, Default)]
enum FormatChoice {
    /// The bundle's own template; the built-in format where it brings none, or one that is the same.
    #[default]
    OfBundle,
    Builtin,
    Template(String),
    Component(NamedBytes),
}

#[derive(Debug)]
struct NamedBytes {
    name: String,
    bytes: Vec<u8>,
}

impl RuntimeBuilder {
    /// The model. Without one, the embedded model.
    pub fn bundle(mut self, bundle: Bundle) -> Self {
        self.bundle = Some(bundle);
        self
    }

    /// Which of a bundle's dtypes to load. Without it, what the bundle's configuration asks for.
    pub fn dtype(mut self, dtype: DtypeChoice) -> Self {
        self.dtype = dtype;
        self
    }

    /// What runs the graphs, in order of preference. Each has to start.
    pub fn providers(mut self, providers: Providers) -> Self {
        self.providers = providers;
        self
    }

    /// Threads of one graph run. Without it, one for each physical core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// A chat format component. Without one, the bundle's own chat template, run in the sandbox; for a bundle
    /// without one, the built-in format.
    pub fn format(mut self, name: impl Into<String>, component: Vec<u8>) -> Self {
        self.format = FormatChoice::Component(NamedBytes {
            name: name.into(),
            bytes: component,
        });
        self
    }

    /// The built-in format, whatever template the bundle brings.
    pub fn builtin_format(mut self) -> Self {
        self.format = FormatChoice::Builtin;
        self
    }

    /// A chat template in Jinja, run in the sandbox, in place of the bundle's own.
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.format = FormatChoice::Template(template.into());
        self
    }

    /// Lets new chats use the built-in format while another chat format rests, because it kept failing
    /// ([`Limits::plugin_failures_max`]); without it they fail. A chat keeps the format that it began with. The log
    /// tells of each such chat, and so does [`Usage::bypassed`](crate::Usage::bypassed). Without effect where the
    /// built-in format is the runtime's own.
    pub fn native_fallback(mut self) -> Self {
        self.native_fallback = true;
        self
    }

    /// A tool component, and what it may do.
    pub fn tool(mut self, name: impl Into<String>, component: Vec<u8>, grants: Grants) -> Self {
        self.tools.push((
            NamedBytes {
                name: name.into(),
                bytes: component,
            },
            grants,
        ));
        self
    }

    /// A logits processor, which leans on every generation after those that were named before it. `config`, a JSON
    /// object, is for the plugin; of `grants` its limits and its [`OnFailure`](crate::OnFailure) matter.
    pub fn logits_processor(
        mut self,
        name: impl Into<String>,
        component: Vec<u8>,
        config: Value,
        grants: Grants,
    ) -> Self {
        let (name, bytes) = (name.into(), component);
        let named = NamedBytes { name, bytes };
        self.processors.push((named, config, grants));
        self
    }

    /// The built-in tools: calculator, clock and weather.
    #[cfg(feature = "embedded")]
    pub fn builtin_tools(self) -> Self {
        self.builtin_calculator().builtin_clock().builtin_weather()
    }

    /// The built-in calculator, which may do nothing but compute.
    #[cfg(feature = "embedded")]
    pub fn builtin_calculator(self) -> Self {
        self.tool(
            "tool-calculator",
            lapidary_guests::TOOL_CALCULATOR.to_vec(),
            Grants::none(),
        )
    }

    /// The built-in clock, which may read the time.
    #[cfg(feature = "embedded")]
    pub fn builtin_clock(self) -> Self {
        self.tool(
            "tool-clock",
            lapidary_guests::TOOL_CLOCK.to_vec(),
            Grants::clock(),
        )
    }

    /// The built-in weather, made up for demonstrations, which may do nothing but compute.
    #[cfg(feature = "embedded")]
    pub fn builtin_weather(self) -> Self {
        self.tool(
            "tool-weather",
            lapidary_guests::TOOL_WEATHER.to_vec(),
            Grants::none(),
        )
    }

    /// Every bound.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the plugins' machine code in this folder. Without it, plugins are compiled at each start.
    pub fn code_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.code_cache = Some(folder.into());
        self
    }

    /// Which of the reference's two ways of resizing pictures to follow. Without it, the usual one.
    pub fn resizer(mut self, resizer: Resizer) -> Self {
        self.resizer = resizer;
        self
    }

    /// Records every use of a plugin from the first on, as [`Engines::record`] says.
    pub fn record(mut self, take: impl Fn(Value) + Send + Sync + 'static) -> Self {
        self.recorder = Some(Recorder::new(take));
        self
    }

    /// Loads everything.
    ///
    /// # Errors
    /// `Io` without ONNX Runtime; `Bundle` for a broken model; `Plugin` for a component that cannot be
    /// used; `Unsupported` for a provider that cannot start, and for a fallback whose tokens the model does not have.
    pub fn build(self) -> Result<Runtime> {
        check_threads(self.threads)?;
        library::initialize()?;
        let bundle = self.bundle.map_or_else(default_bundle, Ok)?;
        let tokenizer = bundle.tokenizer()?;
        let engines = Engines::new(&self.limits, self.code_cache)?;
        if let Some(recorder) = self.recorder {
            engines.record_with(recorder);
        }
        let format = self.format.load(&bundle, &engines)?;
        check_format(&format, &tokenizer)?;
        let fallback = self
            .native_fallback
            .then(|| native_format(&engines, &tokenizer));
        let tools = self
            .tools
            .iter()
            .map(|(tool, grants)| ToolPlugin::load(&tool.name, &tool.bytes, grants, &engines));
        let tools = Toolbox::new(tools.collect::<Result<_>>()?)?;
        let processors = self.processors.iter().map(|(named, config, grants)| {
            let plugin = LogitsPlugin::load(&named.name, &named.bytes, grants, &engines)?;
            Ok((plugin, config.clone()))
        });
        let processors = Processors::new(processors.collect::<Result<_>>()?);
        let graph = GraphOptions {
            providers: self.providers,
            threads: self.threads,
            device_outputs: vec!["present.".to_owned()],
            ..GraphOptions::default()
        };
        let options = GemmaOptions {
            dtype: self.dtype,
            graph,
            prefill_tokens_max: self.limits.prefill_tokens_max,
        };
        let (engine, info) = Engine::start(bundle.clone(), options, self.limits.sequences_max)?;
        let base = Base {
            bundle,
            tokenizer,
            engine,
            info,
            limits: self.limits,
            resizer: self.resizer,
            grammars: Grammars::default(),
            engines,
            fallback: fallback.transpose()?,
        };
        Ok(Runtime {
            shared: Shared::new(base, format, tools, processors),
        })
    }
}

impl FormatChoice {
    fn load(&self, bundle: &Bundle, engines: &Engines) -> Result<Format> {
        match self {
            Self::OfBundle => of_bundle(bundle, engines),
            Self::Builtin => builtin_format(engines),
            Self::Template(template) => template_format(template, engines),
            Self::Component(format) => Format::load(&format.name, &format.bytes, engines),
        }
    }
}

/// The built-in format, if the model has every token that it writes and reads.
fn native_format(engines: &Engines, tokenizer: &Tokenizer) -> Result<Format> {
    let format = builtin_format(engines)?;
    let mut tokens = format.describe().control_tokens.iter();
    let unknown = tokens.find(|token| tokenizer.control_id(token).is_none());
    unknown.map_or(Ok(format.clone()), |token| {
        let detail = format!("expected tokens of the model, found {token}, which its tokenizer does not have; leave the fallback out");
        Err(Error::unsupported("native fallback", detail))
    })
}

/// The built-in format stands in for templates that it equals: it is faster.
fn of_bundle(bundle: &Bundle, engines: &Engines) -> Result<Format> {
    match bundle.own_template()? {
        Some(template) => template_format(template.text(), engines),
        None => builtin_format(engines),
    }
}

/// More than any machine has; ONNX Runtime would start them all.
const THREADS_MAX: usize = 1_024;

fn check_threads(threads: Option<usize>) -> Result<()> {
    match threads {
        Some(count) if !(1..=THREADS_MAX).contains(&count) => {
            let detail = format!("expected 1 to {THREADS_MAX}, found {count}");
            Err(Error::invalid("threads", detail))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(feature = "embedded")]
fn default_bundle() -> Result<Bundle> {
    Bundle::embedded()
}

#[cfg(not(feature = "embedded"))]
fn default_bundle() -> Result<Bundle> {
    Err(Error::invalid(
        "runtime",
        "expected a bundle, found none; build with the feature `embedded` for one inside",
    ))
}

#[cfg(feature = "embedded")]
fn builtin_format(engines: &Engines) -> Result<Format> {
    Format::builtin(engines)
}

#[cfg(feature = "embedded")]
fn template_format(template: &str, engines: &Engines) -> Result<Format> {
    Format::template(template, engines)
}

#[cfg(not(feature = "embedded"))]
fn builtin_format(_: &Engines) -> Result<Format> {
    Err(no_format())
}

#[cfg(not(feature = "embedded"))]
fn template_format(_: &str, _: &Engines) -> Result<Format> {
    Err(no_format())
}

#[cfg(not(feature = "embedded"))]
fn no_format() -> Error {
    let detail =
        "expected a chat format, found none; build with the feature `embedded` for those inside";
    Error::invalid("runtime", detail)
}
