"""The test picture and the test recording that the reference cases use, drawn and synthesised here."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE_RATE = 16_000


def picture() -> Image.Image:
    """160 x 112: a grey gradient, a red disc at the left and a blue square at the right."""
    y, x = np.mgrid[0:112, 0:160]
    pixels = np.stack([200 - x // 4, 190 - y // 4, np.full_like(x, 170)], axis=-1).astype(np.uint8)
    pixels[(x - 48) ** 2 + (y - 56) ** 2 < 30**2] = (214, 40, 40)
    pixels[(abs(x - 118) < 22) & (abs(y - 60) < 22)] = (30, 80, 200)
    return Image.fromarray(pixels)


def second_picture() -> Image.Image:
    """96 x 64: one green triangle on dark ground."""
    y, x = np.mgrid[0:64, 0:96]
    pixels = np.full((64, 96, 3), 40, np.uint8)
    pixels[(y > 12) & (y < 54) & (abs(x - 48) < (y - 12) // 2)] = (40, 180, 70)
    return Image.fromarray(pixels)


def recording() -> np.ndarray:
    """1.05 s of a rising tone with a gap, int16 at 16 kHz. Its length is no multiple of a frame."""
    t = np.arange(16_833) / SAMPLE_RATE
    tone = 0.3 * np.sin(2 * np.pi * (220 * t + 300 * t**2)) + 0.1 * np.sin(2 * np.pi * 1760 * t)
    tone[(t > 0.45) & (t < 0.55)] = 0.0
    return np.round(tone * 32767).astype(np.int16)


def write(folder: Path) -> None:
    """Writes `test.png`, `test2.png` and `test.wav`."""
    folder.mkdir(parents=True, exist_ok=True)
    picture().save(folder / "test.png")
    second_picture().save(folder / "test2.png")
    with wave.open(str(folder / "test.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(recording().tobytes())
