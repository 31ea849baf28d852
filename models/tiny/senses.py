"""Soft tokens of pictures and recordings in PyTorch, and what they should mean: the goals of `towers.py`."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import pictures
import seeing
import sounds

BANK = Path(os.environ.get("LAPIDARY_TINY_WORK", Path(__file__).parent / "runs")) / "voices.npz"
TOKEN_SAMPLES, LATE_SHARE = 640, 0.4
GROUPS = {
    "colour": tuple(pictures.COLOURS), "shape": pictures.SHAPES, "number": ("one", "two", "three", "four"),
    "row": ("top", "middle", "bottom"), "column": ("left", "middle", "right"),
}
# As written, and as spoken.
SPOKEN = (*sounds.DIGITS, *sounds.COMMANDS)
HEARD = (*sounds.DIGITS.values(), *sounds.COMMANDS)


@cache
def voices() -> dict[str, np.ndarray]:
    """The synthesised words, loaded once."""
    return sounds.bank(BANK)


def image_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all pictures `[tokens, hidden]`; padded to the longest."""
    length = max(len(item[0]) for item in items)
    values = torch.zeros(len(items), length, 768)
    places = torch.full((len(items), length, 2), -1)
    for row, (pixels, positions, _) in enumerate(items):
        values[row, : len(pixels)] = torch.from_numpy(pixels.astype(np.float32)) * (1 / 255)
        places[row, : len(pixels)] = torch.from_numpy(positions)
    return seeing.soft_tokens(model, values, places)


@torch.no_grad()
def sound_front(front, frames: np.ndarray) -> torch.Tensor:
    """What the two convolutions make of one recording: `[tokens, channels]`, half precision. They cost more than all
    that follows, so `towers.py` leaves them as they are and runs them once a recording."""
    out, _ = front.layer1(front.layer0(torch.from_numpy(frames)[None, None])[0])
    return out[0].permute(1, 2, 0).flatten(1).half()


class AfterFront(torch.nn.Module):
    """Stands for the first part of the audio tower when its input has been through `sound_front`."""

    def __init__(self, front):
        super().__init__()
        self.input_proj_linear = front.input_proj_linear

    def forward(self, fronts: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`fronts` `[b, tokens, channels]`, mask `[b, tokens]`."""
        return self.input_proj_linear(fronts), mask


def audio_rows(model, items: list) -> torch.Tensor:
    """Soft tokens of all recordings `[tokens, hidden]`; the items hold frames, or fronts if the tower starts there."""
    length = max(len(item[0]) for item in items)
    values = torch.zeros(len(items), length, items[0][0].shape[-1])
    mask = torch.zeros(len(items), length, dtype=torch.bool)
    for row, (frames, _) in enumerate(items):
        values[row, : len(frames)] = torch.as_tensor(frames)
        mask[row, : len(frames)] = True
    out = model.model.get_audio_features(values, mask)
    return out.pooler_output[out.attention_mask]


def word_scores(model, tokenizer, rows: torch.Tensor, words: tuple) -> torch.Tensor:
    """`[tokens, words]`: how near each row is to each word's embedding."""
    ids = [tokenizer.token_to_id("\u2581" + word) or tokenizer.token_to_id(word) for word in words]
    return rows @ model.model.language_model.embed_tokens.weight[ids].T * rows.shape[-1] ** 0.5


def counted(scores: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
    """How many rows with a label are right, and how many there are."""
    kept = labels >= 0
    return int((scores.argmax(-1) == labels)[kept].sum()), int(kept.sum())


def picture_goal(model, tokenizer, items: list) -> tuple[torch.Tensor, dict]:
    """Mean cross-entropy of the word groups (ground should mean none of the colours), and hits by group."""
    rows = image_rows(model, items)
    labels, start = torch.full((len(rows), len(GROUPS)), -100), 0
    for pixels, _, words in items:
        count = len(pixels) // 9
        labels[start : start + count, 0] = len(pictures.COLOURS)
        for token, names in words.items():
            labels[start + token] = torch.tensor([group.index(name) if name else -100 for group, name in zip(GROUPS.values(), names)])
        start += count
    loss, hits = 0.0, {}
    for column, (name, group) in enumerate(GROUPS.items()):
        scores = word_scores(model, tokenizer, rows, group)
        scores = F.pad(scores, (0, 1)) if name == "colour" else scores
        loss = loss + F.cross_entropy(scores, labels[:, column])
        hits[name] = counted(scores, labels[:, column])
    return loss / len(GROUPS), hits


def token_words(item: tuple) -> list[int]:
    """For every soft token of a recording: 1 and up at the end of a word (the tower hears only the past), 0 before and
    between, -100 just after, where it may be either."""
    fronts, words = item
    labels = [0] * len(fronts)
    for token in range(len(labels)):
        middle = (token + 0.5) * TOKEN_SAMPLES
        for word, (start, end) in words:
            if start <= middle <= end:
                done = (middle - start) / (end - start)
                labels[token] = HEARD.index(word) + 1 if done > 1 - LATE_SHARE else 0
            elif end < middle <= end + TOKEN_SAMPLES:
                labels[token] = -100
    return labels


def sound_goal(model, tokenizer, items: list) -> tuple[torch.Tensor, dict]:
    """Mean cross-entropy of the word of each soft token ("none" scores 0), and hits: of tokens and of whole
    recordings, read by taking each run of one word once."""
    rows = audio_rows(model, items)
    scores = F.pad(word_scores(model, tokenizer, rows, SPOKEN), (1, 0))
    labels = [token_words(item) for item in items]
    flat = torch.tensor([label for row in labels for label in row])
    hits, start, best = {"tokens": counted(scores, flat), "recordings": (0, len(items))}, 0, scores.argmax(-1).tolist()
    for item, row in zip(items, labels):
        heard = best[start : start + len(row)]
        read = [word for word, before in zip(heard, [0, *heard]) if word and word != before]
        right = read == [HEARD.index(word) + 1 for word, _ in item[1]]
        hits["recordings"] = (hits["recordings"][0] + right, len(items))
        start += len(row)
    return F.cross_entropy(scores, flat), hits


GOALS = {"vision": picture_goal, "audio": sound_goal}
