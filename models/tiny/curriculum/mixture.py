"""Which conversations are drawn how often."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pictures
import sounds
import talk
import tools
import videos
from render import Builder

TEXT = (
    (tools.tool_call, 0.52), (tools.no_fit, 0.13), (talk.about, 0.06), (talk.outside, 0.04), (talk.fact, 0.07),
    (talk.memory, 0.06), (talk.repeat, 0.12),
)


def draw(rng: random.Random, held: bool, level: int) -> Builder:
    """One conversation of text."""
    makers, shares = zip(*TEXT)
    return rng.choices(makers, shares)[0](rng, held, level)


def one_picture(rng: random.Random, held: bool):
    """Pictures, their facts."""
    canvas, *facts = pictures.scene(rng, held, rng.choice((1, 1, 1, 2, 3, 4)))
    return [canvas], tuple(facts)


def recording(rng: random.Random, held: bool, store: dict):
    """Samples at 16 kHz, and `(transcription, skill)`."""
    said, text, skill = sounds.words_of(rng)
    return sounds.clip(rng, said, held, store)[0], (text, skill)


def with_media(rng: random.Random, store: dict, budget_of) -> Builder:
    """A held-out conversation with media as sources. `budget_of(picture)` is its number of soft tokens."""
    kind = rng.choices(("picture", "two", "sound", "video"), (0.45, 0.1, 0.25, 0.2))[0]
    mark = lambda canvas: pictures.placeholder(budget_of(canvas))
    if kind == "picture":
        sources, facts = one_picture(rng, True)
        build = pictures.about_one(rng, True, facts, mark(sources[0]))
    elif kind == "two":
        both = [pictures.scene(rng, True, 1) for _ in range(2)]
        sources = [canvas for canvas, *_ in both]
        build = pictures.about_two(rng, [tuple(facts) for _, *facts in both], [mark(canvas) for canvas in sources])
    elif kind == "sound":
        samples, facts = recording(rng, True, store)
        sources, build = [samples], sounds.about(rng, *facts, sounds.placeholder(sounds.token_count(samples)))
    else:
        frames, facts = videos.clip(rng, True)
        sources = [frames]
        build = videos.about(rng, True, facts, videos.placeholder([budget_of(frame) for frame in frames]))
    build.sources += sources
    return build


def corpus(seed: int, count: int) -> Iterator[str]:
    """Plain text of trained conversations without control tokens, for the tokenizer."""
    import re

    rng = random.Random(seed)
    control = re.compile(r"<\|?[a-z_\"]+\|?>|<\|\"\|>|<bos>")
    for _ in range(count):
        for text, _ in draw(rng, False, 1).segments:
            yield from filter(None, control.split(text))
