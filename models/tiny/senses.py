"""Pictures and sound in training: drawing mixed conversations, and encoding their media with gradients."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import torch

import mixture
import pictures
import sounds

BANK = Path(os.environ.get("LAPIDARY_TINY_WORK", Path(__file__).parent / "work")) / "voices.npz"
SHARES = {"text": 0.62, "picture": 0.14, "two": 0.03, "sound": 0.21}
BUDGETS, BUDGET_SHARES = (36, 70, 140), (0.6, 0.37, 0.03)
STORE: dict = {}


def draw(rng: random.Random, held: bool, level: int):
    """One conversation of any kind."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "text":
        return mixture.draw(rng, held, level)
    if kind == "sound":
        if not STORE:
            STORE.update(sounds.bank(BANK))
        return sounds.spoken(rng, held, level, STORE)
    budget = 70 if held else rng.choices(BUDGETS, BUDGET_SHARES)[0]
    return (pictures.one_picture if kind == "picture" else pictures.two_pictures)(rng, held, budget)


def image_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all pictures `[tokens, hidden]`; padded to the longest."""
    length = max(len(pixels) for _, pixels, _ in items)
    values = torch.zeros(len(items), length, 768)
    places = torch.full((len(items), length, 2), -1)
    for row, (_, pixels, positions) in enumerate(items):
        values[row, : len(pixels)] = torch.from_numpy(pixels.astype(np.float32)) * (1 / 255)
        places[row, : len(pixels)] = torch.from_numpy(positions)
    return torch.cat(list(model.model.get_image_features(values, places).pooler_output))


def audio_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all recordings `[tokens, hidden]`."""
    length = max(len(frames) for _, frames in items)
    values, mask = torch.zeros(len(items), length, 128), torch.zeros(len(items), length, dtype=torch.bool)
    for row, (_, frames) in enumerate(items):
        values[row, : len(frames)] = torch.from_numpy(frames)
        mask[row, : len(frames)] = True
    out = model.model.get_audio_features(values, mask)
    return out.pooler_output[out.attention_mask]


def encode(model, samples: list) -> dict[int, torch.Tensor]:
    """Rows to scatter, by placeholder id, in the order of the batch."""
    items = [item for sample in samples for item in sample.media]
    found = {}
    for kind, key, rows in (("image", "image_token_id", image_rows), ("audio", "audio_token_id", audio_rows)):
        chosen = [item for item in items if item[0] == kind]
        if chosen:
            found[getattr(model.config, key)] = rows(model, chosen)
    return found
