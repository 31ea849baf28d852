"""What the vision and the audio tower share."""

from __future__ import annotations

import numpy as np

from .graph import GraphBuilder


def clip(g: GraphBuilder, x: str, low: np.ndarray | None, high: np.ndarray | None) -> str:
    """Clip to calibrated bounds; infinite bounds need no operator."""
    if low is None or not (np.isfinite(low) or np.isfinite(high)):
        return x
    return g.op("Clip", [x, g.const(low, "low", np.float32), g.const(high, "high", np.float32)])


def clipped_linear(g: GraphBuilder, w: dict, name: str, x: str, rows: np.ndarray | None = None) -> str:
    """`Gemma4ClippableLinear`; `rows` reorders the output channels."""
    weight = w[f"{name}.linear.weight"]
    weight = weight if rows is None else weight[rows]
    x = clip(g, x, w.get(f"{name}.input_min"), w.get(f"{name}.input_max"))
    x = g.linear(x, weight, name)
    return clip(g, x, w.get(f"{name}.output_min"), w.get(f"{name}.output_max"))
