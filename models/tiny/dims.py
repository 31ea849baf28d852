"""The tiny model's numbers: E2B in every part, four orders of magnitude smaller."""

from __future__ import annotations

from transformers import Gemma4AudioConfig, Gemma4Config, Gemma4TextConfig, Gemma4VisionConfig

VOCAB = 2048
MEDIA_IDS = {
    "<|image>": 2041, "<|audio>": 2042, "<|image|>": 2043, "<|audio|>": 2044,
    "<image|>": 2045, "<audio|>": 2046, "<|video|>": 2047,
}
LAYERS = ["sliding_attention", "sliding_attention", "full_attention"] * 2
IMAGE_SOFT_TOKENS = 70


def text_config() -> Gemma4TextConfig:
    """Three layers with their own cache, three that share it and have a double-wide MLP."""
    return Gemma4TextConfig(
        vocab_size=VOCAB, vocab_size_per_layer_input=VOCAB, hidden_size=128, intermediate_size=256,
        num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=1, head_dim=32, global_head_dim=64,
        layer_types=LAYERS, num_kv_shared_layers=3, use_double_wide_mlp=True, hidden_size_per_layer_input=32,
        sliding_window=128, max_position_embeddings=8192, final_logit_softcapping=30.0, tie_word_embeddings=True,
        pad_token_id=0, eos_token_id=1, bos_token_id=2,
    )


def vision_config() -> Gemma4VisionConfig:
    """A small SigLIP-like tower; 1024 rows of positions allow any picture at 280 soft tokens and all but extreme
    strips (about 100 to 1) at 1120."""
    return Gemma4VisionConfig(
        hidden_size=96, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
        head_dim=24, position_embedding_size=1024, use_clipped_linears=True, standardize=False,
    )


def audio_config() -> Gemma4AudioConfig:
    """A small conformer. The first convolution must keep 128 channels: the projection's width is computed from it."""
    return Gemma4AudioConfig(
        hidden_size=96, num_hidden_layers=3, num_attention_heads=4, subsampling_conv_channels=[128, 8],
        output_proj_dims=96, use_clipped_linears=True,
    )


def config() -> Gemma4Config:
    """The whole model."""
    ids = MEDIA_IDS
    return Gemma4Config(
        text_config=text_config(), vision_config=vision_config(), audio_config=audio_config(),
        boi_token_id=ids["<|image>"], eoi_token_id=ids["<image|>"], image_token_id=ids["<|image|>"],
        boa_token_id=ids["<|audio>"], eoa_token_index=ids["<audio|>"], audio_token_id=ids["<|audio|>"],
        video_token_id=ids["<|video|>"], tie_word_embeddings=True,
    )
