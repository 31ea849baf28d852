"""PyTorch with the very weights that a 4-bit bundle holds, so that the bundle's arithmetic can be checked exactly."""

from __future__ import annotations

import copy
import re

import torch

from export.quantize import dequantize, quantize

# Everything that the exporter multiplies by, or looks up in. Norms, convolutions, the router and position tables stay.
LINEAR = re.compile(
    r"(embed_tokens|embed_tokens_per_layer|lm_head|per_layer_input_gate|per_layer_projection|_proj|_proj\.linear|"
    r"embedding_projection|ffw_layer_\d\.linear|linear_(start|end)\.linear|post\.linear|input_proj_linear)"
    r"(\.weight)?$"
)
KEPT = re.compile(r"router\.|relative_k_proj|position_embedding_table|depthwise")


def rounded(model, block: int):
    """A copy of the model with every such weight rounded to 4 bits (`per_layer_model_projection`: 8) and back."""
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for name, value in twin.named_parameters():
            bits = 8 if "per_layer_model_projection" in name else 4
            if bits == 8 or (LINEAR.search(name) and not KEPT.search(name)):
                width = value.shape[-1]
                found = dequantize(quantize(value.reshape(-1, width).numpy(), block, bits), width, bits)
                value.copy_(torch.from_numpy(found).view_as(value))
    return twin
