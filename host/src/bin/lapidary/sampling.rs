//! The flags that say how the next token is chosen.

use clap::Args as ClapArgs;
use lapidary::Sampling;

/// How the next token is chosen. What is not given comes from the bundle.
#[derive(ClapArgs, Clone, Debug)]
pub struct SamplingArgs {
    /// Always take the likeliest token.
    #[arg(long, conflicts_with_all = ["temperature", "top_p", "top_k", "min_p"])]
    pub greedy: bool,
    /// Divides the logits; 0 is greedy.
    #[arg(long, allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Keep the likeliest tokens that together have this probability.
    #[arg(long)]
    pub top_p: Option<f32>,
    /// Keep this many of the likeliest tokens.
    #[arg(long)]
    pub top_k: Option<usize>,
    /// Drop tokens less likely than this share of the likeliest.
    #[arg(long)]
    pub min_p: Option<f32>,
    /// Divides the logits of tokens that prompt or answer hold; more than 1 makes repetition rarer.
    #[arg(long, value_name = "FACTOR")]
    pub repetition_penalty: Option<f32>,
    /// Taken from the logit of each token that the answer holds.
    #[arg(long, value_name = "LOGIT", allow_negative_numbers = true)]
    pub presence_penalty: Option<f32>,
    /// Taken from a token's logit once for each time that the answer holds it.
    #[arg(long, value_name = "LOGIT", allow_negative_numbers = true)]
    pub frequency_penalty: Option<f32>,
    /// The same seed gives the same answer.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl SamplingArgs {
    /// The bundle's own sampling with what was given on top.
    pub fn over(&self, own: Sampling) -> Sampling {
        let own = if self.greedy { Sampling::greedy() } else { own };
        Sampling {
            temperature: self.temperature.unwrap_or(own.temperature),
            top_p: self.top_p.unwrap_or(own.top_p),
            top_k: self.top_k.unwrap_or(own.top_k),
            min_p: self.min_p.unwrap_or(own.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(own.repetition_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(own.presence_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(own.frequency_penalty),
            seed: self.seed.or(own.seed),
        }
    }
}

/// What is done to logits before anything is chosen, and what is told of them.
#[derive(ClapArgs, Clone, Debug)]
pub struct LogitArgs {
    /// Add to the logit of a token id. May be given several times.
    #[arg(long, value_name = "ID=LOGIT", value_parser = logit_bias)]
    pub logit_bias: Vec<(u32, f32)>,
    /// With --json, report each token's log-probability, and those of so many of the likeliest.
    #[arg(long, value_name = "COUNT", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub logprobs: Option<usize>,
}

fn logit_bias(text: &str) -> Result<(u32, f32), String> {
    let expected = || format!("expected ID=LOGIT, such as 106=-5, found {text:?}");
    let (id, bias) = text.split_once('=').ok_or_else(expected)?;
    Ok((
        id.trim().parse().map_err(|_| expected())?,
        bias.trim().parse().map_err(|_| expected())?,
    ))
}
