"""Pictures and sound in training: batches of each kind, encoding with gradients, and two auxiliary losses.

The auxiliary losses give the towers a direct goal in the text model's own embedding space, without parameters of their
own: a soft token on a red circle should lie near the embeddings of "red", "circle" and where it is; the soft tokens of
a recording should spell its words (CTC). Reading them out is then mostly copying, which the decoder has learnt.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import batches
import mixture
import pictures
import sounds

BANK = Path(os.environ.get("LAPIDARY_TINY_WORK", Path(__file__).parent / "work")) / "voices.npz"
STEP_SHARES = {"text": 0.55, "picture": 0.25, "sound": 0.20}
SOUND_WEIGHT = 0.2
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


def draw(rng: random.Random, held: bool, level: int):
    """One conversation of any kind, for evaluation."""
    kind = rng.choices(("text", "picture", "sound"), (0.5, 0.3, 0.2))[0]
    return DRAW[kind](rng, held, level)


def stream(encoder, rng: random.Random, level: int, tokens_max: int) -> Iterator[batches.Batch]:
    """Endless training batches, one kind each."""
    limits = {"text": tokens_max, "picture": PICTURE_TOKENS, "sound": SOUND_TOKENS}
    sources = {
        kind: batches.stream(encoder, rng, level, limits[kind], DRAW[kind], batches.POOL if kind == "text" else POOL)
        for kind in DRAW
    }
    while True:
        yield next(sources[rng.choices(list(STEP_SHARES), list(STEP_SHARES.values()))[0]])


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


def sound_loss(model, tokenizer, items: list, rows: torch.Tensor) -> torch.Tensor:
    """CTC of the words of each recording, per word; the blank scores 0."""
    counts = [-(-len(item[1]) // 4) for item in items]
    scores = F.pad(word_scores(model, tokenizer, rows, SPOKEN), (1, 0))
    padded = torch.nn.utils.rnn.pad_sequence(scores.split(counts)).log_softmax(-1)
    targets = [torch.tensor([SPOKEN.index(word) + 1 for word in item[2]]) for item in items]
    lengths = torch.tensor([len(target) for target in targets])
    each = F.ctc_loss(padded, torch.cat(targets), torch.tensor(counts), lengths, reduction="none", zero_infinity=True)
    return SOUND_WEIGHT * (each / lengths).mean()


def auxiliary(model, tokenizer, samples: list, media: dict[int, torch.Tensor]) -> torch.Tensor | float:
    """Both auxiliary losses of a batch."""
    loss = 0.0
    if model.config.image_token_id in media:
        loss = loss + picture_loss(model, tokenizer, chosen(samples, "image"), media[model.config.image_token_id])
    if model.config.audio_token_id in media:
        loss = loss + sound_loss(model, tokenizer, chosen(samples, "audio"), media[model.config.audio_token_id])
    return loss
