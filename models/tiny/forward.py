"""A fast forward pass for training: the same arithmetic as transformers' decoder, without what a loss does not need.

The layers that share keys and values, and the output head, run only at positions whose next token is a target. Nobody
reads their other outputs, so the gradients are the same and a step costs about half.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def rms(x: torch.Tensor, weight: torch.Tensor | None, eps: float = 1e-6) -> torch.Tensor:
    """RMSNorm over the last axis."""
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return x if weight is None else x * weight


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of `[batch, n, heads, dim]` with tables `[batch or 1, n, dim]`."""
    left, right = x.chunk(2, dim=-1)
    turned = torch.cat([-right, left], dim=-1)
    return x * cos.unsqueeze(2) + turned * sin.unsqueeze(2)


class Plan:
    """Positions, masks and rotary tables of one batch. `targets` `[batch, m]` are positions, padded with 0."""

    def __init__(self, lm, length: int, targets: torch.Tensor):
        self.targets = targets
        window = lm.config.sliding_window
        place = torch.arange(length)
        row, column = place[None, :, None], place[None, None, :]
        chosen = targets[:, :, None]
        self.mask = {"full_attention": (column <= row)[None], "sliding_attention": near(row, column, window)[None]}
        self.late_mask = {
            "full_attention": (column <= chosen)[:, None],
            "sliding_attention": near(chosen, column, window)[:, None],
        }
        dummy = torch.zeros(1)
        self.tables = {kind: lm.rotary_emb(dummy, place[None], kind) for kind in self.mask}
        self.late_tables = {
            kind: tuple(table[0][targets] for table in pair) for kind, pair in self.tables.items()
        }

    def place(self, kind: str, late: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Mask, cos and sin for one kind of layer."""
        mask, tables = (self.late_mask, self.late_tables) if late else (self.mask, self.tables)
        return (mask[kind], *tables[kind])


def near(row: torch.Tensor, column: torch.Tensor, window: int) -> torch.Tensor:
    """Causal and within the window."""
    return (column <= row) & (row - column < window)


def take(x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """`[batch, n, c]` at `[batch, m]` positions."""
    return x.gather(1, targets[:, :, None].expand(-1, -1, x.shape[-1]))


def attention(layer, x: torch.Tensor, shared: tuple | None, place: tuple) -> tuple[torch.Tensor, tuple]:
    """Self-attention with own or shared keys and values; `place` is (mask, cos, sin)."""
    own = layer.self_attn
    mask, cos, sin = place
    batch, count = x.shape[:2]
    heads = lambda y: y.view(batch, count, -1, own.head_dim)
    q = rotate(rms(heads(own.q_proj(x)), own.q_norm.weight), cos, sin).transpose(1, 2)
    if shared is None:
        k = rotate(rms(heads(own.k_proj(x)), own.k_norm.weight), cos, sin).transpose(1, 2)
        shared = k, rms(heads(own.v_proj(x)), None).transpose(1, 2)
    k, v = (part.expand(-1, q.shape[1], -1, -1) for part in shared)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
    return own.o_proj(y.transpose(1, 2).reshape(batch, count, -1)), shared


def decoder_layer(layer, x: torch.Tensor, per_layer: torch.Tensor, shared: tuple | None, place: tuple):
    """One layer: attention, MLP, per-layer branch. Returns the stream and the keys and values it used."""
    y, shared = attention(layer, rms(x, layer.input_layernorm.weight), shared, place)
    x = x + rms(y, layer.post_attention_layernorm.weight)
    y = rms(x, layer.pre_feedforward_layernorm.weight)
    y = layer.mlp.down_proj(F.gelu(layer.mlp.gate_proj(y), approximate="tanh") * layer.mlp.up_proj(y))
    x = x + rms(y, layer.post_feedforward_layernorm.weight)
    y = F.gelu(layer.per_layer_input_gate(x), approximate="tanh") * per_layer
    x = x + rms(layer.per_layer_projection(y), layer.post_per_layer_input_norm.weight)
    return x, shared


LAYER = {"run": decoder_layer}


def compile_layers() -> None:
    """Compiles the layer function; minutes on the first batches, then about a third faster."""
    LAYER["run"] = torch.compile(decoder_layer, dynamic=True)


def embed(model, ids: torch.Tensor, media: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings with soft tokens scattered in, and per-layer inputs `[batch, n, layers, width]`. `media` has the soft
    tokens of each kind ("image", "audio", "video"), in the order of the batch."""
    lm, config = model.model.language_model, model.config
    placeholders = {kind: getattr(config, f"{kind}_token_id") for kind in ("image", "audio", "video")}
    text_ids = ids
    for number in placeholders.values():
        text_ids = text_ids.masked_fill(ids == number, config.text_config.pad_token_id)
    embeds = F.embedding(text_ids, lm.embed_tokens.weight) * lm.config.hidden_size**0.5
    for kind, rows in media.items():
        embeds = embeds.masked_scatter((ids == placeholders[kind])[:, :, None], rows)
    own = F.embedding(text_ids, lm.embed_tokens_per_layer.weight) * lm.config.hidden_size_per_layer_input**0.5
    own = own.view(*ids.shape, lm.config.num_hidden_layers, -1)
    projected = lm.per_layer_model_projection(embeds) * lm.config.hidden_size**-0.5
    projected = rms(projected.view_as(own), lm.per_layer_projection_norm.weight)
    return embeds, (projected + own) * 2.0**-0.5


def logits(model, ids: torch.Tensor, targets: torch.Tensor, media: dict[str, torch.Tensor]) -> torch.Tensor:
    """`[batch, m, vocab]`: logits at the positions `targets` `[batch, m]`."""
    lm = model.model.language_model
    plan = Plan(lm, ids.shape[1], targets)
    x, per_layer = embed(model, ids, media)
    kv: dict = {}
    for index, layer in enumerate(lm.layers):
        late = index >= lm.first_kv_shared_layer_idx
        if index == lm.first_kv_shared_layer_idx:
            x = take(x, targets)
            per_layer = take(per_layer.flatten(2), targets).view(*targets.shape, *per_layer.shape[2:])
        kind = layer.self_attn.layer_type
        x, kv[kind] = LAYER["run"](layer, x, per_layer[:, :, index], kv.get(kind) if late else None, plan.place(kind, late))
    out = F.linear(rms(x, lm.norm.weight), lm.embed_tokens.weight)
    cap = lm.config.final_logit_softcapping
    return cap * torch.tanh(out / cap)
