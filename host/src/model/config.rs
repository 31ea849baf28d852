//! What a bundle's JSON files say.

use serde_json::Value;

use super::files::Files;
use crate::chat::{PromptStyle, Sampling};
use crate::error::{Error, Result};

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
    /// Numbers that keys and values of one token take over all layers, where the configuration tells.
    pub kv_numbers_per_token: Option<usize>,
    /// The dtype that `transformers.js_config` asks for: one for all graphs, or one for each.
    pub dtype: Option<Value>,
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
    /// Reads `config.json`, and `generation_config.json` and `processor_config.json` where they are.
    pub(crate) fn read(files: &Files) -> Result<Self> {
        let config = Json::read(files, "config.json")?;
        let generation = Json::read_optional(files, "generation_config.json")?;
        let processor = Json::read_optional(files, "processor_config.json")?;
        let text = config.child("text_config");
        let per_layer_width = text.number("hidden_size_per_layer_input").unwrap_or(0);
        let image = media_ids(&config, "image", "boi", "eoi");
        Ok(Self {
            model_type: config.text("model_type").unwrap_or_default(),
            size: size_name(&text),
            hidden_size: text.required("hidden_size")?,
            vocab_size: text.required("vocab_size")?,
            layers: text.required("num_hidden_layers")?,
            context_tokens: text.number("max_position_embeddings").unwrap_or(131_072),
            sliding_window: text.number("sliding_window").unwrap_or(512),
            // Only E2B and E4B have per-layer embeddings, and only they use the small template.
            prompt_style: if per_layer_width > 0 {
                PromptStyle::Small
            } else {
                PromptStyle::Large
            },
            eos_ids: eos_ids(&config, &text, &generation),
            suppressed_ids: generation.ids("suppress_tokens"),
            sampling: sampling(&generation),
            image_budget: image_budget(&processor),
            pad_id: text
                .id("pad_token_id")
                .or(config.id("pad_token_id"))
                .unwrap_or(0),
            image,
            audio: media_ids(&config, "audio", "boa", "eoa"),
            video: video_ids(&config, image),
            kv_numbers_per_token: kv_numbers_per_token(&text),
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

/// Keys and values of the layers that own them: those before the last `num_kv_shared_layers`. Only an
/// estimate for reports; what runs is read from the decoder graph.
fn kv_numbers_per_token(text: &Json) -> Option<usize> {
    let shared = text.number("num_kv_shared_layers").unwrap_or(0);
    let types = text.0.get("layer_types")?.as_array()?;
    let heads = text.number("num_key_value_heads")?;
    let width = text.number("head_dim")?;
    let of_layer = |kind: &Value| match kind.as_str() {
        Some("full_attention") => {
            text.number("num_global_key_value_heads").unwrap_or(heads)
                * text.number("global_head_dim").unwrap_or(width)
        }
        _ => heads * width,
    };
    let own = types.len().checked_sub(shared)?;
    Some(types[..own].iter().map(|kind| 2 * of_layer(kind)).sum())
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

fn image_budget(processor: &Json) -> u32 {
    let image = processor.child("image_processor");
    let budget = image.id("max_soft_tokens").or(image.id("image_seq_length"));
    // transformers 5.23, `image_processing_gemma4.py`: the default of `max_soft_tokens`.
    budget.or(processor.id("image_seq_length")).unwrap_or(280)
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

/// A JSON object that answers with `None` for what is not there.
struct Json(Value);

impl Json {
    fn read(files: &Files, name: &str) -> Result<Self> {
        Self::parse(name, &files.read(name)?)
    }

    fn read_optional(files: &Files, name: &str) -> Result<Self> {
        files
            .find(name)?
            .map_or(Ok(Self(Value::Null)), |bytes| Self::parse(name, &bytes))
    }

    fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            Error::bundle(name, format!("expected JSON, found none: {error}")).with_source(error)
        })
    }

    fn child(&self, key: &str) -> Self {
        Self(self.0.get(key).cloned().unwrap_or(Value::Null))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.0
            .get(key)?
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
    }

    fn required(&self, key: &str) -> Result<usize> {
        self.number(key).ok_or_else(|| {
            Error::bundle(
                "config.json",
                format!("expected a number text_config.{key}, found none"),
            )
        })
    }

    fn float(&self, key: &str) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a setting, not a count")]
        self.0.get(key)?.as_f64().map(|number| number as f32)
    }

    fn id(&self, key: &str) -> Option<u32> {
        self.number(key).and_then(|id| u32::try_from(id).ok())
    }

    /// One id or a list of them.
    fn ids(&self, key: &str) -> Vec<u32> {
        let as_id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        match self.0.get(key) {
            Some(Value::Array(ids)) => ids.iter().filter_map(as_id).collect(),
            Some(one) => as_id(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
}
