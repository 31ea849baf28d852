"""Pictures and sound in training: batches of each kind, encoding with gradients, and two auxiliary losses.

The auxiliary losses give the towers a direct goal in the text model's own embedding space, without parameters of their
own: a soft token on a red circle should lie near the embeddings of "red", "circle" and where it is; the soft tokens at
the end of a spoken word near that word's. Reading them out is then mostly copying, which the decoder has learnt.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import batches
import mixture
import pictures
import sounds

BANK = Path(os.environ.get("LAPIDARY_TINY_WORK", Path(__file__).parent / "runs")) / "voices.npz"
TOKEN_SAMPLES, LATE_SHARE = 640, 0.4
POOL, PICTURE_TOKENS, SOUND_TOKENS = 64, 900, 2000
BUDGETS, BUDGET_SHARES = (30, 70, 140), (0.7, 0.28, 0.02)
WORD_GROUPS = (
    tuple(pictures.COLOURS), pictures.SHAPES, ("one", "two", "three", "four"), ("top", "middle", "bottom"),
    ("left", "middle", "right"),
)
SPOKEN = (*sounds.DIGITS, *sounds.COMMANDS)
STORE: dict = {}


def store() -> dict:
    """The synthesised words, loaded once."""
    if not STORE:
        STORE.update(sounds.bank(BANK))
    return STORE


def picture(rng: random.Random, held: bool, level: int):
    """A conversation about pictures; held-out ones have the bundle's budget."""
    budget = 70 if held else rng.choices(BUDGETS, BUDGET_SHARES)[0]
    return (pictures.one_picture if rng.random() < 0.85 else pictures.two_pictures)(rng, held, budget)


def sound(rng: random.Random, held: bool, level: int):
    """A recording."""
    return sounds.spoken(rng, held, level, store())


DRAW = {"text": mixture.draw, "picture": picture, "sound": sound}
TOWER_SHARES = ("picture", "sound")


def draw(rng: random.Random, held: bool, level: int, shares=(0.5, 0.3, 0.2)):
    """One conversation of any kind, for evaluation."""
    kind = rng.choices(list(DRAW), shares[:3])[0]
    return DRAW[kind](rng, held, level)


def stream(encoder, rng: random.Random, level: int, tokens_max: int, shares: list[float]) -> Iterator[batches.Batch]:
    """Endless training batches, one kind each. `shares` of steps are for text, pictures, sound, the vision tower alone
    and the audio tower alone."""
    limits = {"text": tokens_max, "picture": PICTURE_TOKENS, "sound": SOUND_TOKENS}
    sources = {
        kind: batches.stream(encoder, rng, level, limits[kind], DRAW[kind], batches.POOL if kind == "text" else POOL)
        for kind in DRAW
    }
    kinds = [*((kind, False) for kind in DRAW), *((kind, True) for kind in TOWER_SHARES)]
    while True:
        kind, towers_only = rng.choices(kinds, shares)[0]
        yield replace(next(sources[kind]), towers_only=towers_only)


def image_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all pictures `[tokens, hidden]`; padded to the longest."""
    length = max(len(item[1]) for item in items)
    values = torch.zeros(len(items), length, 768)
    places = torch.full((len(items), length, 2), -1)
    for row, (_, pixels, positions, _) in enumerate(items):
        values[row, : len(pixels)] = torch.from_numpy(pixels.astype(np.float32)) * (1 / 255)
        places[row, : len(pixels)] = torch.from_numpy(positions)
    return torch.cat(list(model.model.get_image_features(values, places).pooler_output))


def audio_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all recordings `[tokens, hidden]`."""
    length = max(len(item[1]) for item in items)
    values, mask = torch.zeros(len(items), length, 128), torch.zeros(len(items), length, dtype=torch.bool)
    for row, (_, frames, _) in enumerate(items):
        values[row, : len(frames)] = torch.from_numpy(frames)
        mask[row, : len(frames)] = True
    out = model.model.get_audio_features(values, mask)
    return out.pooler_output[out.attention_mask]


def chosen(samples: list, kind: str) -> list:
    """The media of one kind in batch order."""
    return [item for sample in samples for item in sample.media if item[0] == kind]


def encode(model, samples: list) -> dict[int, torch.Tensor]:
    """Rows to scatter, by placeholder id, in the order of the batch."""
    found = {}
    for kind, key, rows in (("image", "image_token_id", image_rows), ("audio", "audio_token_id", audio_rows)):
        items = chosen(samples, kind)
        if items:
            found[getattr(model.config, key)] = rows(model, items)
    return found


def word_scores(model, tokenizer, rows: torch.Tensor, words: tuple) -> torch.Tensor:
    """`[tokens, words]`: how near each row is to each word's embedding."""
    ids = [tokenizer.token_to_id("\u2581" + word) or tokenizer.token_to_id(word) for word in words]
    return rows @ model.model.language_model.embed_tokens.weight[ids].T * rows.shape[-1] ** 0.5


def picture_loss(model, tokenizer, items: list, rows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the word groups; ground should mean none of the colours."""
    labels, start = torch.full((len(rows), len(WORD_GROUPS)), -100), 0
    for _, pixels, _, words in items:
        count = len(pixels) // 9
        labels[start : start + count, 0] = len(WORD_GROUPS[0])
        for token, names in words.items():
            labels[start + token] = torch.tensor([group.index(name) for group, name in zip(WORD_GROUPS, names)])
        start += count
    loss = 0.0
    for column, group in enumerate(WORD_GROUPS):
        scores = word_scores(model, tokenizer, rows, group)
        scores = F.pad(scores, (0, 1)) if column == 0 else scores
        loss = loss + F.cross_entropy(scores, labels[:, column])
    return loss / len(WORD_GROUPS)


def token_words(item: tuple) -> list[int]:
    """For every soft token of a recording: 0 between words, 1 and up where a word has (nearly) been said, -100 while it
    is being said, since the tower hears only the past."""
    _, frames, words = item
    labels = [0] * -(-len(frames) // 4)
    for token in range(len(labels)):
        middle = (token + 0.5) * TOKEN_SAMPLES
        for word, (start, end) in words:
            if start <= middle <= end + TOKEN_SAMPLES:
                late = middle > end - LATE_SHARE * (end - start)
                labels[token] = SPOKEN.index(word) + 1 if late else -100
    return labels


def sound_loss(model, tokenizer, items: list, rows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the word of each soft token; "none" scores 0."""
    scores = F.pad(word_scores(model, tokenizer, rows, SPOKEN), (1, 0))
    return F.cross_entropy(scores, torch.tensor([label for item in items for label in token_words(item)]))


def auxiliary(model, tokenizer, samples: list, media: dict[int, torch.Tensor]) -> torch.Tensor | float:
    """Both auxiliary losses of a batch."""
    loss = 0.0
    if model.config.image_token_id in media:
        loss = loss + picture_loss(model, tokenizer, chosen(samples, "image"), media[model.config.image_token_id])
    if model.config.audio_token_id in media:
        loss = loss + sound_loss(model, tokenizer, chosen(samples, "audio"), media[model.config.audio_token_id])
    return loss
