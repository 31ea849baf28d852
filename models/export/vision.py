"""`vision_encoder`: patches to soft tokens in the text model's width, padding stripped inside.

The tower rotates the two halves of each head by x and by y. The head channels are reordered here so that one ordinary
rotary operator over the whole head does both: query and key are permuted alike, so their products do not change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .checkpoint import Weights
from .graph import MICROSOFT, GraphBuilder, Storage
from .masks import FLOOR
from .towers import attend, clipped_linear

POOL = 3


class Vision:
    """State while the graph is built. `config` is `vision_config`; `w` the whole model's weights."""

    def __init__(self, config: dict, weights: Weights, path: Path, storage: Storage):
        self.c, self.w = config, weights
        self.g = GraphBuilder("vision_encoder", path, storage)
        self.heads, self.dim = config["num_attention_heads"], config["head_dim"]
        if config["num_key_value_heads"] != self.heads:
            raise ValueError("vision_config.num_key_value_heads: expected as many as num_attention_heads")
        if config["pooling_kernel_size"] != POOL:
            raise ValueError(f"vision_config.pooling_kernel_size: expected {POOL}")

    def build(self) -> GraphBuilder:
        """The whole graph."""
        g, width = self.g, 3 * self.c["patch_size"] ** 2
        g.input("pixel_values", "f32", ["num_images", "max_patches", width])
        g.input("pixel_position_ids", "i64", ["num_images", "max_patches", 2])
        self.positions()
        x = self.patches()
        for index in range(self.c["num_hidden_layers"]):
            x = self.layer(index, f"vision_tower.encoder.layers.{index}.", x)
        x = self.pool(x)
        x = g.rms_norm(x, np.ones(self.c["hidden_size"], np.float32), self.c["rms_norm_eps"])
        projection = self.w["embed_vision.embedding_projection.weight"]
        g.leaving(g.linear(x, projection, "embed_vision"), "image_features")
        g.output("image_features", "f32", ["num_image_tokens", projection.shape[0]])
        return g

    def positions(self) -> None:
        """Clamped x and y `[images, patches]`, the valid mask, and the rotary tables of this run."""
        g = self.g
        valid = g.op("GreaterOrEqual", ["pixel_position_ids", g.const(0, "zero", np.int64)])
        clamped = g.op("Max", ["pixel_position_ids", g.const(0, "zero", np.int64)])
        self.x, self.y = (g.op("Gather", [clamped, g.const(i, "axis", np.int64)], axis=2) for i in (0, 1))
        self.valid = g.op("Gather", [valid, g.const(0, "axis", np.int64)], axis=2)
        self.mask()
        spatial = self.dim // 2
        step = np.arange(0, spatial, 2, dtype=np.float32) / np.float32(spatial)
        base = np.float32(self.c["rope_parameters"]["rope_theta"])
        frequency = g.exact((np.float32(1.0) / base**step).astype(np.float32), "frequency")
        angles = g.op("Mul", [g.op("Unsqueeze", [g.to_float(clamped, "f32"), g.ints(3)]), frequency])
        angles = g.reshape(angles, -1, spatial)
        self.cos, self.sin = g.entering(g.op("Cos", [angles])), g.entering(g.op("Sin", [angles]))
        rows = g.op("Squeeze", [g.op("Shape", [angles], start=0, end=1)])
        count = g.op("Range", [g.const(0, "zero", np.int64), rows, g.const(1, "one", np.int64)])
        self.rows = g.op("Reshape", [count, g.op("Shape", [self.x])])

    def mask(self) -> None:
        """Which patches may be looked at: int32 for the fused operator, numbers to add for the plain one."""
        g = self.g
        if g.storage.contrib:
            self.key_mask = g.op("Cast", [self.valid], to=6)
            return
        seen, unseen = g.const(0.0, "seen", np.float32), g.const(FLOOR, "unseen", np.float32)
        bias = g.op("Where", [self.valid, seen, unseen])
        self.key_mask = g.op("Unsqueeze", [bias, g.ints(1, 2)])

    def patches(self) -> str:
        """`2 (pixels - 0.5)` projected, plus the learned x and y embeddings."""
        g, prefix = self.g, "vision_tower.patch_embedder."
        x = g.op("Sub", [g.entering("pixel_values"), g.const(0.5, "half", np.float32)])
        x = g.op("Mul", [x, g.const(2.0, "two", np.float32)])
        x = g.linear(x, self.w[prefix + "input_proj.weight"], "input_proj")
        table = self.w[prefix + "position_embedding_table"]
        for axis, index in enumerate((self.x, self.y)):
            rows = g.op("Gather", [g.weight(table[axis], f"position_table.{axis}"), index], axis=0)
            x = g.op("Add", [x, rows])
        return x

    def layer(self, index: int, prefix: str, x: str) -> str:
        """One encoder layer; norms before and after each half."""
        g, eps = self.g, self.c["rms_norm_eps"]
        norm = lambda name: self.w[f"{prefix}{name}.weight"]
        y = self.attention(prefix, g.rms_norm(x, norm("input_layernorm"), eps))
        x = g.op("Add", [x, g.rms_norm(y, norm("post_attention_layernorm"), eps)])
        y = self.mlp(prefix + "mlp.", g.rms_norm(x, norm("pre_feedforward_layernorm"), eps))
        return g.op("Add", [x, g.rms_norm(y, norm("post_feedforward_layernorm"), eps)])

    def mlp(self, prefix: str, x: str) -> str:
        """Gated GELU."""
        g = self.g
        gate = g.op("Gelu", [clipped_linear(g, self.w, prefix + "gate_proj", x)], approximate="tanh")
        x = g.op("Mul", [gate, clipped_linear(g, self.w, prefix + "up_proj", x)])
        return clipped_linear(g, self.w, prefix + "down_proj", x)

    def attention(self, prefix: str, x: str) -> str:
        """Full attention among the valid patches of one image."""
        g, prefix = self.g, prefix + "self_attn."
        q = self.rotated(prefix, "q", x)
        k = self.rotated(prefix, "k", x)
        v = self.normed(clipped_linear(g, self.w, prefix + "v_proj", x), np.ones(self.dim, np.float32))
        if not g.storage.contrib:
            x = g.reshape(attend(g, q, k, v, self.key_mask), 0, 0, self.heads * self.dim)
            return clipped_linear(g, self.w, prefix + "o_proj", x)
        x = g.op(
            "MultiHeadAttention", [q, k, v, "", self.key_mask], domain=MICROSOFT, num_heads=self.heads, scale=1.0,
            mask_filter_value=float(np.finfo(np.float32).min),
        )
        return clipped_linear(g, self.w, prefix + "o_proj", x)

    def rotated(self, prefix: str, part: str, x: str) -> str:
        """Query or key: projection, norm, rotation, all in the reordered channels."""
        order = channel_order(self.dim)
        rows = (np.arange(self.heads)[:, None] * self.dim + order[None, :]).reshape(-1)
        x = clipped_linear(self.g, self.w, f"{prefix}{part}_proj", x, rows)
        x = self.normed(x, self.w[f"{prefix}{part}_norm.weight"][order])
        if not self.g.storage.contrib:
            return self.turned(x)
        inputs = [x, self.rows, self.cos, self.sin]
        return self.g.op("RotaryEmbedding", inputs, domain=MICROSOFT, num_heads=self.heads, rotary_embedding_dim=self.dim)

    def turned(self, x: str) -> str:
        """Rotation of `[images, patches, heads, dim]` with standard operators."""
        g = self.g
        cos, sin = (g.op("Unsqueeze", [g.op("Gather", [part, self.rows]), g.ints(2)]) for part in (self.cos, self.sin))
        left, right = g.split(x, [self.dim // 2] * 2)
        first = g.op("Sub", [g.op("Mul", [left, cos]), g.op("Mul", [right, sin])])
        second = g.op("Add", [g.op("Mul", [right, cos]), g.op("Mul", [left, sin])])
        return g.op("Concat", [first, second], axis=-1)

    def normed(self, x: str, scale: np.ndarray) -> str:
        """RMSNorm of every head of `[images, patches, heads * dim]`; the plain form goes on with heads apart."""
        g = self.g
        x = g.rms_norm(g.reshape(x, 0, 0, self.heads, self.dim), scale, self.c["rms_norm_eps"])
        return g.reshape(x, 0, 0, self.heads * self.dim) if g.storage.contrib else x

    def pool(self, x: str) -> str:
        """Mean over 3 x 3 patches, times sqrt(hidden), rows of real tokens only: `[tokens, hidden]`."""
        g, hidden = self.g, self.c["hidden_size"]
        x = g.op("Mul", [x, g.op("Unsqueeze", [g.to_float(self.valid), g.ints(2)])])
        pool = g.const(POOL, "pool", np.int64)
        across = g.op("Div", [g.op("Add", [g.op("ReduceMax", [self.x, g.ints(1)]), g.const(1, "one", np.int64)]), pool])
        cell = g.op("Add", [g.op("Div", [self.x, pool]), g.op("Mul", [across, g.op("Div", [self.y, pool])])])
        cells = g.op("Div", [g.op("Shape", ["pixel_values"], start=1, end=2), g.const(POOL**2, "pool", np.int64)])
        member = g.op("OneHot", [cell, cells, g.exact([0.0, 1.0], "values", np.float32)])
        share = g.op("Mul", [g.entering(member), g.const(1.0 / POOL**2, "share", np.float32)])
        x = g.op("MatMul", [g.op("Transpose", [share], perm=[0, 2, 1]), x])
        used = g.op("Cast", [g.reshape(g.op("ReduceMax", [member, g.ints(1)], keepdims=0), -1)], to=9)
        x = g.op("Mul", [g.reshape(x, -1, hidden), g.const(hidden**0.5, "scale", np.float32)])
        return self.standardized(g.op("Compress", [x, used], axis=0))

    def standardized(self, x: str) -> str:
        """The large towers' fixed shift and scale."""
        if not self.c.get("standardize"):
            return x
        bias, scale = (self.w[f"vision_tower.std_{n}"] for n in ("bias", "scale"))
        x = self.g.op("Sub", [x, self.g.const(bias, "bias", np.float32)])
        return self.g.op("Mul", [x, self.g.const(scale, "scale", np.float32)])


def channel_order(dim: int) -> np.ndarray:
    """Head channels as (x first, y first, x second, y second), so that channel i pairs with i + dim / 2."""
    quarter = dim // 4
    parts = np.arange(dim).reshape(4, quarter)
    return np.concatenate([parts[0], parts[2], parts[1], parts[3]])


def build(config: dict, weights: Weights, path: Path, storage: Storage) -> GraphBuilder:
    """The vision graph from the whole model's weights, to be saved as `path`."""
    return Vision(config, weights, path, storage).build()
