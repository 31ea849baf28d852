"""Rotary position embedding: angular steps, and the forms in which the decoder's graphs hold them."""

from __future__ import annotations

import numpy as np

from .graph import MICROSOFT, GraphBuilder
from .spec import TextSpec


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


def whole_table(g: GraphBuilder, spec: TextSpec, full: bool, dim: int) -> tuple[str, str]:
    """cos and sin `[context, dim / 2]`. Written as constant arithmetic, which ONNX Runtime folds on opening, so that
    the tables take no room in the file; in memory they do."""
    limit = g.exact(float(spec.context), "limit", np.float32)
    positions = g.op("Range", [g.exact(0.0, "zero", np.float32), limit, g.exact(1.0, "one", np.float32)])
    frequency = g.exact(inverse_frequencies(spec.rope, full, dim)[None, :], "frequency", np.float32)
    angles = g.op("Mul", [g.op("Unsqueeze", [positions, g.ints(1)]), frequency])
    return g.entering(g.op("Cos", [angles])), g.entering(g.op("Sin", [angles]))


class Rotation:
    """Angles of this run's positions only: no table as long as the context, and any position may be asked for."""

    def __init__(self, g: GraphBuilder, spec: TextSpec):
        self.g, self.spec = g, spec
        self.tables: dict[bool, tuple[str, str]] = {}
        rows = g.op("Squeeze", [g.op("Size", ["position_ids"])])
        count = g.op("Range", [g.exact(0, "zero", np.int64), rows, g.exact(1, "one", np.int64)])
        self.rows = g.op("Reshape", [count, g.op("Shape", ["position_ids"])])
        self.flat = g.reshape(g.to_float("position_ids", "f32"), -1, 1)

    def table(self, full: bool, dim: int) -> tuple[str, str]:
        """cos and sin `[batch * sequence, dim / 2]`."""
        if full not in self.tables:
            g = self.g
            frequency = g.exact(inverse_frequencies(self.spec.rope, full, dim)[None, :], "frequency", np.float32)
            angles = g.op("Mul", [self.flat, frequency])
            self.tables[full] = g.entering(g.op("Cos", [angles])), g.entering(g.op("Sin", [angles]))
        return self.tables[full]

    def fused(self, x: str, rows: str, heads: int, full: bool, dim: int) -> str:
        """Rotates `[batch, sequence, heads * dim]`; `rows` says which line of the table each position has."""
        inputs = [x, rows, *self.table(full, dim)]
        return self.g.op(
            "RotaryEmbedding", inputs, domain=MICROSOFT, num_heads=heads, rotary_embedding_dim=dim, interleaved=0
        )

    def plain(self, x: str, rows: str, full: bool, dim: int) -> str:
        """Rotates `[batch, sequence, heads, dim]` with standard operators."""
        g = self.g
        cos, sin = (g.op("Unsqueeze", [g.op("Gather", [part, rows]), g.ints(2)]) for part in self.table(full, dim))
        left, right = g.split(x, [dim // 2, dim // 2])
        first = g.op("Sub", [g.op("Mul", [left, cos]), g.op("Mul", [right, sin])])
        second = g.op("Add", [g.op("Mul", [right, cos]), g.op("Mul", [left, sin])])
        return g.op("Concat", [first, second], axis=-1)
