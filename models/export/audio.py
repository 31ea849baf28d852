"""`audio_encoder`: log-mel frames to soft tokens in the text model's width, padding stripped inside.

transformers computes the local attention in blocks of 12. Here it is one banded matrix: a clip has at most 750
positions, so the band costs little and the graph stays short. The clamps at 1e10 ("gradient clipping") are left out:
normed float32 activations do not come near.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from .checkpoint import Weights
from .graph import GraphBuilder, Storage
from .towers import clipped_linear


class Audio:
    """State while the graph is built. `config` is `audio_config`; `w` the whole model's weights."""

    def __init__(self, config: dict, weights: Weights, path: Path, storage: Storage):
        self.c, self.w = config, weights
        self.g = GraphBuilder("audio_encoder", path, storage)
        self.hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.dim = self.hidden // self.heads
        self.eps = config["rms_norm_eps"]
        if config["attention_context_right"]:
            raise ValueError("audio_config.attention_context_right: expected 0")

    def build(self) -> GraphBuilder:
        """The whole graph."""
        g = self.g
        g.input("input_features", "f32", ["batch_size", "num_frames", 128])
        g.input("input_features_mask", "bool", ["batch_size", "num_frames"])
        x = self.subsample()
        self.band()
        for index in range(self.c["num_hidden_layers"]):
            x = self.layer(f"audio_tower.layers.{index}.", x)
        x = g.linear(x, self.w["audio_tower.output_proj.weight"], "output_proj")
        x = g.op("Add", [x, g.const(self.w["audio_tower.output_proj.bias"], "bias", np.float32)])
        width = self.c["output_proj_dims"]
        x = g.op("Compress", [g.reshape(x, -1, width), g.reshape(self.mask, -1)], axis=0)
        x = g.rms_norm(x, np.ones(width, np.float32), self.eps)
        projection = self.w["embed_audio.embedding_projection.weight"]
        g.leaving(g.linear(x, projection, "embed_audio"), "audio_features")
        g.output("audio_features", "f32", ["num_audio_tokens", projection.shape[0]])
        return g

    def subsample(self) -> str:
        """Two strided convolutions, each on masked input; four frames become one position."""
        g = self.g
        self.mask = "input_features_mask"
        x = g.op("Unsqueeze", [g.entering("input_features"), g.ints(1)])
        for index in (0, 1):
            x = self.subsample_layer(x, f"audio_tower.subsample_conv_projection.layer{index}.")
        x = g.reshape(g.op("Transpose", [x], perm=[0, 2, 3, 1]), 0, 0, self.flat_width())
        name = "audio_tower.subsample_conv_projection.input_proj_linear.weight"
        return g.linear(x, self.w[name], "input_proj")

    def flat_width(self) -> int:
        """Frequencies left after two halvings of 128, times channels."""
        return 128 // 4 * self.c["subsampling_conv_channels"][1]

    def subsample_layer(self, x: str, prefix: str) -> str:
        """Mask, convolution, LayerNorm over channels, ReLU; halves the mask too."""
        g = self.g
        mask = g.op("Unsqueeze", [g.to_float(self.mask), g.ints(1, 3)])
        kernel = g.weight(self.w[prefix + "conv.weight"], prefix + "conv")
        x = g.op("Conv", [g.op("Mul", [x, mask]), kernel], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        x = g.op("Transpose", [x], perm=[0, 2, 3, 1])
        scale = g.const(self.w[prefix + "norm.weight"], "gamma", np.float32)
        x = g.op("LayerNormalization", [x, scale], axis=-1, epsilon=self.eps)
        self.mask = g.op("Slice", [self.mask, g.ints(0), g.ints(2**63 - 1), g.ints(1), g.ints(2)])
        return g.op("Relu", [g.op("Transpose", [x], perm=[0, 3, 1, 2])])

    def band(self) -> None:
        """Allowed pairs `[batch, 1, n, n]` (distance 0 to 11, key valid) and the distance index `[n, n]`."""
        g = self.g
        horizon = self.c["attention_context_left"] - 1
        count = g.op("Squeeze", [g.op("Shape", [self.mask], start=1, end=2)])
        steps = g.op("Range", [g.const(0, "zero", np.int64), count, g.const(1, "one", np.int64)])
        distance = g.op("Sub", [g.op("Unsqueeze", [steps, g.ints(1)]), steps])
        near = g.op("Less", [distance, g.const(horizon, "horizon", np.int64)])
        past = g.op("GreaterOrEqual", [distance, g.const(0, "zero", np.int64)])
        keys = g.op("Unsqueeze", [self.mask, g.ints(1, 2)])
        self.allowed = g.op("And", [g.op("And", [near, past]), keys])
        clipped = g.op("Clip", [distance, g.const(0, "zero", np.int64), g.const(horizon, "horizon", np.int64)])
        self.offset = g.op("Sub", [g.const(horizon, "horizon", np.int64), clipped])

    def layer(self, prefix: str, x: str) -> str:
        """Half feed-forward, attention, light convolution, half feed-forward, norm."""
        g = self.g
        x = self.feed_forward(prefix + "feed_forward1.", x)
        y = g.rms_norm(x, self.w[prefix + "norm_pre_attn.weight"], self.eps)
        y = self.attention(prefix + "self_attn.", y)
        x = g.op("Add", [g.rms_norm(y, self.w[prefix + "norm_post_attn.weight"], self.eps), x])
        x = self.light_conv(prefix + "lconv1d.", x)
        x = self.feed_forward(prefix + "feed_forward2.", x)
        return g.rms_norm(x, self.w[prefix + "norm_out.weight"], self.eps)

    def silu(self, x: str) -> str:
        """x * sigmoid(x)."""
        return self.g.op("Mul", [x, self.g.op("Sigmoid", [x])])

    def feed_forward(self, prefix: str, x: str) -> str:
        """The residual weight is folded into the scale of the last norm."""
        g = self.g
        y = g.rms_norm(x, self.w[prefix + "pre_layer_norm.weight"], self.eps)
        y = self.silu(clipped_linear(g, self.w, prefix + "ffw_layer_1", y))
        y = clipped_linear(g, self.w, prefix + "ffw_layer_2", y)
        scale = self.w[prefix + "post_layer_norm.weight"] * np.float32(self.c["residual_weight"])
        return g.op("Add", [g.rms_norm(y, scale, self.eps), x])

    def light_conv(self, prefix: str, x: str) -> str:
        """Gated linear unit, causal depthwise convolution over time, norm, SiLU, linear."""
        g, kernel = self.g, self.c["conv_kernel_size"]
        y = g.rms_norm(x, self.w[prefix + "pre_layer_norm.weight"], self.eps)
        left, right = g.split(clipped_linear(g, self.w, prefix + "linear_start", y), [self.hidden] * 2)
        y = g.op("Transpose", [g.op("Mul", [left, g.op("Sigmoid", [right])])], perm=[0, 2, 1])
        weight = g.weight(self.w[prefix + "depthwise_conv1d.weight"], prefix + "depthwise")
        y = g.op("Conv", [y, weight], group=self.hidden, kernel_shape=[kernel], pads=[kernel - 1, 0])
        y = g.rms_norm(g.op("Transpose", [y], perm=[0, 2, 1]), self.w[prefix + "conv_norm.weight"], self.eps)
        return g.op("Add", [clipped_linear(g, self.w, prefix + "linear_end", self.silu(y)), x])

    def by_head(self, x: str, perm: list[int]) -> str:
        """`[batch, n, hidden]` to `[batch, heads, …]`."""
        return self.g.op("Transpose", [self.g.reshape(x, 0, 0, self.heads, self.dim)], perm=perm)

    def attention(self, prefix: str, x: str) -> str:
        """Banded attention with relative positions and a tanh cap on the scores."""
        g, cap = self.g, self.c["attention_logit_cap"]
        softplus = np.log1p(np.exp(self.w[prefix + "per_dim_scale"].astype(np.float64)))
        q_scale = (self.dim**-0.5 / math.log(2) * softplus).astype(np.float32)
        k_scale = math.log(1 + math.e) / math.log(2)
        q, k, v = (clipped_linear(g, self.w, f"{prefix}{n}_proj", x) for n in "qkv")
        q = g.op("Mul", [self.by_head(q, [0, 2, 1, 3]), g.const(q_scale, "q_scale", np.float32)])
        k = g.op("Mul", [self.by_head(k, [0, 2, 3, 1]), g.const(k_scale, "k_scale", np.float32)])
        scores = g.op("Add", [g.op("MatMul", [q, k]), self.relative(prefix, q)])
        limit = g.const(cap, "cap", np.float32)
        scores = g.op("Mul", [g.op("Tanh", [g.op("Div", [scores, limit])]), limit])
        floor = g.const(self.c["attention_invalid_logits_value"], "floor", np.float32)
        shares = g.op("Softmax", [g.op("Where", [self.allowed, scores, floor])], axis=-1)
        y = g.op("Transpose", [g.op("MatMul", [shares, self.by_head(v, [0, 2, 1, 3])])], perm=[0, 2, 1, 3])
        return clipped_linear(g, self.w, prefix + "post", g.reshape(y, 0, 0, self.hidden))

    def relative(self, prefix: str, q: str) -> str:
        """Query times the key of each distance, spread to `[batch, heads, n, n]`."""
        g = self.g
        keys = sinusoids(self.c, self.hidden) @ self.w[prefix + "relative_k_proj.weight"].T
        keys = keys.reshape(-1, self.heads, self.dim).transpose(1, 2, 0)
        each = g.op("MatMul", [q, g.const(keys, "relative_keys", np.float32)])
        batch_heads = g.op("Shape", [each], start=0, end=2)
        square = g.op("Concat", [batch_heads, g.op("Shape", [self.offset])], axis=0)
        return g.op("GatherElements", [each, g.op("Expand", [self.offset, square])], axis=3)


def sinusoids(config: dict, hidden: int) -> np.ndarray:
    """`[horizon + 1, hidden]`: row p stands for distance horizon - p (transformers 5.23, rel_pos_enc)."""
    context = config["attention_chunk_size"] + config["attention_context_left"] - 1
    count = hidden // 2
    step = math.log(10000.0) / max(count - 1, 1)
    scale = np.exp(np.arange(count, dtype=np.float32) * np.float32(-step))
    angle = np.arange(context // 2, -1, -1, dtype=np.float32)[:, None] * scale[None, :]
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


def build(config: dict, weights: Weights, path: Path, storage: Storage) -> GraphBuilder:
    """The audio graph from the whole model's weights, to be saved as `path`."""
    return Audio(config, weights, path, storage).build()
