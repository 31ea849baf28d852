"""`decoder_model_merged`: the text decoder with its cache.

As transformers does, the layers that share keys and values run only for the positions whose logits are asked for:
nobody reads their other outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import attention, experts
from .checkpoint import Weights
from .graph import GraphBuilder, Storage
from .spec import TextSpec

INT64_MAX = 2**63 - 1


class Decoder:
    """State while one decoder graph is built. `w` is the language model's weights."""

    def __init__(self, spec: TextSpec, weights: Weights, path: Path, storage: Storage, form: str):
        self.spec, self.w = spec, weights
        self.language = weights.under("language_model.")
        self.g = GraphBuilder("decoder_model_merged", path, storage)
        self.attention = attention.of_form(form)(self.g, spec, self.language)

    def layer(self, index: int, name: str) -> np.ndarray:
        """One weight of one layer."""
        return self.language[f"layers.{index}.{name}"]

    def build(self) -> GraphBuilder:
        """The whole graph."""
        self.declare_inputs()
        self.attention.prepare()
        self.keep_from = self.g.reshape(self.g.op("Neg", ["num_logits_to_keep"]), 1)
        residual = self.g.entering("inputs_embeds")
        per_layer = self.per_layer_inputs(residual) if self.spec.per_layer_width else None
        x = self.g.rms_norm(residual, self.layer(0, "input_layernorm.weight"), self.spec.eps)
        for index in tqdm(range(self.spec.layers), desc="layers", leave=False, disable=None):
            if index == len(self.spec.cache_layers):
                x, residual, per_layer = self.keep_last(x, residual, per_layer)
            x, residual = self.decoder_layer(index, x, residual, per_layer)
        if len(self.spec.cache_layers) == self.spec.layers:
            x = self.last_positions(x)
        self.head(x)
        return self.g

    def declare_inputs(self) -> None:
        """Inputs in the order of the published graphs."""
        g, spec = self.g, self.spec
        sequence = ["batch_size", "sequence_length"]
        g.input("inputs_embeds", "f32", [*sequence, spec.hidden])
        self.attention.declare_masks()
        g.input("position_ids", "i64", sequence)
        g.input("num_logits_to_keep", "i64", [])
        if spec.image_blocks:
            g.input("mm_token_type_ids", "i64", sequence)
        if spec.per_layer_width:
            g.input("per_layer_inputs", "f32", [*sequence, spec.layers, spec.per_layer_width])
        self.attention.declare_cache()

    def last_positions(self, x: str) -> str:
        """The last `num_logits_to_keep` positions along axis 1; 0 keeps all, since -0 is the start."""
        g = self.g
        return g.op("Slice", [x, self.keep_from, g.ints(INT64_MAX), g.ints(1)])

    def keep_last(self, x: str, residual: str, per_layer: list[str] | None):
        """Cuts everything that the shared layers read down to the kept positions."""
        if per_layer:
            cut = self.last_positions(self.per_layer_flat)
            per_layer = self.g.split(cut, [self.spec.per_layer_width] * self.spec.layers)
        self.attention.keep_last(self.last_positions)
        return self.last_positions(x), self.last_positions(residual), per_layer

    def per_layer_inputs(self, embeds: str) -> list[str]:
        """One `[batch, sequence, width]` value per layer: projected embeddings mixed with the token's own."""
        g, spec = self.g, self.spec
        root_half = np.float32(2.0**-0.5)
        # 8 bits: every layer reads this product.
        x = g.linear(embeds, self.language["per_layer_model_projection.weight"], "per_layer_model_projection", bits=8)
        x = g.op("Mul", [x, g.const(spec.hidden**-0.5, "scale", np.float32)])
        x = g.reshape(x, 0, 0, spec.layers, spec.per_layer_width)
        x = g.rms_norm(x, self.language["per_layer_projection_norm.weight"], spec.eps)
        x = g.op("Mul", [g.op("Add", [x, g.entering("per_layer_inputs")]), g.const(root_half, "scale", np.float32)])
        self.per_layer_flat = g.reshape(x, 0, 0, spec.layers * spec.per_layer_width)
        return g.split(self.per_layer_flat, [spec.per_layer_width] * spec.layers)

    def decoder_layer(self, index: int, x: str, residual: str, per_layer: list[str] | None) -> tuple[str, str]:
        """`x` is the normed input, `residual` the stream; returns both for the next layer (or the head)."""
        g, eps = self.g, self.spec.eps
        attended = self.attention.attend(index, x)
        attended = g.linear(attended, self.layer(index, "self_attn.o_proj.weight"), f"layers.{index}.o")
        attended = g.rms_norm(attended, self.layer(index, "post_attention_layernorm.weight"), eps)
        norm = self.layer(index, "pre_feedforward_layernorm.weight")
        x, residual = g.add_rms_norm(attended, residual, norm, eps)
        x = self.mlp(index, x)
        if self.spec.experts:
            x = self.with_experts(index, x, residual)
        x = g.rms_norm(x, self.layer(index, "post_feedforward_layernorm.weight"), eps)
        if per_layer:
            residual = g.op("Add", [residual, x])
            x = self.per_layer_branch(index, residual, per_layer[index])
        return self.close_layer(index, x, residual)

    def with_experts(self, index: int, dense: str, residual: str) -> str:
        """Sum of the dense MLP's and the experts' outputs, each normed on its own."""
        g, eps = self.g, self.spec.eps
        norm = lambda name: self.layer(index, f"{name}.weight")
        dense = g.rms_norm(dense, norm("post_feedforward_layernorm_1"), eps)
        mixed = experts.mixture(g, self.spec, self.language.under(f"layers.{index}."), residual, f"layers.{index}")
        return g.op("Add", [dense, g.rms_norm(mixed, norm("post_feedforward_layernorm_2"), eps)])

    def close_layer(self, index: int, x: str, residual: str) -> tuple[str, str]:
        """Adds the last branch, applies `layer_scalar` and the next layer's (or the final) norm."""
        g, last = self.g, index + 1 == self.spec.layers
        norm = self.language["norm.weight"] if last else self.layer(index + 1, "input_layernorm.weight")
        scalar = float(self.layer(index, "layer_scalar").reshape(-1)[0])
        if scalar == 1.0:
            return g.add_rms_norm(x, residual, norm, self.spec.eps)
        scaled = g.op("Mul", [g.op("Add", [x, residual]), g.const(scalar, "scalar", np.float32)])
        return g.rms_norm(scaled, norm, self.spec.eps), scaled

    def mlp(self, index: int, x: str) -> str:
        """Gated GELU (tanh form); gate and up are one product."""
        g = self.g
        gate, up = self.layer(index, "mlp.gate_proj.weight"), self.layer(index, "mlp.up_proj.weight")
        both = g.linear(x, np.concatenate([gate, up]), f"layers.{index}.gate_up")
        left, right = g.split(both, [gate.shape[0], up.shape[0]])
        x = g.op("Mul", [g.op("Gelu", [left], approximate="tanh"), right])
        return g.linear(x, self.layer(index, "mlp.down_proj.weight"), f"layers.{index}.down")

    def per_layer_branch(self, index: int, residual: str, per_layer: str) -> str:
        """Gate, GELU, times the layer's own embedding, projection, norm."""
        g = self.g
        x = g.linear(residual, self.layer(index, "per_layer_input_gate.weight"), f"layers.{index}.per_layer_gate")
        x = g.op("Mul", [g.op("Gelu", [x], approximate="tanh"), per_layer])
        x = g.linear(x, self.layer(index, "per_layer_projection.weight"), f"layers.{index}.per_layer_projection")
        return g.rms_norm(x, self.layer(index, "post_per_layer_input_norm.weight"), self.spec.eps)

    def head(self, x: str) -> None:
        """Output head, tied to the embedding unless the checkpoint has its own, with the soft cap in float32."""
        g, spec = self.g, self.spec
        own = "lm_head.weight" in self.w and not spec.tied
        name = "lm_head.weight" if own else "language_model.embed_tokens.weight"
        cap = g.exact(spec.softcap, "softcap", np.float32) if spec.softcap else None
        logits = g.linear_blocks(x, self.w.shape(name), self.w.blocks(name), "head")
        if g.storage.half:
            logits = g.to_float(logits, "f32")
        if cap is None:
            g.op("Identity", [logits], out="logits")
        else:
            g.op("Mul", [g.op("Tanh", [g.op("Div", [logits, cap])]), cap], out="logits")
        g.output("logits", "f32", ["batch_size", "num_logits", spec.vocab])
        g.outputs.insert(0, g.outputs.pop())


def build(spec: TextSpec, weights: Weights, path: Path, storage: Storage, form: str = "fused") -> GraphBuilder:
    """The decoder graph, to be saved as `path`."""
    return Decoder(spec, weights, path, storage, form).build()
