//! What can be said of a bundle before anything is loaded.

use serde::Serialize;

use super::bundle::Bundle;
use super::dtype::DtypeChoice;
use super::memory::MemoryEstimate;
use super::role::GraphRole;
use crate::error::Result;

/// A bundle, described from its files alone.
#[derive(Clone, Debug, Serialize)]
pub struct BundleReport {
    /// Always `bundle`.
    pub kind: &'static str,
    /// Where it is.
    pub location: String,
    /// `model_type` of its configuration.
    pub family: String,
    /// `E2B`, `E4B`, `26B-A4B`, `31B`, `12B`, else `custom`.
    pub size: &'static str,
    /// What it takes beside text.
    pub modalities: Vec<&'static str>,
    /// Decoder layers.
    pub layers: usize,
    /// Width of the embeddings.
    pub hidden_size: usize,
    /// Tokens of prompt and answer together.
    pub context_tokens: usize,
    /// The window of sliding layers in tokens.
    pub sliding_window: usize,
    /// `small` or `large`: how prompts end.
    pub prompt_style: &'static str,
    /// Which revision of Gemma 4's chat template the bundle brings; `None` without one.
    pub chat_template: Option<String>,
    /// Ids that end a turn.
    pub eos_ids: Vec<u32>,
    /// The graphs, each with the dtypes it is there in.
    pub graphs: Vec<GraphReport>,
    /// Keys and values of all layers for one token, as the decoder has them; `None` without a decoder.
    pub kv_bytes_per_token: Option<u64>,
    /// How the files are named: `onnx-community` or `onnxruntime-genai`.
    pub layout: &'static str,
    /// What it will take in memory; `None` without a decoder.
    pub memory: Option<MemoryEstimate>,
    /// What one chat of text takes over as many tokens as the model has room for; 0 without a decoder.
    pub memory_estimate_bytes: u64,
    /// Files that a full bundle has and this one lacks, and graphs whose files are cut short.
    pub missing: Vec<String>,
}

/// One graph of a bundle.
#[derive(Clone, Debug, Serialize)]
pub struct GraphReport {
    /// `embed`, `decoder`, `vision`, `audio`.
    pub graph: String,
    /// The dtypes it is there in.
    pub dtypes: Vec<&'static str>,
    /// What is loaded when nobody chooses.
    pub chosen: Option<&'static str>,
    /// The chosen graph's files, external data included.
    pub size_bytes: u64,
}

impl Bundle {
    /// Describes the bundle without loading it.
    ///
    /// # Errors
    /// `Io` when a file cannot be read.
    pub fn report(&self) -> Result<BundleReport> {
        self.report_for(&DtypeChoice::default())
    }

    /// As [`Bundle::report`], for the graphs that `choice` picks.
    ///
    /// # Errors
    /// `Bundle` when a graph is not there in the dtype that was asked for.
    pub fn report_for(&self, choice: &DtypeChoice) -> Result<BundleReport> {
        let config = self.config();
        let graphs = GraphRole::ALL.map(|role| self.graph_report(role, choice));
        let graphs: Vec<GraphReport> = graphs.into_iter().collect::<Result<_>>()?;
        let memory = MemoryEstimate::of(self, choice).ok();
        Ok(BundleReport {
            kind: "bundle",
            location: self.location(),
            family: config.model_type.clone(),
            size: config.size,
            modalities: self.modalities(),
            layers: config.layers,
            hidden_size: config.hidden_size,
            context_tokens: config.context_tokens,
            sliding_window: config.sliding_window,
            prompt_style: config.prompt_style.name(),
            chat_template: self.chat_template()?.map(|template| template.revision()),
            eos_ids: config.eos_ids.clone(),
            missing: self.missing(&graphs, choice),
            graphs,
            kv_bytes_per_token: self.kv_bytes_per_token(choice),
            layout: self.layout(),
            memory,
            memory_estimate_bytes: memory.map_or(0, |memory| memory.total_full_bytes),
        })
    }

    /// A graph that is not there at all is no error here, one that is there in other dtypes is.
    fn graph_report(&self, role: GraphRole, choice: &DtypeChoice) -> Result<GraphReport> {
        let dtypes = self.dtypes(role);
        let chosen = match dtypes.is_empty() {
            true => None,
            false => self.choose_dtype(role, choice)?,
        };
        Ok(GraphReport {
            graph: role.to_string(),
            dtypes,
            chosen,
            size_bytes: chosen.map_or(0, |dtype| self.graph_size_bytes(role, dtype)),
        })
    }

    fn modalities(&self) -> Vec<&'static str> {
        let (config, has) = (self.config(), |role| !self.dtypes(role).is_empty());
        let senses = [
            ("text", true),
            ("image", config.image.is_some() && has(GraphRole::Vision)),
            ("audio", config.audio.is_some() && has(GraphRole::Audio)),
            ("video", config.video.is_some() && has(GraphRole::Vision)),
        ];
        senses
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(name, _)| name)
            .collect()
    }

    fn kv_bytes_per_token(&self, choice: &DtypeChoice) -> Option<u64> {
        let layers = self.kv_layers(choice).ok()?;
        Some(
            layers
                .iter()
                .map(|layer| layer.bytes_per_token() as u64)
                .sum(),
        )
    }

    fn missing(&self, graphs: &[GraphReport], choice: &DtypeChoice) -> Vec<String> {
        let config = self.config();
        let wanted = |role| match role {
            GraphRole::Embed | GraphRole::Decoder => true,
            GraphRole::Vision => config.image.is_some(),
            GraphRole::Audio => config.audio.is_some(),
        };
        let absent = GraphRole::ALL.into_iter().zip(graphs);
        let absent = absent.filter(|(role, report)| report.dtypes.is_empty() && wanted(*role));
        let graphs = absent.map(|(role, _)| self.usual_file(role));
        let files = self.usual_configs().iter();
        let files = files
            .filter(|name| !self.has_file(name))
            .map(|name| (*name).to_owned());
        let broken = GraphRole::ALL
            .into_iter()
            .filter_map(|role| self.harm(role, choice));
        graphs.chain(files).chain(broken).collect()
    }

    /// What is wrong with the chosen graph's files, as far as it shows without loading them.
    fn harm(&self, role: GraphRole, choice: &DtypeChoice) -> Option<String> {
        let dtype = self.choose_dtype(role, choice).ok()??;
        let source = self.graph_source(role, dtype);
        source
            .and_then(|source| source.check())
            .err()
            .map(|error| error.to_string())
    }
}
