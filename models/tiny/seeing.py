"""A fast forward pass of the vision tower for training: transformers' arithmetic without its clamps at infinity."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from forward import rms

POOL = 3


def tables(tower, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin `[b, 1, n, head_dim]` of both axes; `places` `[b, n, 2]`."""
    angles = places[..., None].float() * tower.encoder.rotary_emb.inv_freq
    x, y = angles[:, :, 0], angles[:, :, 1]
    both = torch.cat([x, x, y, y], dim=-1)[:, None]
    return both.cos(), both.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Each half of the head turns with one axis."""
    a, b, c, d = x.chunk(4, dim=-1)
    return x * cos + torch.cat([-b, a, -d, c], dim=-1) * sin


def attention(own, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of all patches of a picture to all."""
    batch, count = x.shape[:2]
    heads = lambda layer: layer.linear(x).view(batch, count, -1, own.head_dim).transpose(1, 2)
    q = rotate(rms(heads(own.q_proj), own.q_norm.weight), cos, sin)
    k = rotate(rms(heads(own.k_proj), own.k_norm.weight), cos, sin)
    y = F.scaled_dot_product_attention(q, k, rms(heads(own.v_proj), None), attn_mask=mask, scale=1.0)
    return own.o_proj.linear(y.transpose(1, 2).reshape(batch, count, -1))


def layer(own, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One layer."""
    y = attention(own.self_attn, rms(x, own.input_layernorm.weight), cos, sin, mask)
    x = x + rms(y, own.post_attention_layernorm.weight)
    y = rms(x, own.pre_feedforward_layernorm.weight)
    y = own.mlp.down_proj.linear(F.gelu(own.mlp.gate_proj.linear(y), approximate="tanh") * own.mlp.up_proj.linear(y))
    return x + rms(y, own.post_feedforward_layernorm.weight)


def pooled(x: torch.Tensor, places: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Means of 3 x 3 patches `[tokens of all pictures, hidden]`, in reading order."""
    counts = valid.sum(1) // POOL**2
    columns = (places[..., 0].amax(1) + 1) // POOL
    first = counts.cumsum(0) - counts
    cell = places[..., 0] // POOL + columns[:, None] * (places[..., 1] // POOL) + first[:, None]
    rows = torch.zeros(int(counts.sum()), x.shape[-1])
    return rows.index_add(0, cell[valid], x[valid]) / POOL**2


def soft_tokens(model, values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """`[tokens, hidden of the text model]`. `values` `[b, n, 768]` from 0 to 1; `places` `[b, n, 2]`, -1 where padded."""
    tower = model.model.vision_tower
    valid, places = places[..., 0] >= 0, places.clamp(min=0)
    table = tower.patch_embedder.position_embedding_table
    x = tower.patch_embedder.input_proj(2 * values - 1)
    x = x + F.embedding(places[..., 0], table[0]) + F.embedding(places[..., 1], table[1])
    mask = None if bool(valid.all()) else valid[:, None, None]
    cos, sin = tables(tower, places)
    for own in tower.encoder.layers:
        x = layer(own, x, cos, sin, mask)
    return model.model.embed_vision.embedding_projection(rms(pooled(x, places, valid), None))
