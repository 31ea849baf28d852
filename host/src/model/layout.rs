//! How bundles name their files.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dtype::{PREFERRED, SUFFIXES};
use super::files::Files;
use super::role::GraphRole;
use crate::error::{Error, Result};

/// The file that tells an onnxruntime-genai bundle from others.
pub(super) const GENAI_CONFIG: &str = "genai_config.json";

/// What the one build of a graph in an onnxruntime-genai bundle is called: its name does not tell its dtype.
const ONLY_BUILD: &str = "as-built";

/// How a bundle names its graphs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// onnx-community's: `<graph><suffix>.onnx` in `onnx/` or in the root, one suffix for each dtype.
    Suffixed,
    /// onnxruntime-genai's: one file for each graph, which `genai_config.json` names.
    Named(BTreeMap<GraphRole, String>),
}

impl Layout {
    /// The layout of these files.
    ///
    /// # Errors
    /// `Bundle` when `genai_config.json` is broken or names no decoder.
    pub fn of(files: &Files) -> Result<Self> {
        match files.find(GENAI_CONFIG)? {
            // A bundle may carry both; the suffixed graphs come in more dtypes.
            Some(bytes) if !Self::Suffixed.has(files, GraphRole::Decoder) => Self::of_genai(&bytes),
            Some(_) | None => Ok(Self::Suffixed),
        }
    }

    fn of_genai(config: &[u8]) -> Result<Self> {
        let config: Value = serde_json::from_slice(config).map_err(|error| {
            Error::bundle(GENAI_CONFIG, "expected JSON, found none").with_source(error)
        })?;
        let file = |role| {
            let section = genai_section(role);
            let name = config.pointer(&format!("/model/{section}/filename"))?;
            Some((role, name.as_str()?.replace('\\', "/")))
        };
        let files: BTreeMap<_, _> = GraphRole::ALL.into_iter().filter_map(file).collect();
        if files.contains_key(&GraphRole::Decoder) {
            return Ok(Self::Named(files));
        }
        let detail = "expected model.decoder.filename, found none; this is no text model's bundle";
        Err(Error::bundle(GENAI_CONFIG, detail))
    }

    /// What reports call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Suffixed => "onnx-community",
            Self::Named(_) => "onnxruntime-genai",
        }
    }

    fn has(&self, files: &Files, role: GraphRole) -> bool {
        !self.dtypes(&|name| files.contains(name), role).is_empty()
    }

    /// The dtypes in which a graph is there, best first. `contains` tells which files are there.
    pub fn dtypes(&self, contains: &dyn Fn(&str) -> bool, role: GraphRole) -> Vec<&'static str> {
        let known: &[&'static str] = match self {
            Self::Suffixed => &PREFERRED,
            Self::Named(_) => &[ONLY_BUILD],
        };
        let there = |dtype: &&str| self.graph_file(contains, role, dtype).is_some();
        known.iter().copied().filter(there).collect()
    }

    /// The graph's file, if it is there in this dtype.
    pub fn graph_file(
        &self,
        contains: &dyn Fn(&str) -> bool,
        role: GraphRole,
        dtype: &str,
    ) -> Option<String> {
        match self {
            Self::Suffixed => {
                let name = suffixed(role, dtype)?;
                [format!("onnx/{name}"), name]
                    .into_iter()
                    .find(|file| contains(file))
            }
            Self::Named(names) => {
                let name = names.get(&role).filter(|_| dtype == ONLY_BUILD)?;
                contains(name).then(|| name.clone())
            }
        }
    }

    /// The file to name when the graph is not there.
    pub fn usual_file(&self, role: GraphRole) -> String {
        match self {
            Self::Suffixed => format!("onnx/{}.onnx", role.file_stem()),
            Self::Named(names) => names
                .get(&role)
                .cloned()
                .unwrap_or_else(|| format!("{}/model.onnx", genai_section(role))),
        }
    }

    /// What else a whole bundle has.
    pub fn configs(&self) -> &'static [&'static str] {
        match self {
            Self::Suffixed => &[
                "tokenizer.json",
                "generation_config.json",
                "processor_config.json",
            ],
            Self::Named(_) => &["tokenizer.json", "tokenizer_config.json"],
        }
    }

    /// Whether a bundle of this layout runs text without the graph.
    pub fn is_optional(&self, role: GraphRole) -> bool {
        match self {
            Self::Suffixed => role.is_optional(),
            // Text models of this layout look up embeddings in their one graph.
            Self::Named(names) => role.is_optional() || !names.contains_key(&role),
        }
    }
}

/// `<graph><suffix>.onnx`.
fn suffixed(role: GraphRole, dtype: &str) -> Option<String> {
    let (_, suffix) = SUFFIXES.iter().find(|(name, _)| *name == dtype)?;
    Some(format!("{}{suffix}.onnx", role.file_stem()))
}

/// The section of `genai_config.json` (onnxruntime-genai 0.18, `config.cpp`).
fn genai_section(role: GraphRole) -> &'static str {
    match role {
        GraphRole::Embed => "embedding",
        GraphRole::Decoder => "decoder",
        GraphRole::Vision => "vision",
        GraphRole::Audio => "speech",
    }
}
