//! What a caller asks of one generation.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tool::{Approval, ToolSpec};
use crate::error::{Error, Result};

/// Whether the model thinks before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// It answers at once.
    #[default]
    Off,
    /// It thinks first.
    On,
    /// It thinks first, with at most this many tokens in the whole chat; then the answer begins.
    Budget(usize),
}

/// Whether the model calls tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// It calls none, though it is told of them.
    None,
    /// Its first turn is one call or more.
    Required,
    /// Its first turn is one call or more of this tool.
    Named(String),
}

/// What an answer has to be. Thoughts and calls come as ever.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any text.
    #[default]
    Text,
    /// A JSON text that fits this JSON Schema. One that only an endless text fits is refused.
    JsonSchema(Value),
    /// A text that this regular expression matches as a whole.
    Regex(String),
    /// One of these texts.
    Choice(Vec<String>),
}

/// How a prompt ends, which differs by model size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PromptStyle {
    /// E2B and E4B.
    #[default]
    Small,
    /// 12B, 26B-A4B and 31B.
    Large,
}

impl PromptStyle {
    /// `small` or `large`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// How the next token is chosen. The defaults are Gemma 4's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f32,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the likeliest tokens that together have this probability; 1 keeps all.
    pub top_p: f32,
    /// Drops tokens less likely than this share of the likeliest; 0 drops none.
    pub min_p: f32,
    /// Divides the positive logits, and multiplies the negative ones, of tokens that the prompt or the answer
    /// holds; 1 changes nothing, more makes repetition rarer.
    pub repetition_penalty: f32,
    /// Taken from the logit of each token that the answer holds; 0 changes nothing.
    pub presence_penalty: f32,
    /// Taken from a token's logit once for each time that the answer holds it; 0 changes nothing.
    pub frequency_penalty: f32,
    /// The same seed, prompt and settings give the same tokens on the same device. `None`: a fresh one.
    pub seed: Option<u64>,
}

impl Sampling {
    /// Always the likeliest token.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }
}

impl Sampling {
    /// Refuses numbers that choose nothing.
    pub(crate) fn check(&self) -> Result<()> {
        let within = |name: &str, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let detail = format!("expected {name} from {low} to {high}, found {value}");
            Err(Error::invalid("sampling", detail))
        };
        within("temperature", self.temperature, 0.0, TEMPERATURE_MAX)?;
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        let (low, high) = REPETITION_PENALTY_RANGE;
        within("repetition_penalty", self.repetition_penalty, low, high)?;
        let [presence, frequency] = [self.presence_penalty, self.frequency_penalty];
        within("presence_penalty", presence, -PENALTY_MAX, PENALTY_MAX)?;
        within("frequency_penalty", frequency, -PENALTY_MAX, PENALTY_MAX)
    }
}

/// Far over what any use has; beyond it logits lose their order.
const TEMPERATURE_MAX: f32 = 1e3;
/// Far over what any use has; 0 would divide by nothing.
const REPETITION_PENALTY_RANGE: (f32, f32) = (0.01, 100.0);
/// Gemma's logits reach from -30 to 30.
const PENALTY_MAX: f32 = 100.0;

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 64,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: None,
        }
    }
}

/// What a caller may set for one chat.
#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    /// `None`: the bundle's own, from its `generation_config.json`.
    pub sampling: Option<Sampling>,
    /// Whether the model thinks first.
    pub thinking: Thinking,
    /// Keep the thoughts of earlier turns that called tools in the prompt.
    pub preserve_thinking: bool,
    /// Tools that the caller runs itself: a call to one ends the chat with
    /// [`FinishReason::ToolCall`](crate::FinishReason::ToolCall).
    pub tools: Vec<ToolSpec>,
    /// Tokens this chat may generate, tool rounds included. `None`: what the limits and the context allow.
    pub max_tokens: Option<usize>,
    /// Token ids to choose in place of sampling, one list for each turn of the model: a recorded chat
    /// runs again, through the same graphs, parser and tools. Where a list ends, sampling goes on.
    pub replay: Vec<Vec<u32>>,
    /// Texts that end the answer when they appear in it; they are not part of it.
    pub stop: Vec<String>,
    /// Whether the model calls tools.
    pub tool_choice: ToolChoice,
    /// The arguments of every call fit their tool's schema.
    pub strict: bool,
    /// What the answer has to be.
    pub response_format: ResponseFormat,
    /// Asked before a tool runs that needs approval. Without one, no such tool runs, and the model is told so.
    pub approval: Option<Approval>,
    /// Added to the logits of these token ids, before anything else: -100 or less bans an id in effect,
    /// `f32::NEG_INFINITY` does.
    pub logit_bias: Vec<(u32, f32)>,
    /// Report each token's log-probability, and those of this many of the likeliest, as
    /// [`Event::Logprob`](crate::Event::Logprob); at most 20.
    pub logprobs: Option<usize>,
}

/// More alternatives than anyone shows.
const LOGPROBS_MAX: usize = 20;

/// Refuses a bias that is no number or for no token of the vocabulary, and too many alternatives.
pub(crate) fn check_choices(
    logit_bias: &[(u32, f32)],
    logprobs: Option<usize>,
    vocab_size: usize,
) -> Result<()> {
    for (id, bias) in logit_bias {
        if *id as usize >= vocab_size || bias.is_nan() || *bias == f32::INFINITY {
            let detail = format!(
                "expected ids below {vocab_size}, each with a number below infinity, found {id} with {bias}"
            );
            return Err(Error::invalid("logit_bias", detail));
        }
    }
    match logprobs {
        Some(count) if count > LOGPROBS_MAX => {
            let detail = format!("expected at most {LOGPROBS_MAX} alternatives, found {count}");
            Err(Error::invalid("logprobs", detail))
        }
        Some(_) | None => Ok(()),
    }
}
