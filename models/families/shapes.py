"""Small random checkpoints of every published shape, in transformers' own layout.

Each keeps what sets its family apart (which layers share keys and values, how many heads full layers have, where the
values come from, experts, image blocks) and shrinks the rest. q_norm and k_norm are scaled down to head_dim^-1/4,
because the attention scale is 1: with ones, scores of a random model have a spread of sqrt(head_dim), the softmax is
chaotic, and any change in the order of summation changes the answer. Small embeddings and small attention outputs
keep the greedy answer from repeating one token, which would prove little.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tiny")]

import torch  # noqa: E402
from transformers import Gemma4Config, Gemma4ForConditionalGeneration  # noqa: E402

import dims  # noqa: E402

WINDOW = 48
# Narrow enough to cut some values off.
CLIP = 1.5
STARTS_AT_ONE = (".norm.weight", "_projection_norm.weight", "router.scale", "per_expert_scale", "layer_scalar", "std_scale")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "processor_config.json", "generation_config.json",
                   "preprocessor_config.json")


def pattern(sliding: int, times: int) -> list[str]:
    """`sliding` sliding layers and a full one, `times` times."""
    return (["sliding_attention"] * sliding + ["full_attention"]) * times


def large(**own) -> dict:
    """What 26B and 31B have in common."""
    return dict(
        layer_types=pattern(5, 2), num_attention_heads=8, num_key_value_heads=4, num_global_key_value_heads=2,
        attention_k_eq_v=True, hidden_size_per_layer_input=0, intermediate_size=192, max_position_embeddings=262144, **own,
    )


# Only what differs from `text_config` below.
FAMILIES = {
    "e2b": dict(layer_types=pattern(4, 2), num_kv_shared_layers=5, use_double_wide_mlp=True, num_key_value_heads=1,
                intermediate_size=128, hidden_size_per_layer_input=32, max_position_embeddings=131072),
    "e4b": dict(layer_types=pattern(5, 2), num_kv_shared_layers=6, num_key_value_heads=2, intermediate_size=192,
                hidden_size_per_layer_input=32, max_position_embeddings=8192),
    "moe": large(enable_moe_block=True, num_experts=16, top_k_experts=4, moe_intermediate_size=64,
                 use_bidirectional_attention="vision"),
    "dense": large(),
    "dense-bidirectional": large(use_bidirectional_attention="vision"),
}
HEARS = ("e2b", "e4b")


def text_config(own: dict) -> dict:
    """Numbers of the text decoder; all widths are multiples of the smallest quantisation block."""
    return dict(
        vocab_size=dims.VOCAB, vocab_size_per_layer_input=dims.VOCAB, hidden_size=96, num_attention_heads=4,
        num_hidden_layers=len(own["layer_types"]), head_dim=32, global_head_dim=64, sliding_window=WINDOW,
        final_logit_softcapping=30.0, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, bos_token_id=2,
    ) | own


def config(family: str) -> Gemma4Config:
    """The whole model's configuration. Large models standardise the vision tower and have no audio tower."""
    base, hears = dims.config().to_dict(), family in HEARS
    vision = base["vision_config"] | {"standardize": not hears, "use_clipped_linears": hears, "num_hidden_layers": 2}
    audio = base["audio_config"] | {"num_hidden_layers": 2} if hears else None
    kept = {key: value for key, value in base.items() if key.endswith(("_token_id", "_token_index"))}
    return Gemma4Config(text_config=text_config(FAMILIES[family]), vision_config=vision, audio_config=audio, **kept)


def model(family: str, seed: int = 7) -> Gemma4ForConditionalGeneration:
    """Seeded weights. Buffers and scales that start at one or zero are moved off, so that forgetting one shows."""
    torch.manual_seed(seed)
    made = Gemma4ForConditionalGeneration._from_config(config(family), attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, value in [*made.named_parameters(), *made.named_buffers()]:
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                value.fill_(value.numel() ** -0.25).mul_(1 + 0.1 * torch.rand_like(value))
            elif name.endswith(("_min", "_max")):
                value.fill_(CLIP if name.endswith("_max") else -CLIP)
            elif name.endswith("per_dim_scale"):
                value.normal_(0, 0.3)
            elif name.endswith(STARTS_AT_ONE):
                value.fill_(1.0).add_(0.1 * torch.randn_like(value))
            elif name.endswith("post_attention_layernorm.weight"):
                value.fill_(0.3).add_(0.03 * torch.randn_like(value))
            elif name.endswith(("layernorm.weight", "layernorm_1.weight", "layernorm_2.weight", "std_bias")):
                value.add_(0.1 * torch.randn_like(value))
            elif name.endswith("position_embedding_table"):
                value.normal_(0, 0.2)
            elif name.endswith(("embed_tokens.weight", "embed_tokens_per_layer.weight")):
                value.mul_(2)
            elif value.dim() >= 2 and "language_model" in name:
                value.mul_(4)
    return made


def write(family: str, folder: Path, shard_bytes: str = "400KB") -> Gemma4ForConditionalGeneration:
    """Saves the checkpoint, sharded, with the tiny model's tokenizer; returns the model."""
    made = model(family)
    folder.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(folder, max_shard_size=shard_bytes)
    for name in TOKENIZER_FILES:
        shutil.copy(HERE.parent / "tiny" / "bundle" / name, folder / name)
    return made
