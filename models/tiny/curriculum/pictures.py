"""Skill 4: pictures of coloured shapes on noisy ground, and questions about them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from transformers.models.gemma4.image_processing_gemma4 import get_aspect_ratio_preserving_size

import words
from render import Builder

COLOURS = {
    "red": (214, 36, 36), "green": (36, 160, 60), "blue": (40, 70, 214), "yellow": (240, 214, 40),
    "purple": (140, 50, 170), "orange": (244, 134, 24), "white": (250, 250, 250), "black": (14, 14, 14),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
# A shape without a name.
BLOB = "blob"
PLURALS = {"cross": "crosses"}
NUMBERS = ("no", "one", "two", "three", "four")
PLACES = (
    "in the top left", "at the top", "in the top right", "on the left", "in the middle", "on the right",
    "in the bottom left", "at the bottom", "in the bottom right",
)
SCALE = 3
STRAY_SHARE = 0.6


def combination(rng: random.Random, held: bool) -> tuple[str, str]:
    """A colour and a shape; a fifth of the pairs is never trained on."""
    pairs = [(c, s) for c in COLOURS for s in SHAPES if words.held_out(f"{c} {s}") == held]
    return rng.choice(pairs)


def ground(rng: random.Random, width: int, height: int) -> Image.Image:
    """Greyish ground with a gradient and noise, uint8 RGB."""
    base = np.array([rng.randint(90, 180) for _ in range(3)], dtype=np.float32)
    base = base.mean() + (base - base.mean()) * 0.5
    slope = (np.linspace(-1, 1, width)[None, :, None] * rng.uniform(-25, 25)
             + np.linspace(-1, 1, height)[:, None, None] * rng.uniform(-25, 25))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0, 12), (height, width, 1))
    return Image.fromarray(np.clip(base + slope + noise, 0, 255).astype(np.uint8))


def outline(shape: str, x: float, y: float, r: float) -> list[tuple[float, float]]:
    """Corner points of the angular shapes around a centre."""
    if shape == "square":
        return [(x - r * 0.9, y - r * 0.9), (x + r * 0.9, y - r * 0.9), (x + r * 0.9, y + r * 0.9), (x - r * 0.9, y + r * 0.9)]
    if shape == "triangle":
        return [(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)]
    if shape == BLOB:
        turns = [(i * np.pi / 5, r * random.Random(f"{x} {y} {r} {i}").uniform(0.5, 1)) for i in range(10)]
        return [(x + length * np.cos(a), y + length * np.sin(a)) for a, length in turns]
    if shape == "star":
        turns = [(i * np.pi / 5 - np.pi / 2, r if i % 2 == 0 else r * 0.42) for i in range(10)]
        return [(x + length * np.cos(a), y + length * np.sin(a)) for a, length in turns]
    t = r * 0.32
    return [(x - t, y - r), (x + t, y - r), (x + t, y - t), (x + r, y - t), (x + r, y + t), (x + t, y + t),
            (x + t, y + r), (x - t, y + r), (x - t, y + t), (x - r, y + t), (x - r, y - t), (x - t, y - t)]


def draw_shape(canvas: Image.Image, shape: str, colour: tuple, x: float, y: float, r: float) -> None:
    """One shape, drawn three times too large and shrunk for smooth edges."""
    side = int(2 * r + 4)
    mask = Image.new("L", (side * SCALE, side * SCALE))
    pen, centre, radius = ImageDraw.Draw(mask), side * SCALE / 2, r * SCALE
    if shape in ("circle", "ring"):
        pen.ellipse([centre - radius, centre - radius, centre + radius, centre + radius], fill=255)
        if shape == "ring":
            inner = radius * 0.55
            pen.ellipse([centre - inner, centre - inner, centre + inner, centre + inner], fill=0)
    else:
        pen.polygon(outline(shape, centre, centre, radius), fill=255)
    mask = mask.resize((side, side), Image.Resampling.BOX)
    canvas.paste(Image.new("RGB", (side, side), colour), (int(x - side / 2), int(y - side / 2)), mask)


def tinted(rng: random.Random, name: str) -> tuple:
    """A named colour, slightly varied."""
    return tuple(int(np.clip(c + rng.randint(-16, 16), 0, 255)) for c in COLOURS[name])


def stray_tint(rng: random.Random, shape: str) -> tuple:
    """Any clear colour but those close to a name that is held out with the shape: it shows every shape in nearly every
    colour, so that what is held out cannot be told from the colour alone."""
    while True:
        tint = tuple(rng.randint(0, 255) for _ in range(3))
        held = any(words.held_out(f"{name} {shape}") and max(abs(a - b) for a, b in zip(tint, rgb)) <= 32
                   for name, rgb in COLOURS.items())
        if max(abs(part - 135) for part in tint) > 90 and not held:
            return tint


def cells(rng: random.Random, count: int) -> list[int]:
    """Distinct cells of a 3 x 3 grid."""
    return rng.sample(range(9), count)


def paint(canvas: Image.Image, shape: str, tint: tuple, x: float, y: float, r: float) -> None:
    """One shape at a place in shares of the picture, radius in pixels. `canvas.info` remembers where, as (x, y, radius
    across, radius down) in shares."""
    width, height = canvas.size
    draw_shape(canvas, shape, tint, x * width, y * height, r)
    canvas.info.setdefault("places", []).append((x, y, r / width, r / height))


def size(rng: random.Random) -> tuple[int, int]:
    """Width and height of a picture."""
    return rng.randint(120, 320), rng.randint(120, 320)


def scene(rng: random.Random, held: bool, count: int) -> tuple[Image.Image, str, str, list[int]]:
    """A picture with `count` equal shapes: picture, colour, shape, their cells."""
    colour, shape = combination(rng, held)
    canvas, found = arranged(rng, count, shape, lambda: tinted(rng, colour))
    canvas.info["words"] = (colour, shape, NUMBERS[count])
    return canvas, colour, shape, found


def stray(rng: random.Random, count: int) -> tuple[Image.Image, str | None, str | None, list[int]]:
    """The same with shapes or colours that have no name, for training: a colour must be told from any shape, and a shape
    in any colour, or pairs that were never trained on would be taken for pairs that were."""
    colour, shape = rng.choice(list(COLOURS)), rng.choice(SHAPES)
    if rng.random() < 0.5:
        tint = stray_tint(rng, shape)
        canvas, found = arranged(rng, count, shape, lambda: tint)
        return canvas, None, shape, found
    canvas, found = arranged(rng, count, BLOB, lambda: tinted(rng, colour))
    return canvas, colour, None, found


def arranged(rng: random.Random, count: int, shape: str, tint: Callable[[], tuple]) -> tuple[Image.Image, list[int]]:
    """Equal shapes in cells of their own, and the cells."""
    canvas = ground(rng, *size(rng))
    found = cells(rng, count)
    for cell in found:
        x, y = ((part + 0.5 + rng.uniform(-0.1, 0.1)) / 3 for part in (cell % 3, cell // 3))
        paint(canvas, shape, tint(), x, y, min(canvas.size) / 6 * rng.uniform(0.72, 0.98))
    return canvas, found


def close(rng: random.Random) -> Image.Image:
    """One shape that fills a good part of a small picture; often its colour has no name."""
    canvas = ground(rng, rng.randint(110, 170), rng.randint(110, 170))
    colour, shape = combination(rng, False)
    share = rng.uniform(0.24, 0.42)
    x, y = rng.uniform(share, 1 - share), rng.uniform(share, 1 - share)
    strayed = rng.random() < STRAY_SHARE
    shape = rng.choice(SHAPES) if strayed else shape
    tint = stray_tint(rng, shape) if strayed else tinted(rng, colour)
    paint(canvas, shape, tint, x, y, min(canvas.size) * share)
    canvas.info["words"] = (None if strayed else colour, shape, "one")
    return canvas


def patches(picture: Image.Image, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """`pixel_values` uint8 `[n, 768]` and positions `[n, 2]` (x, y), as the image processor makes them but for
    rounding: Pillow's bicubic filter instead of torchvision's."""
    width, height = picture.size
    high, wide = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
    pixels = np.asarray(picture.resize((wide, high), Image.Resampling.BICUBIC))
    rows, columns = high // 16, wide // 16
    grid = pixels.reshape(rows, 16, columns, 16, 3).transpose(0, 2, 1, 3, 4).reshape(rows * columns, 768)
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.ascontiguousarray(grid), np.stack([x, y], axis=-1)


def placeholder(count: int) -> str:
    """An expanded picture in a prompt."""
    return "<|image>" + "<|image|>" * count + "<image|>"


def plural(shape: str) -> str:
    """Plural form."""
    return PLURALS.get(shape, shape + "s")


def article(word: str) -> str:
    """a or an."""
    return "an" if word[0] in "aeiou" else "a"


def questions(rng: random.Random, colour: str, shape: str, found: list[int]) -> list[tuple[str, str, str]]:
    """`(skill, question, answer)` about one scene."""
    if len(found) > 1:
        many, number = plural(shape), NUMBERS[len(found)]
        return [
            ("count", rng.choice((f"How many {many} are there?", f"Count the {many}.", "How many shapes do you see?")),
             f"There are {number} {many}."),
            ("colour", rng.choice((f"What colour are the {many}?", "Which colour do they have?")),
             f"The {many} are {colour}."),
            ("describe", rng.choice(("Describe the picture.", "What do you see?", "What is in the picture?")),
             f"I see {number} {colour} {many}."),
        ]
    place = PLACES[found[0]]
    return [
        ("colour", rng.choice((f"What colour is the {shape}?", "What colour is it?", "Name the colour.")),
         f"The {shape} is {colour}."),
        ("shape", rng.choice(("What shape is it?", "Which shape do you see?", "Name the shape.")),
         f"It is {article(shape)} {shape}."),
        ("position", rng.choice((f"Where is the {shape}?", "Where is it?", "In which place is it?")), f"It is {place}."),
        ("describe", rng.choice(("Describe the picture.", "What do you see?", "What is in the picture?")),
         f"I see {article(colour)} {colour} {shape} {place}."),
        ("count", "How many shapes do you see?", f"There is one {shape}."),
    ]


def stray_questions(rng: random.Random, colour: str | None, shape: str | None, found: list[int]) -> list[tuple[str, str, str]]:
    """The same where the colour or the shape has no name."""
    many = len(found) > 1
    if shape is None:
        subject = "they" if many else "it"
        return [("colour", rng.choice((f"What colour {'are they' if many else 'is it'}?", "Name the colour.")),
                 f"{subject.capitalize()} {'are' if many else 'is'} {colour}.")]
    named = questions(rng, "grey", shape, found)
    return [entry for entry in named if entry[0] in ("count", "shape", "position")]


def token_words(picture: Image.Image, positions: np.ndarray) -> dict[int, tuple]:
    """For every soft token on an object the words that it should mean: colour, shape, number, row, column."""
    columns, rows = (int(value) // 3 + 1 for value in positions.max(axis=0))
    found = {}
    for x, y, across, down in picture.info["places"]:
        names = (*picture.info["words"], ("top", "middle", "bottom")[int(y * 3)], ("left", "middle", "right")[int(x * 3)])
        centre = int(y * rows) * columns + int(x * columns)
        for token in range(columns * rows):
            cx, cy = (token % columns + 0.5) / columns, (token // columns + 0.5) / rows
            if token == centre or ((cx - x) / across) ** 2 + ((cy - y) / down) ** 2 < 0.8:
                found[token] = names
    return found


def token_count(picture: Image.Image, budget: int) -> int:
    """Soft tokens of a picture."""
    width, height = picture.size
    high, wide = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
    return high * wide // 48**2


def features(picture: Image.Image, budget: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """`(pixels, positions, words of the soft tokens)` for the vision tower."""
    pixels, positions = patches(picture, budget)
    return pixels, positions, token_words(picture, positions) if "words" in picture.info else {}


def about_one(rng: random.Random, held: bool, facts: tuple, mark: str) -> Builder:
    """A picture and up to three questions, one a turn; held-out conversations have one."""
    asked = (questions if facts[0] and facts[1] else stray_questions)(rng, *facts)
    thinking = rng.random() < 0.2
    # A finished turn loses its thought, so a conversation with thoughts has one turn here.
    asked = rng.sample(asked, 1 if held or thinking else min(3, len(asked)))
    build = Builder("", [], thinking, skill=f"image_{asked[0][0]}")
    for index, (_, question, answer) in enumerate(asked):
        marks = (("image", mark),) if index == 0 else ()
        build.ask(question, answer, "I look at the picture.", marks, after=rng.random() < 0.25)
    return build


def about_two(rng: random.Random, both: list[tuple], marks: list[str]) -> Builder:
    """Two pictures of one shape each in one prompt."""
    build = Builder("", [], rng.random() < 0.2, skill="image_two")
    said = [f"The {order} picture shows {article(colour)} {colour} {shape}."
            for order, (colour, shape, _) in zip(("first", "second"), both)]
    question = rng.choice(("Compare the pictures.", "What do the two pictures show?", "Describe both pictures."))
    return build.ask(question, " ".join(said), "I look at the pictures.", tuple(("image", mark) for mark in marks))
