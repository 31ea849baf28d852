"""Untrained weights: seeded, and calm enough for attention to be learnable."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import Gemma4ForConditionalGeneration

import dims


def fresh_model(seed: int) -> Gemma4ForConditionalGeneration:
    """A new model. q_norm and k_norm start at head_dim^-1/4, because the attention scale is 1: with ones, scores have
    a spread of sqrt(head_dim) and the softmax is chaotic."""
    torch.manual_seed(seed)
    model = Gemma4ForConditionalGeneration._from_config(dims.config(), attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_norm.weight", "k_norm.weight")):
                parameter.fill_(parameter.numel() ** -0.25)
            elif name.endswith("position_embedding_table"):
                parameter.copy_(smooth_positions(*parameter.shape[1:]))
    return model


def read_state(*paths: Path) -> dict[str, torch.Tensor]:
    """Weights of the first file, and of each further one what it has (a tower, say). A file is a training checkpoint
    (`.pt`) or the committed weights (`.safetensors`, float16); float32 comes out."""
    state: dict[str, torch.Tensor] = {}
    for path in paths:
        loaded = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu")["model"]
        state |= {name: tensor.float() for name, tensor in loaded.items()}
    return state | {"lm_head.weight": state["model.language_model.embed_tokens.weight"]}


def write_state(path: Path, state: dict[str, torch.Tensor]) -> None:
    """The weights that a bundle was made of, without the tied copy; float16 where the bundle has float16."""
    kept = {name: tensor for name, tensor in state.items() if name != "lm_head.weight"}
    halved = {name: tensor.half() if tensor.numel() >= 512 else tensor for name, tensor in kept.items()}
    save_file({name: tensor.contiguous() for name, tensor in halved.items()}, path)


def smooth_positions(count: int, width: int) -> torch.Tensor:
    """`[2, count, width]`: sinusoids of position, x in one half of the channels and y in the other, so that positions
    never trained on still lie between those that were."""
    half = width // 2
    rate = 1000.0 ** -(torch.arange(half // 2) / (half // 2))
    angle = torch.arange(count)[:, None] * rate[None, :]
    wave = torch.cat([angle.sin(), angle.cos()], dim=-1) * 0.2
    table = torch.zeros(2, count, width)
    table[0, :, :half], table[1, :, half:] = wave, wave
    return table
