"""Conversations to batches: ids, positions whose next token is a target, the targets, and media."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import Tokenizer

import mixture
from render import Builder

POOL = 1024
LENGTH_MAX = 640


@dataclass
class Sample:
    """One encoded conversation. `targets` holds positions (of the token before) by segment."""

    ids: list[int]
    spans: list[list[int]]
    skill: str
    media: list = field(default_factory=list)


class Encoder:
    """Encodes conversations with the bundle's tokenizer."""

    def __init__(self, bundle: Path):
        self.tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))

    def sample(self, build: Builder) -> Sample:
        """Segments are encoded one by one, as a host does; no merge crosses their borders."""
        ids, spans = [], []
        for text, is_target in build.segments:
            piece = self.tokenizer.encode(text, add_special_tokens=False).ids
            if is_target:
                spans.append(list(range(len(ids) - 1, len(ids) + len(piece) - 1)))
            ids += piece
        return Sample(ids, spans, build.skill, build.media)


@dataclass
class Batch:
    """Right-padded: causal attention never looks there. `media`: soft tokens by kind of placeholder."""

    ids: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    samples: list[Sample]
    media: dict[str, torch.Tensor]


def collate(samples: list[Sample]) -> Batch:
    """`ids` [b, n]; `targets`, `labels`, `weights` [b, m]. n and m are multiples of 8."""
    places = [[place for span in sample.spans for place in span] for sample in samples]
    length = -(-max(len(sample.ids) for sample in samples) // 8) * 8
    count = -(-max(map(len, places)) // 8) * 8
    ids = torch.zeros(len(samples), length, dtype=torch.long)
    targets = torch.zeros(len(samples), count, dtype=torch.long)
    weights = torch.zeros(len(samples), count)
    for row, (sample, place) in enumerate(zip(samples, places)):
        ids[row, : len(sample.ids)] = torch.tensor(sample.ids)
        targets[row, : len(place)] = torch.tensor(place)
        weights[row, : len(place)] = 1.0
    labels = ids.gather(1, (targets + 1).clamp(max=length - 1))
    return Batch(ids, targets, labels, weights, samples, media_of(samples))


def media_of(samples: list[Sample]) -> dict[str, torch.Tensor]:
    """Soft tokens of all samples in the order of the batch, by kind."""
    found: dict[str, list[torch.Tensor]] = {}
    for sample in samples:
        for kind, rows in sample.media:
            found.setdefault(kind, []).append(rows.float())
    return {kind: torch.cat(rows) for kind, rows in found.items()}


def grouped(samples: list[Sample], tokens_max: int) -> list[list[Sample]]:
    """Samples of like length together, at most `tokens_max` positions a group, padding included."""
    groups: list[list[Sample]] = []
    for sample in sorted(samples, key=lambda s: len(s.ids)):
        if groups and (len(groups[-1]) + 1) * len(sample.ids) <= tokens_max:
            groups[-1].append(sample)
        else:
            groups.append([sample])
    return groups


def stream(encoder: Encoder, rng: random.Random, level: int, tokens_max: int, draw=mixture.draw, pool=POOL) -> Iterator[Batch]:
    """Endless training batches, fresh conversations all the time."""
    while True:
        drawn = [encoder.sample(draw(rng, False, level)) for _ in range(pool)]
        groups = grouped([sample for sample in drawn if len(sample.ids) <= LENGTH_MAX], tokens_max)
        rng.shuffle(groups)
        yield from map(collate, groups)
