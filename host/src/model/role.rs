//! The graphs that a bundle is made of.

use std::fmt;

/// What a graph does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GraphRole {
    /// Token ids to embeddings.
    Embed,
    /// Embeddings and cached keys and values to logits.
    Decoder,
    /// Image patches to soft tokens.
    Vision,
    /// Log-mel frames to soft tokens.
    Audio,
}

impl GraphRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Embed, Self::Decoder, Self::Vision, Self::Audio];

    /// The file's name without suffix, as onnx-community bundles have it.
    pub fn file_stem(self) -> &'static str {
        match self {
            Self::Embed => "embed_tokens",
            Self::Decoder => "decoder_model_merged",
            Self::Vision => "vision_encoder",
            Self::Audio => "audio_encoder",
        }
    }

    /// A text model runs without it.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::Vision | Self::Audio)
    }
}

impl fmt::Display for GraphRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embed => "embed",
            Self::Decoder => "decoder",
            Self::Vision => "vision",
            Self::Audio => "audio",
        })
    }
}
