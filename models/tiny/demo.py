"""The media that `lapidary demo` shows: a picture, a recording and a video. Needs `espeak-ng` on the path."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "curriculum")]

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from PIL import Image  # noqa: E402

import pictures  # noqa: E402
import sounds  # noqa: E402

FRAME_MS = 1000
VOICE, WORDS_PER_MINUTE, GAP_SAMPLES = "en-us", 165, 1600


def ground(width: int, height: int) -> Image.Image:
    """Grey that grows darker downwards."""
    shade = np.linspace(165, 125, height).astype(np.uint8)
    return Image.fromarray(np.tile(shade[:, None, None], (1, width, 3)))


def circle() -> Image.Image:
    """A red circle in the top left, 192 x 144."""
    picture = ground(192, 144)
    pictures.paint(picture, "circle", pictures.COLOURS["red"], 1 / 6, 1 / 6, 21)
    return picture


def square() -> list[Image.Image]:
    """A blue square that moves to the right, 160 x 120."""
    frames = [ground(160, 120) for _ in range(4)]
    for frame, x in zip(frames, (0.17, 0.39, 0.61, 0.83)):
        pictures.paint(frame, "square", pictures.COLOURS["blue"], x, 0.5, 17)
    return frames


def digits() -> np.ndarray:
    """Four, seven, one, at 16 kHz."""
    gap = np.zeros(GAP_SAMPLES, np.float32)
    words = [sounds.synthesise(VOICE, WORDS_PER_MINUTE, word) for word in ("four", "seven", "one")]
    return np.concatenate([part for word in words for part in (gap, word)] + [gap])


def main() -> None:
    """Writes the three files."""
    folder = HERE / "demo"
    folder.mkdir(exist_ok=True)
    circle().save(folder / "circle.png", optimize=True)
    first, *others = square()
    first.save(folder / "square.gif", save_all=True, append_images=others, duration=FRAME_MS, loop=0)
    soundfile.write(folder / "digits.flac", digits(), sounds.RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
