//! A bundle on disk or in the program: which files it has and which graphs they make.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;

use super::config::BundleConfig;
use super::files::Files;
use crate::error::{Error, Result};
use crate::graph::GraphSource;
use crate::text::Tokenizer;

/// What a graph does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GraphRole {
    /// Token ids to embeddings.
    Embed,
    /// Embeddings and cached keys and values to logits.
    Decoder,
    /// Image patches to soft tokens.
    Vision,
    /// Log-mel frames to soft tokens.
    Audio,
}

impl GraphRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Embed, Self::Decoder, Self::Vision, Self::Audio];

    /// The file's name without suffix, as onnx-community bundles have it.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Embed => "embed_tokens",
            Self::Decoder => "decoder_model_merged",
            Self::Vision => "vision_encoder",
            Self::Audio => "audio_encoder",
        }
    }

    /// A text model runs without it.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Vision | Self::Audio)
    }
}

impl fmt::Display for GraphRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embed => "embed",
            Self::Decoder => "decoder",
            Self::Vision => "vision",
            Self::Audio => "audio",
        })
    }
}

/// The dtypes of onnx-community bundles and their file suffixes (transformers.js 4.3, `dtypes.js`).
const SUFFIXES: [(&str, &str); 10] = [
    ("fp32", ""),
    ("fp16", "_fp16"),
    ("q8", "_quantized"),
    ("int8", "_int8"),
    ("uint8", "_uint8"),
    ("q4", "_q4"),
    ("q4f16", "_q4f16"),
    ("q2", "_q2"),
    ("q2f16", "_q2f16"),
    ("bnb4", "_bnb4"),
];

/// The order in which a dtype is chosen when nobody names one: exact first, then small.
const PREFERRED: [&str; 10] = [
    "fp32", "q4", "q4f16", "q8", "fp16", "int8", "uint8", "q2f16", "q2", "bnb4",
];

/// Which dtype to load: one for all graphs, or one for each.
///
/// ```
/// use lapidary::DtypeChoice;
/// let choice: DtypeChoice = "embed=q4,decoder=q4f16".parse()?;
/// assert!("q5".parse::<DtypeChoice>().is_err());
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtypeChoice {
    all: Option<&'static str>,
    by_role: BTreeMap<GraphRole, &'static str>,
}

impl FromStr for DtypeChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut choice = Self::default();
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None => choice.all = Some(dtype(item)?),
                Some((role, name)) => {
                    choice.by_role.insert(role_named(role)?, dtype(name)?);
                }
            }
        }
        Ok(choice)
    }
}

impl DtypeChoice {
    /// `transformers.js_config.dtype` of a bundle.
    fn from_config(value: &Value) -> Self {
        let known = |value: &Value| value.as_str().and_then(|name| dtype(name).ok());
        let by_role = GraphRole::ALL.into_iter();
        let by_role = by_role.filter_map(|role| Some((role, known(value.get(role.file_stem())?)?)));
        Self {
            all: known(value),
            by_role: by_role.collect(),
        }
    }

    fn of(&self, role: GraphRole) -> Option<&'static str> {
        self.by_role.get(&role).copied().or(self.all)
    }
}

fn dtype(name: &str) -> Result<&'static str> {
    SUFFIXES
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == name)
        .ok_or_else(|| {
            let known: Vec<&str> = SUFFIXES.iter().map(|(known, _)| *known).collect();
            Error::invalid(
                "dtype",
                format!("expected one of {}, found {name:?}", known.join(", ")),
            )
        })
}

fn role_named(name: &str) -> Result<GraphRole> {
    let by_name = |role: &GraphRole| role.to_string() == name || role.file_stem() == name;
    GraphRole::ALL.into_iter().find(by_name).ok_or_else(|| {
        Error::invalid(
            "dtype",
            format!("expected embed, decoder, vision or audio, found {name:?}"),
        )
    })
}

/// A bundle: its files and what its configuration says. Nothing is loaded yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    files: Files,
    config: BundleConfig,
}

impl Bundle {
    /// Opens a directory in the onnx-community layout.
    ///
    /// # Errors
    /// `Bundle` when a configuration file is missing or broken.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        if !directory.is_dir() {
            let detail = "expected a directory with config.json and onnx/, found none";
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
        let config = BundleConfig::read(&files)?;
        Ok(Self { files, config })
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

    /// The dtypes in which a graph is there.
    pub fn dtypes(&self, role: GraphRole) -> Vec<&'static str> {
        PREFERRED
            .into_iter()
            .filter(|dtype| self.graph_file(role, dtype).is_some())
            .collect()
    }

    /// The size of a graph and its external data in bytes.
    pub fn graph_size_bytes(&self, role: GraphRole, dtype: &str) -> u64 {
        let Some(file) = self.graph_file(role, dtype) else {
            return 0;
        };
        let own = self.files.size_bytes(&file).unwrap_or(0);
        let external = self.external_files(&file).into_iter();
        own + external
            .filter_map(|name| self.files.size_bytes(&name))
            .sum::<u64>()
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
            None if !role.is_optional() => Err(self.files.missing(&self.usual_file(role))),
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
        if there.is_empty() && role.is_optional() {
            return Ok(None);
        }
        let found = if there.is_empty() {
            "no dtype at all".to_owned()
        } else {
            there.join(", ")
        };
        let detail = format!("expected the {role} graph in {asked}, found {found}");
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
        let external = self.external_files(file).into_iter();
        let external =
            external.map(|name| Ok((base_name(&name).to_owned(), self.files.read(&name)?)));
        Ok(GraphSource::Memory {
            name: file.to_owned(),
            model: self.files.read(file)?,
            external: external.collect::<Result<_>>()?,
        })
    }

    fn graph_file(&self, role: GraphRole, dtype: &str) -> Option<String> {
        let suffix = SUFFIXES.iter().find(|(name, _)| *name == dtype)?.1;
        let name = format!("{}{suffix}.onnx", role.file_stem());
        [format!("onnx/{name}"), name]
            .into_iter()
            .find(|file| self.files.contains(file))
    }

    fn usual_file(&self, role: GraphRole) -> String {
        format!("onnx/{}.onnx", role.file_stem())
    }

    /// `<file>_data`, `<file>_data_1`, …: as exporters name them.
    fn external_files(&self, file: &str) -> Vec<String> {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let first = format!("{file}_data");
        let is_chunk = |name: &String| {
            let rest = name.strip_prefix(&first);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        self.files
            .list(folder)
            .into_iter()
            .filter(is_chunk)
            .collect()
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
