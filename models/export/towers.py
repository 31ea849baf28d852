"""What the vision and the audio tower share."""

from __future__ import annotations

import numpy as np

from .checkpoint import Weights
from .graph import GraphBuilder


def attend(g: GraphBuilder, query: str, key: str, value: str, bias: str) -> str:
    """Softmax attention of `[batch, n, heads, dim]` with standard operators; `bias` is added to the scores."""
    by_head = lambda x, perm: g.op("Transpose", [x], perm=perm)
    scores = g.op("MatMul", [by_head(query, [0, 2, 1, 3]), by_head(key, [0, 2, 3, 1])])
    shares = g.op("Softmax", [g.op("Add", [scores, bias])], axis=-1)
    x = g.op("MatMul", [shares, by_head(value, [0, 2, 1, 3])])
    return g.op("Transpose", [x], perm=[0, 2, 1, 3])


def clip(g: GraphBuilder, x: str, low: np.ndarray | None, high: np.ndarray | None) -> str:
    """Clip to calibrated bounds; infinite bounds need no operator."""
    if low is None or not (np.isfinite(low) or np.isfinite(high)):
        return x
    return g.op("Clip", [x, g.const(low, "low", np.float32), g.const(high, "high", np.float32)])


def clipped_linear(g: GraphBuilder, w: Weights, name: str, x: str, rows: np.ndarray | None = None) -> str:
    """`Gemma4ClippableLinear`; `rows` reorders the output channels."""
    weight = w[f"{name}.linear.weight"]
    weight = weight if rows is None else weight[rows]
    x = clip(g, x, w.get(f"{name}.input_min"), w.get(f"{name}.input_max"))
    x = g.linear(x, weight, name)
    return clip(g, x, w.get(f"{name}.output_min"), w.get(f"{name}.output_max"))
