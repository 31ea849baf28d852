//! Lapidary's embedded model: a tiny Gemma 4 of the E2B shape, as bytes.
//!
//! The files are those of `models/tiny/bundle`, in the layout that published bundles have. `models/README.md` says how
//! they were made and what the model can do.
//!
//! ```
//! let (name, bytes) = lapidary_tiny::files()[0];
//! assert_eq!(name, "config.json");
//! assert!(bytes.starts_with(b"{"));
//! ```

/// One entry of [`FILES`], from its name inside the bundle.
macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../tiny/bundle/", $name)) as &[u8],
        )
    };
}

/// Every file of the bundle.
static FILES: &[(&str, &[u8])] = &[
    file!("config.json"),
    file!("generation_config.json"),
    file!("processor_config.json"),
    file!("preprocessor_config.json"),
    file!("tokenizer.json"),
    file!("tokenizer_config.json"),
    file!("onnx/embed_tokens.onnx"),
    file!("onnx/embed_tokens.onnx_data"),
    file!("onnx/decoder_model_merged.onnx"),
    file!("onnx/decoder_model_merged.onnx_data"),
    file!("onnx/vision_encoder.onnx"),
    file!("onnx/vision_encoder.onnx_data"),
    file!("onnx/audio_encoder.onnx"),
    file!("onnx/audio_encoder.onnx_data"),
];

/// Names relative to the bundle's folder, with `/` between parts, and the bytes of each file.
pub fn files() -> &'static [(&'static str, &'static [u8])] {
    FILES
}

/// What PyTorch gave for this model: `reference.json` with ids, and a safetensors file with logits.
pub fn reference() -> (&'static [u8], &'static [u8]) {
    (
        include_bytes!("../tiny/reference/reference.json"),
        include_bytes!("../tiny/reference/reference.safetensors"),
    )
}

/// A picture, a recording and a video to show: names and bytes.
///
/// ```
/// let names: Vec<_> = lapidary_tiny::demo().iter().map(|(name, _)| *name).collect();
/// assert_eq!(names, ["circle.png", "digits.flac", "square.gif"]);
/// ```
pub fn demo() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("circle.png", include_bytes!("../tiny/demo/circle.png")),
        ("digits.flac", include_bytes!("../tiny/demo/digits.flac")),
        ("square.gif", include_bytes!("../tiny/demo/square.gif")),
    ]
}

/// The bytes of one file, or `None` when the bundle has no such file.
///
/// ```
/// assert!(lapidary_tiny::file("onnx/embed_tokens.onnx").is_some());
/// assert!(lapidary_tiny::file("chat_template.jinja").is_none());
/// ```
pub fn file(name: &str) -> Option<&'static [u8]> {
    FILES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, bytes)| *bytes)
}
