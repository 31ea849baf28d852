"""Which key each query may see, as graph values. Queries are the last positions of the keys."""

from __future__ import annotations

import numpy as np

from .graph import GraphBuilder

# As transformers does for masked pairs: finite, so that a row with nothing to see gives no NaN.
FLOOR = float(np.finfo(np.float32).min)


class Pairs:
    """Distances between the queries of this run and the keys that one kind of layer holds."""

    def __init__(self, g: GraphBuilder, mask: str):
        """`mask` is int64 `[batch, keys]`, 1 where a key is real."""
        self.g = g
        self.valid = g.op("Unsqueeze", [g.op("Cast", [mask], to=9), g.ints(1, 2)])
        keys = g.op("Shape", [mask], start=1, end=2)
        count = g.op("Shape", ["position_ids"], start=1, end=2)
        self.past = g.op("Sub", [keys, count])
        zero, one = g.exact(0, "zero", np.int64), g.exact(1, "one", np.int64)
        column = g.op("Range", [zero, g.op("Squeeze", [keys]), one])
        row = g.op("Add", [g.op("Range", [zero, g.op("Squeeze", [count]), one]), self.past])
        self.distance = g.op("Sub", [g.op("Unsqueeze", [row, g.ints(1)]), column])

    def causal(self) -> str:
        """`[queries, keys]`: not after the query."""
        return self.g.op("GreaterOrEqual", [self.distance, self.g.exact(0, "zero", np.int64)])

    def near(self, window: int) -> str:
        """`[queries, keys]`: less than the window before the query; later keys count as near."""
        return self.g.op("Less", [self.distance, self.g.exact(window, "window", np.int64)])

    def same_image(self) -> str:
        """`[batch, 1, queries, keys]`: both in one run of `mm_token_type_ids` 1 or 2 (image, video frame).

        The past is in no image: a host never splits one over two runs.
        """
        g = self.g
        kinds = "mm_token_type_ids"
        is_image, is_video = (g.op("Equal", [kinds, g.exact(n, "kind", np.int64)]) for n in (1, 2))
        seen = g.op("Or", [is_image, is_video])
        number = g.op("Cast", [seen], to=7)
        before = g.op("Pad", [number, g.ints(0, 1, 0, -1)])
        starts = g.op("Greater", [number, before])
        group = g.op("CumSum", [g.op("Cast", [starts], to=7), g.exact(1, "axis", np.int64)])
        group = g.op("Mul", [group, number])
        pads = g.op("Concat", [g.ints(0), self.past, g.ints(0, 0)], axis=0)
        keys = g.op("Unsqueeze", [g.op("Pad", [group, pads]), g.ints(1, 2)])
        queries = g.op("Unsqueeze", [group, g.ints(1, 3)])
        inside = g.op("Greater", [queries, g.exact(0, "zero", np.int64)])
        return g.op("And", [g.op("Equal", [queries, keys]), inside])

    def allowed(self, window: int | None, image_blocks: bool) -> str:
        """`[batch, 1, queries, keys]` bool; `window` for sliding layers, which alone have image blocks."""
        g = self.g
        seen = self.causal()
        if window is not None:
            if image_blocks:
                seen = g.op("Or", [seen, self.same_image()])
            seen = g.op("And", [seen, self.near(window)])
        return g.op("And", [seen, self.valid])

    def bias(self, window: int | None, image_blocks: bool) -> str:
        """The same as numbers to add to the scores: 0 or very little."""
        g = self.g
        zero, floor = g.const(0.0, "seen", np.float32), g.const(FLOOR, "unseen", np.float32)
        return g.op("Where", [self.allowed(window, image_blocks), zero, floor])
