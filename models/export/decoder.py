"""`decoder_model_merged`: the text decoder with its cache, fused for ONNX Runtime.

Attention is `GroupQueryAttention` with packed query/key/value. Layers that share keys and values pass zero-length
key and value and the source layer's present as their past (ONNX Runtime 1.27 and later). As transformers does, the
shared layers run only for the positions whose logits are asked for: nobody reads their other outputs.
"""

from __future__ import annotations

import numpy as np

from .graph import MICROSOFT, GraphBuilder
from .spec import TextSpec

INT64_MAX = 2**63 - 1


class Decoder:
    """State while one decoder graph is built. `w` maps PyTorch names to float32 arrays."""

    def __init__(self, spec: TextSpec, weights: dict, half_storage: bool):
        self.spec, self.w = spec, weights
        self.g = GraphBuilder("decoder_model_merged", half_storage)
        self.present: dict[int, tuple[str, str]] = {}
        self.empty: dict[int, str] = {}
        self.tables: dict[bool, tuple[str, str]] = {}

    def layer(self, index: int, name: str) -> np.ndarray:
        """One weight of one layer."""
        return self.w[f"layers.{index}.{name}"]

    def build(self) -> GraphBuilder:
        """The whole graph."""
        self.declare_inputs()
        self.sequence_lengths()
        per_layer = self.per_layer_inputs() if self.spec.per_layer_width else None
        residual = "inputs_embeds"
        x = self.g.rms_norm(residual, self.layer(0, "input_layernorm.weight"), self.spec.eps)
        for index in range(self.spec.layers):
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
        g.input("attention_mask", "i64", ["batch_size", "total_sequence_length"])
        g.input("position_ids", "i64", sequence)
        g.input("num_logits_to_keep", "i64", [])
        if spec.per_layer_width:
            g.input("per_layer_inputs", "f32", [*sequence, spec.layers, spec.per_layer_width])
        for slot, index in enumerate(spec.cache_layers):
            for part in ("key", "value"):
                shape = ["batch_size", spec.kv_heads[index], "past_sequence_length", spec.head_dim[index]]
                g.input(f"past_key_values.{slot}.{part}", "f32", shape)

    def sequence_lengths(self) -> None:
        """`seqlens_k` [batch] and the total length [1], both int32, and where the kept positions start."""
        g = self.g
        valid = g.op("ReduceSum", ["attention_mask", g.ints(1)], keepdims=0)
        self.seqlens = g.op("Cast", [g.op("Sub", [valid, g.ints(1)])], to=6)
        total = g.op("Shape", ["attention_mask"], start=1, end=2)
        self.total = g.op("Cast", [total], to=6)
        self.keep_from = g.reshape(g.op("Neg", ["num_logits_to_keep"]), 1)

    def last_positions(self, x: str) -> str:
        """The last `num_logits_to_keep` positions along axis 1; 0 keeps all, since -0 is the start."""
        g = self.g
        return g.op("Slice", [x, self.keep_from, g.ints(INT64_MAX), g.ints(1)])

    def keep_last(self, x: str, residual: str, per_layer: list[str] | None):
        """Cuts everything that the shared layers read down to the kept positions."""
        if per_layer:
            cut = self.last_positions(self.per_layer_flat)
            per_layer = self.g.split(cut, [self.spec.per_layer_width] * self.spec.layers)
        self.positions = self.last_positions("position_ids")
        return self.last_positions(x), self.last_positions(residual), per_layer

    def per_layer_inputs(self) -> list[str]:
        """One `[batch, sequence, width]` value per layer: projected embeddings mixed with the token's own."""
        g, spec = self.g, self.spec
        root_half = np.float32(2.0**-0.5)
        x = g.linear("inputs_embeds", self.w["per_layer_model_projection.weight"], "per_layer_model_projection")
        x = g.op("Mul", [x, g.const(spec.hidden**-0.5, "scale", np.float32)])
        x = g.reshape(x, 0, 0, spec.layers, spec.per_layer_width)
        x = g.rms_norm(x, self.w["per_layer_projection_norm.weight"], spec.eps)
        x = g.op("Mul", [g.op("Add", [x, "per_layer_inputs"]), g.const(root_half, "scale", np.float32)])
        self.per_layer_flat = g.reshape(x, 0, 0, spec.layers * spec.per_layer_width)
        return g.split(self.per_layer_flat, [spec.per_layer_width] * spec.layers)

    def decoder_layer(self, index: int, x: str, residual: str, per_layer: list[str] | None) -> tuple[str, str]:
        """`x` is the normed input, `residual` the stream; returns both for the next layer (or the head)."""
        g, eps = self.g, self.spec.eps
        attended = g.rms_norm(self.attention(index, x), self.layer(index, "post_attention_layernorm.weight"), eps)
        norm = self.layer(index, "pre_feedforward_layernorm.weight")
        x, residual = g.add_rms_norm(attended, residual, norm, eps)
        x = g.rms_norm(self.mlp(index, x), self.layer(index, "post_feedforward_layernorm.weight"), eps)
        if per_layer:
            residual = g.op("Add", [residual, x])
            x = self.per_layer_branch(index, residual, per_layer[index])
        return self.close_layer(index, x, residual)

    def close_layer(self, index: int, x: str, residual: str) -> tuple[str, str]:
        """Adds the last branch, applies `layer_scalar` and the next layer's (or the final) norm."""
        g, last = self.g, index + 1 == self.spec.layers
        norm = self.w["norm.weight"] if last else self.layer(index + 1, "input_layernorm.weight")
        scalar = float(self.layer(index, "layer_scalar").reshape(-1)[0])
        if scalar == 1.0:
            return g.add_rms_norm(x, residual, norm, self.spec.eps)
        scaled = g.op("Mul", [g.op("Add", [x, residual]), g.const(scalar, "scalar", np.float32)])
        return g.rms_norm(scaled, norm, self.spec.eps), scaled

    def mlp(self, index: int, x: str) -> str:
        """Gated GELU (tanh form); gate and up are one MatMul."""
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

    def attention(self, index: int, x: str) -> str:
        """Attention of one layer up to and with its output projection."""
        shared = self.spec.kv_source[index] != index
        context = self.shared_attention(index, x) if shared else self.own_attention(index, x)
        return self.g.linear(context, self.layer(index, "self_attn.o_proj.weight"), f"layers.{index}.o")

    def own_attention(self, index: int, x: str) -> str:
        """Packed query, key, value: one MatMul, one norm over all heads, then one weight per head and channel."""
        g, spec = self.g, self.spec
        heads, kv, dim = spec.heads, spec.kv_heads[index], spec.head_dim[index]
        q, k = self.layer(index, "self_attn.q_proj.weight"), self.layer(index, "self_attn.k_proj.weight")
        raw_value = spec.k_eq_v and spec.full[index]
        v = k if raw_value else self.layer(index, "self_attn.v_proj.weight")
        x = g.linear(x, np.concatenate([q, k, v]), f"layers.{index}.qkv")
        x = g.rms_norm(g.reshape(x, 0, 0, heads + 2 * kv, dim), np.ones(dim, np.float32), spec.eps)
        q_norm, k_norm = (self.layer(index, f"self_attn.{n}_norm.weight") for n in "qk")
        scale = np.stack([q_norm] * heads + [k_norm] * kv + [np.ones_like(k_norm)] * kv)
        x = g.op("Mul", [x, g.const(scale, "head_scale", np.float32)])
        x = g.reshape(x, 0, 0, (heads + 2 * kv) * dim)
        slot = spec.cache_layers.index(index)
        past = [f"past_key_values.{slot}.key", f"past_key_values.{slot}.value"]
        present = (f"present.{slot}.key", f"present.{slot}.value")
        self.present[index] = present
        for name in present:
            g.output(name, "f32", ["batch_size", kv, "total_sequence_length", dim])
        return self.group_query(index, [x, "", "", *past], "position_ids", present)

    def shared_attention(self, index: int, x: str) -> str:
        """Query only; keys and values are the source layer's."""
        g, spec = self.g, self.spec
        dim = spec.head_dim[index]
        x = g.linear(x, self.layer(index, "self_attn.q_proj.weight"), f"layers.{index}.q")
        x = g.rms_norm(g.reshape(x, 0, 0, spec.heads, dim), self.layer(index, "self_attn.q_norm.weight"), spec.eps)
        x = g.reshape(x, 0, 0, spec.heads * dim)
        width = spec.kv_heads[index] * dim
        if width not in self.empty:
            self.empty[width] = g.op("Slice", [x, g.ints(0, 0), g.ints(0, width), g.ints(1, 2)])
        empty = self.empty[width]
        unused = (g.fresh("unused_key"), g.fresh("unused_value"))
        source = self.present[spec.kv_source[index]]
        return self.group_query(index, [x, empty, empty, *source], self.positions, unused)

    def group_query(self, index: int, inputs: list[str], positions: str, present: tuple[str, str]) -> str:
        """The attention operator itself, rotary embedding included."""
        spec = self.spec
        cos, sin = self.rotary_tables(spec.full[index], spec.head_dim[index])
        inputs = [*inputs, self.seqlens, self.total, cos, sin, positions]
        out = [self.g.fresh("attention"), *present]
        window = -1 if spec.full[index] else spec.window
        self.g.op(
            "GroupQueryAttention", inputs, out, MICROSOFT, num_heads=spec.heads, kv_num_heads=spec.kv_heads[index],
            scale=1.0, do_rotary=1, rotary_interleaved=0, local_window_size=window,
        )
        return out[0]

    def rotary_tables(self, full: bool, dim: int) -> tuple[str, str]:
        """cos and sin `[context, dim / 2]`. Written as constant arithmetic, which ONNX Runtime folds on opening, so
        that the tables take no room in the file."""
        if full not in self.tables:
            g = self.g
            limit = g.const(float(self.spec.context), "limit", np.float32)
            positions = g.op("Range", [g.const(0.0, "zero", np.float32), limit, g.const(1.0, "one", np.float32)])
            frequency = g.const(inverse_frequencies(self.spec.rope, full, dim)[None, :], "frequency", np.float32)
            angles = g.op("Mul", [g.op("Unsqueeze", [positions, g.ints(1)]), frequency])
            self.tables[full] = (g.op("Cos", [angles]), g.op("Sin", [angles]))
        return self.tables[full]

    def head(self, x: str) -> None:
        """Tied output head with the soft cap."""
        g, spec = self.g, self.spec
        head = self.w.get("lm_head.weight", self.w["embed_tokens.weight"])
        if spec.softcap is None:
            logits = g.linear(x, head, "head")
            g.op("Identity", [logits], out="logits")
        else:
            cap = g.const(spec.softcap, "softcap", np.float32)
            capped = g.op("Tanh", [g.op("Div", [g.linear(x, head, "head"), cap])])
            g.op("Mul", [capped, cap], out="logits")
        g.outputs.insert(0, g_output(spec))


def g_output(spec: TextSpec):
    """Value info of `logits`, which published graphs list first."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "num_logits", spec.vocab])


def inverse_frequencies(rope: dict, full: bool, dim: int) -> np.ndarray:
    """`[dim / 2]` angular steps. Proportional rotary (full layers) rotates the first quarter and leaves the rest.

    Source: transformers 5.23, `modeling_rope_utils.py` and `modeling_gemma4.py`; the exponent is over the whole `dim`.
    """
    parameters = rope["full_attention" if full else "sliding_attention"]
    base = np.float32(parameters["rope_theta"])
    half = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    frequency = (np.float32(1.0) / base**half).astype(np.float32)
    if parameters["rope_type"] == "proportional":
        rotated = int(parameters.get("partial_rotary_factor", 1.0) * dim // 2)
        frequency[rotated:] = 0.0
    elif parameters["rope_type"] != "default":
        raise ValueError(f"rope_type {parameters['rope_type']}: expected default or proportional")
    return frequency


def build(spec: TextSpec, weights: dict, half_storage: bool) -> GraphBuilder:
    """The decoder graph from the language model's arrays."""
    return Decoder(spec, weights, half_storage).build()
