//! A bundle on disk or in the program: which files it has and which graphs they make.

use std::path::{Path, PathBuf};

use super::config::{BundleConfig, prompt_style};
use super::dtype::DtypeChoice;
use super::files::Files;
use super::kv::KvLayer;
use super::layout::Layout;
use super::role::GraphRole;
use super::template::ChatTemplate;
use crate::error::{Error, Result};
use crate::graph::{GraphSource, Header};
use crate::text::Tokenizer;

/// A checkpoint's own template, as transformers saves it.
const TEMPLATE_FILE: &str = "chat_template.jinja";

/// A bundle: its files and what its configuration says. Nothing is loaded yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    files: Files,
    layout: Layout,
    config: BundleConfig,
}

impl Bundle {
    /// Opens a directory in the layout of onnx-community's repositories or of onnxruntime-genai's.
    ///
    /// # Errors
    /// `Bundle` when a configuration file is missing or broken.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        if !directory.is_dir() {
            let detail = "expected a directory with config.json and onnx/, or with genai_config.json, found none";
            return Err(Error::bundle(
                format!("bundle {}", directory.display()),
                detail,
            ));
        }
        Self::of_files(Files::Directory(directory.to_owned()))
    }

    /// The small model inside the program.
    ///
    /// # Errors
    /// `Bundle` when the program was built with a broken one.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self> {
        Self::of_files(Files::Embedded(lapidary_tiny::files()))
    }

    fn of_files(files: Files) -> Result<Self> {
        let layout = Layout::of(&files)?;
        let config = BundleConfig::read(&files)?;
        let bundle = Self {
            files,
            layout,
            config,
        };
        Ok(bundle.with_style_of_decoder())
    }

    /// Where no configuration tells the width of per-layer inputs, the decoder does.
    fn with_style_of_decoder(mut self) -> Self {
        if self.config.per_layer_width.is_none() {
            let header = self.header(GraphRole::Decoder, &DtypeChoice::default());
            let takes =
                matches!(header, Ok(Some(header)) if header.input("per_layer_inputs").is_some());
            self.config.prompt_style = prompt_style(takes);
        }
        self
    }

    /// `onnx-community` or `onnxruntime-genai`: how the files are named.
    pub fn layout(&self) -> &'static str {
        self.layout.name()
    }

    /// What the configuration says.
    pub fn config(&self) -> &BundleConfig {
        &self.config
    }

    /// How reports name the bundle.
    pub fn location(&self) -> String {
        self.files.location()
    }

    /// The bundle's directory, unless it is inside the program.
    pub fn directory(&self) -> Option<&PathBuf> {
        match &self.files {
            Files::Directory(root) => Some(root),
            Files::Embedded(_) => None,
        }
    }

    /// Whether the bundle has this file.
    pub fn has_file(&self, name: &str) -> bool {
        self.files.contains(name)
    }

    /// Reads the tokenizer.
    ///
    /// # Errors
    /// `Bundle` when it is missing or broken.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let config = self.files.find("tokenizer_config.json")?;
        Tokenizer::from_json(&self.files.read("tokenizer.json")?, config.as_deref())
    }

    /// The chat template in `chat_template.jinja`, where the bundle brings one.
    ///
    /// # Errors
    /// `Bundle` when it is no text.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        let Some(bytes) = self.files.find(TEMPLATE_FILE)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes.into_owned()).map_err(|error| {
            let detail =
                "expected chat_template.jinja in UTF-8; copy it from where the bundle came from";
            Error::bundle(format!("bundle {}", self.location()), detail).with_source(error)
        })?;
        Ok(Some(ChatTemplate::new(text)))
    }

    /// The bundle's template where it has to be run: not where it is the one that the built-in format equals in
    /// this bundle's prompt style.
    ///
    /// # Errors
    /// As [`Bundle::chat_template`].
    pub fn own_template(&self) -> Result<Option<ChatTemplate>> {
        let style = self.config.prompt_style;
        let template = self.chat_template()?;
        Ok(template.filter(|template| template.native_style() != Some(style)))
    }

    /// The dtypes in which a graph is there; `as-built` where a layout has one build alone.
    pub fn dtypes(&self, role: GraphRole) -> Vec<&'static str> {
        self.layout.dtypes(&|name| self.files.contains(name), role)
    }

    /// The size of a graph and its external data in bytes.
    pub fn graph_size_bytes(&self, role: GraphRole, dtype: &str) -> u64 {
        let Some(file) = self.graph_file(role, dtype) else {
            return 0;
        };
        let own = self.files.size_bytes(&file).unwrap_or(0);
        let external = self.external_files(&file).unwrap_or_default().into_iter();
        own + external
            .filter_map(|name| self.files.size_bytes(&name))
            .sum::<u64>()
    }

    /// What the graph that `choice` picks says of itself; `None` where it is not there.
    pub(crate) fn header(&self, role: GraphRole, choice: &DtypeChoice) -> Result<Option<Header>> {
        let Some(dtype) = self.choose_dtype(role, choice)? else {
            return Ok(None);
        };
        self.graph_source(role, dtype)?.header().map(Some)
    }

    /// The keys and values that the decoder's layers own, read from its file.
    ///
    /// # Errors
    /// `Bundle` when the decoder is missing, damaged or none.
    pub fn kv_layers(&self, choice: &DtypeChoice) -> Result<Vec<KvLayer>> {
        let header = self.header(GraphRole::Decoder, choice)?;
        let inputs = header.iter().flat_map(|header| &header.inputs);
        KvLayer::of_inputs(inputs, &format!("bundle {}", self.location()))
    }

    /// The dtype that `choice`, else the bundle's own configuration, else the order of preference
    /// picks for a graph; `None` where the graph is not there at all.
    ///
    /// # Errors
    /// `Bundle` when the graph is not there in the dtype that was asked for, or not at all though it
    /// has to be.
    pub fn choose_dtype(
        &self,
        role: GraphRole,
        choice: &DtypeChoice,
    ) -> Result<Option<&'static str>> {
        let there = self.dtypes(role);
        if let Some(asked) = choice.of(role) {
            return self.check_dtype(role, asked, &there);
        }
        let own = self.config.dtype.as_ref().map(DtypeChoice::from_config);
        let own = own
            .and_then(|own| own.of(role))
            .filter(|dtype| there.contains(dtype));
        let chosen = own.or(there.first().copied());
        match chosen {
            None if !self.layout.is_optional(role) => {
                Err(self.files.missing(&self.usual_file(role)))
            }
            chosen => Ok(chosen),
        }
    }

    fn check_dtype(
        &self,
        role: GraphRole,
        asked: &'static str,
        there: &[&'static str],
    ) -> Result<Option<&'static str>> {
        if there.contains(&asked) {
            return Ok(Some(asked));
        }
        if there.is_empty() && self.layout.is_optional(role) {
            return Ok(None);
        }
        let found = if there.is_empty() {
            "no dtype at all".to_owned()
        } else {
            there.join(", ")
        };
        let detail = format!(
            "expected the {role} graph in {asked}, found {found}; choose another dtype or fetch this one"
        );
        Err(Error::bundle(format!("bundle {}", self.location()), detail))
    }

    /// What [`Graph::load`](crate::graph::Graph::load) needs for a graph.
    pub(crate) fn graph_source(&self, role: GraphRole, dtype: &str) -> Result<GraphSource> {
        let file = self.graph_file(role, dtype);
        let file = file.ok_or_else(|| self.files.missing(&self.usual_file(role)))?;
        match &self.files {
            Files::Directory(root) => Ok(GraphSource::File(root.join(file))),
            Files::Embedded(_) => self.memory_source(&file),
        }
    }

    fn memory_source(&self, file: &str) -> Result<GraphSource> {
        let external = self.external_files(file)?.into_iter();
        let external =
            external.map(|name| Ok((base_name(&name).to_owned(), self.files.read(&name)?)));
        Ok(GraphSource::Memory {
            name: file.to_owned(),
            model: self.files.read(file)?,
            external: external.collect::<Result<_>>()?,
        })
    }

    /// The file to name when a graph is not there.
    pub(super) fn usual_file(&self, role: GraphRole) -> String {
        self.layout.usual_file(role)
    }

    /// What a whole bundle of this layout has beside graphs and `config.json`.
    pub(super) fn usual_configs(&self) -> &'static [&'static str] {
        self.layout.configs()
    }

    fn graph_file(&self, role: GraphRole, dtype: &str) -> Option<String> {
        let contains = |name: &str| self.files.contains(name);
        self.layout.graph_file(&contains, role, dtype)
    }

    /// The files that the graph in `file` keeps its weights in, as it names them itself.
    fn external_files(&self, file: &str) -> Result<Vec<String>> {
        let source = match &self.files {
            Files::Directory(root) => GraphSource::File(root.join(file)),
            Files::Embedded(_) => GraphSource::Memory {
                name: file.to_owned(),
                model: self.files.read(file)?,
                external: Vec::new(),
            },
        };
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = |name: String| match folder {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        let files = source.header()?.external;
        Ok(files.into_keys().map(path).collect())
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
