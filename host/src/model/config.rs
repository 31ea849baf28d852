//! What a bundle's JSON files say.

use serde_json::Value;

use super::files::Files;
use super::genai;
use super::json::Json;
use super::layout::GENAI_CONFIG;
use crate::chat::{PromptStyle, Sampling};
use crate::error::Result;

/// The facts of a bundle's configuration that the host needs. Everything about keys and values comes
/// from the graphs instead.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleConfig {
    /// `model_type` of `config.json`.
    pub model_type: String,
    /// The family member, as far as the sizes tell: `E2B`, `E4B`, `26B-A4B`, `31B`, else `custom`.
    pub size: &'static str,
    /// Width of the embeddings.
    pub hidden_size: usize,
    /// How many token ids there are.
    pub vocab_size: usize,
    /// Decoder layers, those that share keys and values included.
    pub layers: usize,
    /// Tokens of prompt and answer together.
    pub context_tokens: usize,
    /// The window of sliding layers, in tokens.
    pub sliding_window: usize,
    /// How prompts end.
    pub prompt_style: PromptStyle,
    /// Ids that end a generation.
    pub eos_ids: Vec<u32>,
    /// Ids that `generation_config.json` forbids.
    pub suppressed_ids: Vec<u32>,
    /// The sampling that the bundle asks for.
    pub sampling: Sampling,
    /// The most soft tokens of one image.
    pub image_budget: u32,
    /// The padding id.
    pub pad_id: u32,
    /// Placeholder, begin and end of an image, where the model sees.
    pub image: Option<MediaIds>,
    /// Placeholder, begin and end of a recording, where the model hears.
    pub audio: Option<MediaIds>,
    /// Placeholder of a video frame; begin and end are the image's.
    pub video: Option<MediaIds>,
    /// Width of the per-layer inputs, 0 without; `None` where the configuration does not tell.
    pub per_layer_width: Option<usize>,
    /// Widths that bound what one run needs.
    pub(crate) run_sizes: RunSizes,
    /// Whether the soft tokens of one image see each other, on sliding layers.
    pub bidirectional_images: bool,
    /// The dtype that `transformers.js_config` asks for: one for all graphs, or one for each.
    pub dtype: Option<Value>,
}

/// Widths that bound what one run of the decoder needs; 0 where the configuration does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunSizes {
    /// The widest layer between two others: gate and up together.
    pub mlp: usize,
    /// Query heads.
    pub heads: usize,
}

/// The ids that stand for one media item in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaIds {
    /// Repeated once for each soft token.
    pub placeholder: u32,
    /// Before the soft tokens.
    pub begin: u32,
    /// After the soft tokens.
    pub end: u32,
}

impl BundleConfig {
    /// Reads `config.json` and, where they are, `generation_config.json` and `processor_config.json`; of an
    /// onnxruntime-genai bundle without them `genai_config.json` and what it names.
    pub(crate) fn read(files: &Files) -> Result<Self> {
        let genai = Json::read_optional(files, GENAI_CONFIG)?;
        let config = match Json::read_optional(files, "config.json")? {
            config if !config.is_absent() => config,
            _ if !genai.is_absent() => genai::as_config(&genai, files)?,
            _ => return Err(files.missing("config.json")),
        };
        let generation = match Json::read_optional(files, "generation_config.json")? {
            absent if absent.is_absent() => genai.child("search"),
            generation => generation,
        };
        let processor = Json::read_optional(files, "processor_config.json")?;
        Self::of(&config, &generation, &processor, files)
    }

    fn of(config: &Json, generation: &Json, processor: &Json, files: &Files) -> Result<Self> {
        let text = config.child("text_config");
        let per_layer_width = text.number("hidden_size_per_layer_input");
        let image = media_ids(config, "image", "boi", "eoi");
        Ok(Self {
            model_type: config.text("model_type").unwrap_or_default(),
            size: size_name(&text),
            hidden_size: text.required("hidden_size")?,
            vocab_size: text.required("vocab_size")?,
            layers: text.required("num_hidden_layers")?,
            context_tokens: text.number("max_position_embeddings").unwrap_or(131_072),
            sliding_window: text.number("sliding_window").unwrap_or(512),
            prompt_style: prompt_style(per_layer_width.is_some_and(|width| width > 0)),
            eos_ids: eos_ids(config, &text, generation),
            suppressed_ids: generation.ids("suppress_tokens"),
            sampling: sampling(generation),
            image_budget: image_budget(processor, &genai::image_processor(files)?),
            pad_id: text
                .id("pad_token_id")
                .or(config.id("pad_token_id"))
                .unwrap_or(0),
            image,
            audio: media_ids(config, "audio", "boa", "eoa"),
            video: video_ids(config, image),
            per_layer_width,
            run_sizes: run_sizes(&text),
            bidirectional_images: text.text("use_bidirectional_attention").as_deref()
                == Some("vision"),
            dtype: config.0.pointer("/transformers.js_config/dtype").cloned(),
        })
    }

    /// Every id that stands for media; a model must never write one.
    pub fn media_ids(&self) -> Vec<u32> {
        let all = [self.image, self.audio, self.video];
        let ids = all
            .into_iter()
            .flatten()
            .flat_map(|ids| [ids.placeholder, ids.begin, ids.end]);
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn size_name(text: &Json) -> &'static str {
    match (text.number("hidden_size"), text.number("num_hidden_layers")) {
        (Some(1536), Some(35)) => "E2B",
        (Some(2560), Some(42)) => "E4B",
        (Some(2816), Some(30)) => "26B-A4B",
        (Some(5376), Some(60)) => "31B",
        (Some(3840), Some(48)) => "12B",
        _ => "custom",
    }
}

fn run_sizes(text: &Json) -> RunSizes {
    let is_double = text.0.get("use_double_wide_mlp") == Some(&Value::Bool(true));
    let factor = if is_double { 4 } else { 2 };
    RunSizes {
        mlp: factor * text.number("intermediate_size").unwrap_or(0),
        heads: text.number("num_attention_heads").unwrap_or(0),
    }
}

/// Only E2B and E4B have per-layer embeddings, and only they use the small template.
pub(super) fn prompt_style(takes_per_layer_inputs: bool) -> PromptStyle {
    if takes_per_layer_inputs {
        PromptStyle::Small
    } else {
        PromptStyle::Large
    }
}

fn eos_ids(config: &Json, text: &Json, generation: &Json) -> Vec<u32> {
    [generation, config, text]
        .into_iter()
        .map(|json| json.ids("eos_token_id"))
        .find(|ids| !ids.is_empty())
        .unwrap_or_default()
}

fn sampling(generation: &Json) -> Sampling {
    let default = Sampling::default();
    if generation.0.get("do_sample") == Some(&Value::Bool(false)) {
        return Sampling::greedy();
    }
    Sampling {
        temperature: generation
            .float("temperature")
            .unwrap_or(default.temperature),
        top_k: generation.number("top_k").unwrap_or(default.top_k),
        top_p: generation.float("top_p").unwrap_or(default.top_p),
        ..default
    }
}

fn image_budget(processor: &Json, genai: &Json) -> u32 {
    let image = processor.child("image_processor");
    let budget = image.id("max_soft_tokens").or(image.id("image_seq_length"));
    let budget = budget.or(processor.id("image_seq_length"));
    // transformers 5.23, `image_processing_gemma4.py`: the default of `max_soft_tokens`.
    budget.or(genai.id("max_soft_tokens")).unwrap_or(280)
}

fn media_ids(config: &Json, kind: &str, begin: &str, end: &str) -> Option<MediaIds> {
    let named = |name: &str| {
        config
            .id(&format!("{name}_token_id"))
            .or(config.id(&format!("{name}_token_index")))
    };
    Some(MediaIds {
        placeholder: named(kind)?,
        begin: named(begin)?,
        end: named(end)?,
    })
}

fn video_ids(config: &Json, image: Option<MediaIds>) -> Option<MediaIds> {
    let placeholder = config.id("video_token_id")?;
    image.map(|image| MediaIds {
        placeholder,
        ..image
    })
}
