//! `lapidary generate`: the engine with no chat format around it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{
    Cancel, ChatOptions, Conversation, GenerateRequest, Generated, Media, Runtime, Sampling,
    Segment, Tensor,
};
use safetensors::Dtype;
use serde_json::json;

use crate::chat::exit_code;
use crate::features::{View, write};
use crate::message::image;
use crate::model::{ModelArgs, ResizerName, read};
use crate::processors::ProcessorArgs;
use crate::screen;

/// Generate from ids or raw text, with no chat format around it.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary generate --prompt \"<bos>Once\" --max-tokens 8 --greedy --json"
)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    processors: ProcessorArgs,
    /// A picture for the next placeholders. May be given several times.
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// A recording for the next placeholders. May be given several times.
    #[arg(long, value_name = "FILE")]
    audio: Vec<PathBuf>,
    /// A video for the next placeholders, a frame a second. May be given several times.
    #[arg(long, value_name = "FILE")]
    video: Vec<PathBuf>,
    /// The most tokens to generate.
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<usize>,
    /// Always take the likeliest token.
    #[arg(long)]
    greedy: bool,
    /// The same seed gives the same tokens.
    #[arg(long)]
    seed: Option<u64>,
    /// Go on past the end of a turn.
    #[arg(long)]
    ignore_eos: bool,
    /// Write logits_prefill [n, vocab] and logits_decode [steps, vocab] as f32.
    #[arg(long, value_name = "FILE.safetensors")]
    logits: Option<PathBuf>,
    /// Print one JSON object in place of the text.
    #[arg(long)]
    json: bool,
}

/// One of the three.
#[derive(ClapArgs)]
#[group(required = true, multiple = false)]
struct PromptArgs {
    /// Final ids, placeholders expanded: 2,105,…
    #[arg(long, value_delimiter = ',')]
    ids: Option<Vec<u32>>,
    /// Raw text, control tokens spelled out; `<bos>` is put before it unless it begins with it.
    #[arg(long)]
    prompt: Option<String>,
    /// A file with a JSON list of messages, rendered by the built-in format.
    #[arg(long, value_name = "FILE")]
    messages: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let resizer = args.model.resizer.or(Some(ResizerName::Pillow));
    let mut media = media(&args)?;
    let model = ModelArgs {
        resizer,
        ..args.model
    };
    let runtime = args.processors.add_to(model.builder()?)?.build()?;
    let ids = match &args.prompt {
        PromptArgs { ids: Some(ids), .. } => ids.clone(),
        PromptArgs {
            prompt: Some(text), ..
        } => raw_ids(&runtime, text)?,
        PromptArgs { messages, .. } => message_ids(&runtime, messages.as_deref(), &mut media)?,
    };
    let own = runtime.config().sampling;
    let sampling = if args.greedy {
        Sampling::greedy()
    } else {
        Sampling {
            seed: args.seed,
            ..own
        }
    };
    let cancel = Cancel::new();
    let stop = cancel.clone();
    // What there is by then is printed.
    screen::on_interrupt(move || stop.cancel());
    let generated = runtime.generate(GenerateRequest {
        ids,
        media,
        sampling: Some(sampling),
        max_tokens: args.max_tokens,
        ignore_eos: args.ignore_eos,
        logits: args.logits.is_some(),
        cancel,
        ..GenerateRequest::default()
    })?;
    if let Some(path) = &args.logits {
        write_logits(path, &generated)?;
    }
    let text = match args.json {
        true => json!({"ids": generated.ids, "text": generated.text, "usage": generated.usage})
            .to_string(),
        false => generated.text.clone(),
    };
    screen::result(&format!("{text}\n"))?;
    Ok(exit_code(generated.reason))
}

fn media(args: &Args) -> anyhow::Result<Vec<Media>> {
    let images = args.image.iter().map(|path| image(path, None));
    let recordings = args.audio.iter().map(|path| Ok(Media::audio(read(path)?)));
    let videos = args.video.iter().map(|path| Ok(Media::video(read(path)?)));
    images.chain(recordings).chain(videos).collect()
}

fn raw_ids(runtime: &Runtime, text: &str) -> anyhow::Result<Vec<u32>> {
    let bos = if text.starts_with("<bos>") {
        ""
    } else {
        "<bos>"
    };
    Ok(runtime
        .tokenizer()
        .encode(&[Segment::Control(bos), Segment::Control(text)])?)
}

/// The ids of a conversation; its own media come before those of the flags.
fn message_ids(
    runtime: &Runtime,
    file: Option<&Path>,
    media: &mut Vec<Media>,
) -> anyhow::Result<Vec<u32>> {
    let bytes = read(file.unwrap_or(Path::new("")))?;
    let messages = serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("expected a JSON list of messages: {error}");
        lapidary::Error::new(lapidary::ErrorKind::Invalid, "--messages", detail)
    })?;
    let conversation = fill(Conversation::from_json(&messages)?, media);
    *media = conversation.media().cloned().collect();
    Ok(runtime
        .render(&conversation, &ChatOptions::default())?
        .prompt
        .ids)
}

/// Puts the flags' media into the conversation's empty places of their kind, in order.
fn fill(mut conversation: Conversation, media: &[Media]) -> Conversation {
    let mut left: HashMap<_, std::vec::IntoIter<&Media>> = HashMap::new();
    for kind in [
        lapidary::MediaKind::Image,
        lapidary::MediaKind::Audio,
        lapidary::MediaKind::Video,
    ] {
        let of_kind: Vec<&Media> = media.iter().filter(|media| media.kind == kind).collect();
        left.insert(kind, of_kind.into_iter());
    }
    for place in conversation
        .media_mut()
        .filter(|media| media.bytes.is_empty())
    {
        if let Some(media) = left.get_mut(&place.kind).and_then(Iterator::next) {
            *place = media.clone();
        }
    }
    conversation
}

fn write_logits(path: &Path, generated: &Generated) -> anyhow::Result<()> {
    let named = [
        ("logits_prefill", &generated.logits_prefill),
        ("logits_decode", &generated.logits_decode),
    ];
    let views = named
        .into_iter()
        .filter_map(|(name, tensor)| Some((name, tensor.as_ref()?)));
    let views: Vec<(&str, View)> = views
        .map(|(name, tensor)| (name, f32_view(tensor)))
        .collect();
    write(path, views)
}

fn f32_view(tensor: &Tensor<f32>) -> View {
    View::new(Dtype::F32, tensor, |value| value.to_le_bytes().to_vec())
}
