"""Attention of the text decoder in its three forms.

* `plain`: standard operators only; masks are made in the graph, keys and values are concatenated.
* `fused`: GroupQueryAttention. Layers that share keys and values pass zero-length key and value and the source
  layer's present as their past (ONNX Runtime 1.27 and later).
* `windowed`: the same, but the cache of sliding layers has a length of its own, which `sliding_attention_mask` tells,
  so that a host may drop what has left the window. The operator's own `sliding_window_cache` is no way to that: it
  drops rows inside a run that the shared layers' earlier queries still need, and it excludes image blocks.
"""

from __future__ import annotations

import numpy as np

from .graph import MICROSOFT, GraphBuilder
from .masks import Pairs
from .rotary import Rotation, whole_table
from .spec import TextSpec

FORMS = ("fused", "windowed", "plain")
INT64_MAX = 2**63 - 1
# Rotary tables up to this length are held whole and applied inside the operator: a few operators less for each layer.
TABLE_ROWS_MAX = 16384


class Attention:
    """What the forms share: projections, norms, the cache's inputs and outputs. `w` is the language model's weights."""

    windowed = False

    def __init__(self, g: GraphBuilder, spec: TextSpec, weights):
        self.g, self.spec, self.w = g, spec, weights
        self.present: dict[int, tuple[str, str]] = {}
        self.positions = "position_ids"

    def layer(self, index: int, name: str) -> np.ndarray:
        """One attention weight of one layer."""
        return self.w[f"layers.{index}.self_attn.{name}.weight"]

    def declare_masks(self) -> None:
        """Mask inputs, in the order of the published graphs."""
        self.g.input("attention_mask", "i64", ["batch_size", "total_sequence_length"])
        if self.windowed:
            self.g.input("sliding_attention_mask", "i64", ["batch_size", "total_sliding_length"])

    def length_names(self, index: int) -> tuple[str, str]:
        """Symbols of a layer's cache length before and after the run."""
        kind = "sliding" if self.windowed and not self.spec.full[index] else "sequence"
        return f"past_{kind}_length", f"total_{kind}_length"

    def declare_cache(self) -> None:
        """Past keys and values of the layers that own them."""
        for slot, index in enumerate(self.spec.cache_layers):
            past, _ = self.length_names(index)
            shape = ["batch_size", self.spec.kv_heads[index], past, self.spec.head_dim[index]]
            for part in ("key", "value"):
                self.g.input(f"past_key_values.{slot}.{part}", self.g.kind, shape)

    def cache_of(self, index: int) -> tuple[list[str], tuple[str, str]]:
        """Names of a layer's past and present; declares the present."""
        slot = self.spec.cache_layers.index(index)
        past = [f"past_key_values.{slot}.key", f"past_key_values.{slot}.value"]
        present = (f"present.{slot}.key", f"present.{slot}.value")
        self.present[index] = present
        _, total = self.length_names(index)
        for name in present:
            shape = ["batch_size", self.spec.kv_heads[index], total, self.spec.head_dim[index]]
            self.g.output(name, self.g.kind, shape)
        return past, present

    def prepare(self) -> None:
        """Values that all layers use."""
        raise NotImplementedError

    def keep_last(self, cut) -> None:
        """From here on queries are only the kept positions; `cut` slices axis 1."""
        self.positions = cut(self.positions)

    def attend(self, index: int, x: str) -> str:
        """From the normed stream `[batch, sequence, hidden]` to heads side by side, before the output projection."""
        shared = self.spec.kv_source[index] != index
        return self.shared(index, x) if shared else self.own(index, x)

    def own(self, index: int, x: str) -> str:
        """A layer with keys and values of its own."""
        raise NotImplementedError

    def shared(self, index: int, x: str) -> str:
        """A layer that reads another's."""
        raise NotImplementedError

    def raw_value(self, index: int) -> bool:
        """Whether the layer's values are its unnormed keys."""
        return self.spec.k_eq_v and self.spec.full[index]

    def query_key_value(self, index: int, x: str) -> tuple[str, str | None]:
        """Query and key heads, normed and scaled, and value heads, normed: both `[batch, sequence, heads, dim]`.

        One product and one norm for all heads, then one weight per head and channel. Values scaled by one stay with
        the rest (then the second is None), unless they are the keys before scaling.
        """
        g, spec = self.g, self.spec
        heads, kv, dim = spec.heads, spec.kv_heads[index], spec.head_dim[index]
        parts = [self.layer(index, "q_proj"), self.layer(index, "k_proj")]
        q_norm, k_norm = self.layer(index, "q_norm"), self.layer(index, "k_norm")
        scale = [q_norm] * heads + [k_norm] * kv
        if not self.raw_value(index):
            parts.append(self.layer(index, "v_proj"))
            scale += [np.ones_like(k_norm)] * kv
        x = g.linear(x, np.concatenate(parts), f"layers.{index}.qkv")
        x = g.rms_norm(g.reshape(x, 0, 0, len(scale), dim), np.ones(dim, np.float32), spec.eps)
        scaled = g.op("Mul", [x, g.const(np.stack(scale), "head_scale", np.float32)])
        return scaled, g.split(x, [heads, kv], axis=2)[1] if self.raw_value(index) else None

    def separate(self, index: int, x: str) -> tuple[str, str]:
        """The same as two values: query and key heads, value heads."""
        spec = self.spec
        both, value = self.query_key_value(index, x)
        if value is None:
            both, value = self.g.split(both, [spec.heads + spec.kv_heads[index], spec.kv_heads[index]], axis=2)
        return both, value

    def query(self, index: int, x: str) -> str:
        """Query heads alone, normed and scaled `[batch, sequence, heads, dim]`."""
        g, spec = self.g, self.spec
        x = g.linear(x, self.layer(index, "q_proj"), f"layers.{index}.q")
        x = g.reshape(x, 0, 0, spec.heads, spec.head_dim[index])
        return g.rms_norm(x, self.layer(index, "q_norm"), spec.eps)


class Fused(Attention):
    """GroupQueryAttention."""

    def __init__(self, g: GraphBuilder, spec: TextSpec, weights):
        super().__init__(g, spec, weights)
        self.empty: dict[int, str] = {}
        self.tables: dict[bool, tuple[str, str]] = {}
        self.rotates_inside = not self.windowed and not spec.k_eq_v and spec.context <= TABLE_ROWS_MAX

    def prepare(self) -> None:
        self.lengths = {True: self.sequence_lengths("attention_mask")}
        sliding = "sliding_attention_mask" if self.windowed else None
        self.lengths[False] = self.sequence_lengths(sliding) if sliding else self.lengths[True]
        if not self.rotates_inside:
            self.rotation = Rotation(self.g, self.spec)
            self.positions = self.rotation.rows
        if self.spec.image_blocks:
            self.bias = Pairs(self.g, sliding or "attention_mask").bias(self.spec.window, image_blocks=True)

    def keep_last(self, cut) -> None:
        super().keep_last(cut)
        if self.spec.image_blocks:
            raise ValueError("use_bidirectional_attention with num_kv_shared_layers: no published model has both")

    def sequence_lengths(self, mask: str) -> tuple[str, str]:
        """`seqlens_k` [batch] and the total length [1], both int32."""
        g = self.g
        valid = g.op("ReduceSum", [mask, g.ints(1)], keepdims=0)
        seqlens = g.op("Cast", [g.op("Sub", [valid, g.ints(1)])], to=6)
        return seqlens, g.op("Cast", [g.op("Shape", [mask], start=1, end=2)], to=6)

    def own(self, index: int, x: str) -> str:
        spec = self.spec
        heads, kv, dim = spec.heads, spec.kv_heads[index], spec.head_dim[index]
        if self.rotates_inside:
            packed, _ = self.query_key_value(index, x)
            parts = [self.g.reshape(packed, 0, 0, (heads + 2 * kv) * dim), "", ""]
        else:
            both, value = self.separate(index, x)
            both = self.g.reshape(both, 0, 0, (heads + kv) * dim)
            both = self.rotation.fused(both, self.positions, heads + kv, spec.full[index], dim)
            parts = [*self.g.split(both, [heads * dim, kv * dim]), self.g.reshape(value, 0, 0, kv * dim)]
        past, present = self.cache_of(index)
        return self.group_query(index, [*parts, *past], present)

    def shared(self, index: int, x: str) -> str:
        g, spec = self.g, self.spec
        dim = spec.head_dim[index]
        x = g.reshape(self.query(index, x), 0, 0, spec.heads * dim)
        if not self.rotates_inside:
            x = self.rotation.fused(x, self.positions, spec.heads, spec.full[index], dim)
        width = spec.kv_heads[index] * dim
        if width not in self.empty:
            self.empty[width] = g.op("Slice", [x, g.ints(0, 0), g.ints(0, width), g.ints(1, 2)])
        empty, source = self.empty[width], self.present[spec.kv_source[index]]
        return self.group_query(index, [x, empty, empty, *source], self.unread())

    def unread(self) -> tuple[str, ...]:
        """Names for what a shared layer would hand on. ONNX Runtime before 1.31 crashes when they are left out."""
        return self.g.fresh("unused_key"), self.g.fresh("unused_value")

    def group_query(self, index: int, inputs: list[str], present: tuple[str, ...]) -> str:
        """The attention operator itself."""
        spec, full = self.spec, self.spec.full[index]
        blocks = spec.image_blocks and not full
        inputs = [*inputs, *self.lengths[full]]
        if self.rotates_inside:
            inputs += [*self.table(full, spec.head_dim[index]), self.positions]
        if blocks:
            inputs += ["", "", "", self.bias]
        options = {"causal": 0} if blocks else {}
        out = [self.g.fresh("attention"), *present]
        self.g.op(
            "GroupQueryAttention", inputs, out, MICROSOFT, num_heads=spec.heads, kv_num_heads=spec.kv_heads[index],
            scale=1.0, do_rotary=int(self.rotates_inside), rotary_interleaved=0,
            local_window_size=-1 if full or blocks else spec.window, **options,
        )
        return out[0]

    def table(self, full: bool, dim: int) -> tuple[str, str]:
        """cos and sin of all positions."""
        if full not in self.tables:
            self.tables[full] = whole_table(self.g, self.spec, full, dim)
        return self.tables[full]


class Windowed(Fused):
    """Sliding layers have lengths of their own."""

    windowed = True

    def unread(self) -> tuple[str, ...]:
        """Nothing is handed on: whoever runs this form has ONNX Runtime 1.31, and the copy costs time."""
        return ()


class Plain(Attention):
    """Standard operators."""

    def prepare(self) -> None:
        pairs = Pairs(self.g, "attention_mask")
        self.bias = {
            True: pairs.bias(None, image_blocks=False),
            False: pairs.bias(self.spec.window, self.spec.image_blocks),
        }
        self.rotation = Rotation(self.g, self.spec)
        self.positions = self.rotation.rows

    def keep_last(self, cut) -> None:
        super().keep_last(cut)
        turned = lambda x: self.g.op("Transpose", [x], perm=[0, 2, 1, 3])
        self.bias = {full: turned(cut(turned(bias))) for full, bias in self.bias.items()}

    def own(self, index: int, x: str) -> str:
        g, spec = self.g, self.spec
        heads, kv, dim = spec.heads, spec.kv_heads[index], spec.head_dim[index]
        both, value = self.separate(index, x)
        both = self.rotation.plain(both, self.positions, spec.full[index], dim)
        query, key = g.split(both, [heads, kv], axis=2)
        past, present = self.cache_of(index)
        for new, old, name in zip((key, value), past, present):
            g.op("Concat", [old, g.op("Transpose", [new], perm=[0, 2, 1, 3])], name, axis=2)
        return self.scored(index, query, present)

    def shared(self, index: int, x: str) -> str:
        spec = self.spec
        query = self.rotation.plain(self.query(index, x), self.positions, spec.full[index], spec.head_dim[index])
        return self.scored(index, query, self.present[spec.kv_source[index]])

    def scored(self, index: int, query: str, cache: tuple[str, str]) -> str:
        """Softmax attention. The queries of one key head lie side by side, so that keys need no copy for each."""
        g, spec = self.g, self.spec
        heads, kv, dim = spec.heads, spec.kv_heads[index], spec.head_dim[index]
        key, value = cache
        query = g.op("Transpose", [query], perm=[0, 2, 1, 3])
        by_head = g.op("Shape", [query], start=0, end=3)
        query = g.reshape(query, 0, kv, -1, dim)
        scores = g.op("MatMul", [query, g.op("Transpose", [key], perm=[0, 1, 3, 2])])
        grouped = g.op("Shape", [scores])
        per_head = g.op("Concat", [by_head, g.ints(-1)], axis=0)
        scores = g.op("Add", [g.op("Reshape", [scores, per_head]), self.bias[spec.full[index]]])
        shares = g.op("Reshape", [g.op("Softmax", [scores], axis=-1), grouped])
        x = g.op("Reshape", [g.op("MatMul", [shares, value]), per_head])
        x = g.op("Transpose", [x], perm=[0, 2, 1, 3])
        return g.reshape(x, 0, 0, heads * dim)


def of_form(form: str) -> type[Attention]:
    """The class of one of `FORMS`."""
    return {"fused": Fused, "windowed": Windowed, "plain": Plain}[form]
