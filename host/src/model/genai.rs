//! What an onnxruntime-genai bundle says, in the words of the other layout (onnxruntime-genai 0.18, `config.cpp`).

use serde_json::{Value, json};

use super::files::Files;
use super::json::Json;
use crate::error::Result;

/// `genai_config.json` as the `config.json` that such a bundle lacks.
pub(super) fn as_config(genai: &Json, files: &Files) -> Result<Json> {
    let model = genai.child("model");
    let decoder = model.child("decoder");
    let text = json!({
        "hidden_size": decoder.0.get("hidden_size"),
        "vocab_size": model.0.get("vocab_size"),
        "num_hidden_layers": decoder.0.get("num_hidden_layers"),
        "max_position_embeddings": model.0.get("context_length"),
        "sliding_window": decoder.0.pointer("/sliding_window/window_size"),
        "pad_token_id": model.0.get("pad_token_id"),
    });
    let mut config = media_tokens(files)?;
    config.extend([
        ("model_type".to_owned(), json!(model.text("type"))),
        ("text_config".to_owned(), text),
    ]);
    let own = model.0.as_object().into_iter().flatten();
    config.extend(
        own.filter(|(key, _)| key.ends_with("token_id"))
            .map(|(key, id)| (key.clone(), id.clone())),
    );
    Ok(Json(Value::Object(config)))
}

/// The attributes of the picture's transform in `image_processor.json`.
pub(super) fn image_processor(files: &Files) -> Result<Json> {
    let processor = Json::read_optional(files, "image_processor.json")?;
    let transforms = processor.0.pointer("/processor/transforms");
    let mut attributes = transforms
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|transform| transform.pointer("/operation/attrs"));
    let found = attributes.find(|attributes| attributes.get("max_soft_tokens").is_some());
    Ok(Json(found.cloned().unwrap_or(Value::Null)))
}

/// The ids of the tokens that `tokenizer_config.json` names as image, audio, their begin and end.
fn media_tokens(files: &Files) -> Result<serde_json::Map<String, Value>> {
    let names = Json::read_optional(files, "tokenizer_config.json")?;
    let tokenizer = Json::read_optional(files, "tokenizer.json")?;
    let added = tokenizer.0.get("added_tokens").and_then(Value::as_array);
    let id_of = |spelling: &str| {
        let mut tokens = added.into_iter().flatten();
        let token = tokens.find(|token| token.get("content") == Some(&json!(spelling)))?;
        token.get("id").cloned()
    };
    let kinds = ["image", "boi", "eoi", "audio", "boa", "eoa", "video"];
    let ids = kinds.into_iter().filter_map(|kind| {
        let spelling = names.text(&format!("{kind}_token"))?;
        Some((format!("{kind}_token_id"), id_of(&spelling)?))
    });
    Ok(ids.collect())
}
