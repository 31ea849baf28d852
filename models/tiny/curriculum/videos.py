"""Skill 6: videos of one shape that moves or stays, and questions about what moves where and when."""

from __future__ import annotations

import random

from PIL import Image

import pictures
from render import Builder

NEAR, FAR, STRAY = 0.17, 0.83, 0.04
DIRECTIONS = {
    "to the right": ((NEAR, None), (FAR, None)), "to the left": ((FAR, None), (NEAR, None)),
    "down": ((None, NEAR), (None, FAR)), "up": ((None, FAR), (None, NEAR)),
}
BACKWARDS = {"to the right": "to the left", "to the left": "to the right", "down": "up", "up": "down"}
STILL = "stays where it is"


def route(rng: random.Random, direction: str, count: int) -> list[tuple[float, float]]:
    """Centre of the shape in every frame, in shares of the picture."""
    lane = rng.uniform(NEAR, FAR)
    if direction == STILL:
        return [(lane, 1 - lane if rng.random() < 0.5 else lane)] * count
    (ax, ay), (bx, by) = DIRECTIONS[direction]
    steps = [i / (count - 1) for i in range(count)]
    line = lambda a, b: [lane if a is None else a + (b - a) * t + rng.uniform(-STRAY, STRAY) for t in steps]
    return list(zip(line(ax, bx), line(ay, by)))


def frames(rng: random.Random, held: bool, direction: str, count: int) -> tuple[list[Image.Image], str, str]:
    """The frames, one a second, and the shape's colour and name. The ground stays the same."""
    width, height = pictures.size(rng)
    ground = pictures.ground(rng, width, height)
    colour, shape = pictures.combination(rng, held)
    tint, radius = pictures.tinted(rng, colour), min(width, height) / 6 * rng.uniform(0.72, 0.98)
    found = []
    for x, y in route(rng, direction, count):
        frame = ground.copy()
        frame.info = {"words": (colour, shape, "one")}
        pictures.paint(frame, shape, tint, x, y, radius)
        found.append(frame)
    return found, colour, shape


def placeholder(counts: list[int]) -> str:
    """A video in a prompt: a stamp and the soft tokens of every frame."""
    stamps = (f"{second // 60:02d}:{second % 60:02d}" for second in range(len(counts)))
    return " ".join(f"{stamp} <|image>{'<|video|>' * count}<image|>" for stamp, count in zip(stamps, counts))


def questions(rng: random.Random, colour: str, shape: str, direction: str) -> list[tuple[str, str, str]]:
    """`(skill, question, answer)` about one video."""
    does = STILL if direction == STILL else f"moves {direction}"
    where = rng.choice((f"Where does the {shape} move?", "Which way does it move?", "In which direction does it move?"))
    return [
        ("direction", where, f"It {does}."),
        ("describe", rng.choice(("Describe the video.", "What happens in the video?", "What moves where?")),
         f"The {colour} {shape} {does}."),
        ("colour", rng.choice((f"What colour is the {shape}?", "What colour is it?")), f"The {shape} is {colour}."),
    ]


def frame(rng: random.Random, held: bool) -> Image.Image:
    """One frame by itself, for the vision tower."""
    return rng.choice(frames(rng, held, rng.choice((*DIRECTIONS, STILL)), 4)[0])


def clip(rng: random.Random, held: bool) -> tuple[list[Image.Image], tuple[str, str, str]]:
    """The frames of a video and its facts: colour, shape, direction."""
    direction = rng.choice((*DIRECTIONS, *DIRECTIONS, STILL))
    found, colour, shape = frames(rng, held, direction, rng.randint(3, 5))
    return found, (colour, shape, direction)


def about(rng: random.Random, held: bool, facts: tuple[str, str, str], mark: str) -> Builder:
    """A video and up to two questions; held-out conversations have one."""
    thinking = rng.random() < 0.2
    asked = rng.sample(questions(rng, *facts), 1 if held or thinking else 2)
    build = Builder("", [], thinking, skill=f"video_{asked[0][0]}")
    for index, (_, question, answer) in enumerate(asked):
        marks = (("video", mark),) if index == 0 else ()
        build.ask(question, answer, "I watch the video.", marks, after=rng.random() < 0.25)
    return build
