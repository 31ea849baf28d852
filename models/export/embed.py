"""`embed_tokens`: ids to scaled embeddings and to the per-layer embeddings.

PyTorch replaces image, audio and video placeholders by the pad id before both look-ups. Here the pad row is copied
over the placeholders' rows instead, which gives the same numbers without an operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .checkpoint import Weights
from .graph import MICROSOFT, GraphBuilder, Storage
from .quantize import block_count
from .spec import TextSpec


class Table:
    """Rows of one embedding, media rows replaced by the pad row, all columns or some."""

    def __init__(self, weights: Weights, name: str, spec: TextSpec):
        self.weights, self.name, self.spec = weights, name, spec
        self.pad = weights.rows(name, spec.pad_id, spec.pad_id + 1)[0]
        self.rows, self.width = weights.shape(name)

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[np.ndarray]:
        """Blocks of rows, columns `first` to `last`."""
        start = 0
        for rows in self.weights.blocks(self.name):
            rows = rows.copy()
            for media in self.spec.media_ids:
                if start <= media < start + len(rows):
                    rows[media - start] = self.pad
            start += len(rows)
            yield rows[:, first:last]


def parts(g: GraphBuilder, item: tuple[int, ...], rows: int) -> list[tuple[int, int]]:
    """Ranges of an item's first axis, each small enough for one data file."""
    one = rows * int(np.prod(item[1:], dtype=np.int64)) * (2 if g.storage.half else 4)
    step = max(1, g.storage.file_bytes_max // one)
    return [(first, min(first + step, item[0])) for first in range(0, item[0], step)]


def gather_bits(g: GraphBuilder, ids: str, table: Table, name: str) -> str:
    """`table[ids]` of quantised rows, flat."""
    block = g.storage.block
    numbers, scales, zeros = g.quantized((table.rows, table.width), table.blocks(), name, flat=True)
    rows = g.op(
        "GatherBlockQuantized", [numbers, ids, scales, zeros], domain=MICROSOFT, bits=4, gather_axis=0,
        quantize_axis=1, block_size=block,
    )
    padded = block_count(table.width, block) * block
    return rows if padded == table.width else g.split(rows, [table.width, padded - table.width])[0]


def gather(g: GraphBuilder, ids: str, table: Table, item: tuple[int, ...], name: str) -> str:
    """`table[ids]`, every row in the shape `item`; a table too large for one file is cut into several."""
    found = []
    ranges = parts(g, item, table.rows)
    width = table.width // item[0]
    for number, (first, last) in enumerate(ranges):
        stored = name if len(ranges) == 1 else f"{name}.{number}"
        blocks = table.blocks(first * width, last * width)
        weight = g.weight_blocks((table.rows, last - first, *item[1:]), blocks, stored)
        found.append(g.op("Gather", [weight, ids], axis=0))
    return found[0] if len(found) == 1 else g.op("Concat", found, axis=2)


def scaled(g: GraphBuilder, ids: str, table: Table, item: tuple[int, ...], out: str) -> None:
    """`table[ids] * sqrt(width)` as the output `out`. The product stays in the graph: float16 storage must hold the
    bare table."""
    name = f"{out}.table"
    bits = g.storage.block > 0
    rows = gather_bits(g, ids, table, name) if bits else gather(g, ids, table, item, name)
    if bits and len(item) > 1:
        rows = g.reshape(rows, 0, 0, *item)
    factor = g.const(np.float32(item[-1]) ** np.float32(0.5), "scale", np.float32)
    if g.storage.half:
        g.to_float(g.op("Mul", [rows, factor]), "f32", out)
    else:
        g.op("Mul", [rows, factor], out=out)
    g.output(out, "f32", ["batch_size", "sequence_length", *item])


def build(spec: TextSpec, weights: Weights, path: Path, storage: Storage) -> GraphBuilder:
    """The embedding graph, to be saved as `path`."""
    g = GraphBuilder("embed_tokens", path, storage)
    ids = g.input("input_ids", "i64", ["batch_size", "sequence_length"])
    language = weights.under("language_model.")
    scaled(g, ids, Table(language, "embed_tokens.weight", spec), (spec.hidden,), "inputs_embeds")
    if spec.per_layer_width:
        item = (spec.layers, spec.per_layer_width)
        scaled(g, ids, Table(language, "embed_tokens_per_layer.weight", spec), item, "per_layer_inputs")
    return g
