//! Messages to prompt pieces, by the template that came with the request.

use std::sync::Arc;

use gemma4::{Continuation, Gemma4, settled};
use lapidary_guest::{ChatFormat, Error, MediaRef, Message, Piece, RenderRequest, Rendered};
use serde_json::Value;

use crate::output::{self, Bounded, Stretch, stretches};
use crate::settings::Settings;
use crate::stand_in::StandIns;
use crate::{context, environment, fault, media, source, values};

/// Bytes of one prompt. The host allows conversations of half as many, and templates add little.
const OUTPUT_BYTES_MAX: usize = 32 << 20;

/// The names under which transformers hands templates the tokenizer's own tokens.
const NAMED: [(&str, &str); 8] = [
    ("bos_token", "<bos>"),
    ("eos_token", "<eos>"),
    ("pad_token", "<pad>"),
    ("unk_token", "<unk>"),
    ("mask_token", "<mask>"),
    ("image_token", "<|image|>"),
    ("audio_token", "<|audio|>"),
    ("video_token", "<|video|>"),
];

/// Renders one prompt.
///
/// # Errors
/// What the template refuses or cannot do, with a code of the README.
pub fn render(request: &RenderRequest) -> Result<Rendered, Error> {
    let settings = Settings::read(request.extra.as_deref())?;
    let continuation = Continuation::of(request)?;
    let given = continuation.as_ref().map(|it| it.messages.as_slice());
    let settled = settled(given.unwrap_or(&request.messages), request);
    let pieces = pieces(&settings, request, &settled.messages);
    let mut pieces = pieces.map_err(|error| settled.placed(error))?;
    if let Some(continuation) = &continuation {
        continuation.cut(&mut pieces)?;
    }
    let open_turn = output::open_turn(&mut pieces);
    Ok(Rendered { pieces, open_turn })
}

fn pieces(
    settings: &Settings,
    request: &RenderRequest,
    messages: &[Message],
) -> Result<Vec<Piece>, Error> {
    let written = run(settings, request, messages)?;
    let shown = shown(settings, request, messages, &written)?;
    let mut places = media::Places::new(shown);
    let piece = |stretch| match stretch {
        Stretch::Control(text) => Ok(Piece::Control(text)),
        Stretch::Text(text) => Ok(Piece::Data(text)),
        Stretch::Media(kind) => places.next(kind).map(Piece::Media),
    };
    written.into_iter().map(piece).collect()
}

/// The media that have a place. Where some have none, an item has one if there is one less without it.
fn shown(
    settings: &Settings,
    request: &RenderRequest,
    messages: &[Message],
    written: &[Stretch],
) -> Result<Vec<MediaRef>, Error> {
    let all = media::of(messages);
    if media::all_shown(&all, written) {
        return Ok(all);
    }
    let mut shown = Vec::new();
    for item in all {
        let without = run(settings, request, &media::without(messages, item.index))?;
        if media::count(&without, item.kind) < media::count(written, item.kind) {
            shown.push(item);
        }
    }
    Ok(shown)
}

fn run(
    settings: &Settings,
    request: &RenderRequest,
    messages: &[Message],
) -> Result<Vec<Stretch>, Error> {
    let context = context::of(messages, request)?;
    let texts = [settings.template.as_str(), &context.to_string()];
    let spellings = Gemma4::describe().control_tokens;
    let stand_ins = Arc::new(StandIns::choose(spellings, &texts)?);
    let template = source::prepared(&settings.template, &stand_ins);
    let output = run_prepared(&template, context, &stand_ins, settings.now)?;
    Ok(stretches(&output, &stand_ins))
}

fn run_prepared(
    template: &str,
    mut context: Value,
    stand_ins: &Arc<StandIns>,
    now: Option<i64>,
) -> Result<String, Error> {
    for (name, token) in NAMED {
        if let Some(stand_in) = stand_ins.of(token) {
            context[name] = Value::String(stand_in.to_string());
        }
    }
    let engine = environment::environment(stand_ins, now);
    let mut out = Bounded::new(OUTPUT_BYTES_MAX);
    engine
        .template_from_named_str("chat_template", template)
        .and_then(|template| {
            template
                .render_captured_to(values::of_json(&context), &mut out)
                .map(drop)
        })
        .map_err(|error| fault::of_template(&error))?;
    Ok(out.text())
}
