"""`embed_tokens`: ids to scaled embeddings and to the per-layer embeddings, two Gathers in all.

PyTorch replaces image, audio and video placeholders by the pad id before both look-ups. Here the pad row is copied
over the placeholders' rows instead, which gives the same numbers without an operator.
"""

from __future__ import annotations

import numpy as np

from .graph import GraphBuilder
from .spec import TextSpec


def masked_table(table: np.ndarray, spec: TextSpec) -> np.ndarray:
    """A copy of `table` whose media rows equal the pad row."""
    table = table.copy()
    table[list(spec.media_ids)] = table[spec.pad_id]
    return table


def scaled_gather(g: GraphBuilder, ids: str, table: np.ndarray, width: int, out: str) -> None:
    """`table[ids] * sqrt(width)`. The product stays in the graph: float16 storage must hold the bare table."""
    rows = g.op("Gather", [g.weight(table, f"{out}.table"), ids], axis=0)
    g.op("Mul", [rows, g.const(np.float32(width) ** np.float32(0.5), "scale", np.float32)], out=out)


def build(spec: TextSpec, weights: dict, half_storage: bool) -> GraphBuilder:
    """`weights` are the language model's arrays by their PyTorch names (`embed_tokens.weight`, …)."""
    g = GraphBuilder("embed_tokens", half_storage)
    ids = g.input("input_ids", "i64", ["batch_size", "sequence_length"])
    table = masked_table(weights["embed_tokens.weight"], spec)
    scaled_gather(g, ids, table, spec.hidden, "inputs_embeds")
    g.output("inputs_embeds", "f32", ["batch_size", "sequence_length", spec.hidden])
    if spec.per_layer_width:
        table = masked_table(weights["embed_tokens_per_layer.weight"], spec)
        table = table.reshape(spec.vocab, spec.layers, spec.per_layer_width)
        scaled_gather(g, ids, table, spec.per_layer_width, "per_layer_inputs")
        shape = ["batch_size", "sequence_length", spec.layers, spec.per_layer_width]
        g.output("per_layer_inputs", "f32", shape)
    return g
