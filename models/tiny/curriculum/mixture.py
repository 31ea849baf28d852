"""Which conversations are drawn how often."""

from __future__ import annotations

import random
from collections.abc import Iterator

import talk
import tools
from render import Builder

TEXT = (
    (tools.tool_call, 0.51), (tools.no_fit, 0.19), (talk.about, 0.08), (talk.outside, 0.05), (talk.fact, 0.09),
    (talk.memory, 0.08),
)


def draw(rng: random.Random, held: bool, level: int) -> Builder:
    """One conversation of text."""
    makers, shares = zip(*TEXT)
    return rng.choices(makers, shares)[0](rng, held, level)


def corpus(seed: int, count: int) -> Iterator[str]:
    """Plain text of trained conversations without control tokens, for the tokenizer."""
    import re

    rng = random.Random(seed)
    control = re.compile(r"<\|?[a-z_\"]+\|?>|<\|\"\|>|<bos>")
    for _ in range(count):
        for text, _ in draw(rng, False, 1).segments:
            yield from filter(None, control.split(text))
