"""Weights by name, read when they are asked for: a checkpoint directory is never in memory as a whole.

Names are those of transformers without the leading `model.`: `language_model.layers.0.mlp.up_proj.weight`,
`vision_tower.…`, `embed_audio.…`. All values come as float32, whatever the file holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from tqdm import tqdm

BLOCK_BYTES = 64 * 2**20


def plain_name(name: str) -> str:
    """The name without the wrappers that differ between classes; a text model's names get `language_model.`."""
    name = name.removeprefix("model.")
    towers = ("language_model.", "vision_tower.", "audio_tower.", "embed_vision.", "embed_audio.", "lm_head.")
    return name if name.startswith(towers) else f"language_model.{name}"


class Weights:
    """What the graphs are built from. Subclasses say which names there are and read rows of them."""

    def names(self) -> list[str]:
        """Every plain name."""
        raise NotImplementedError

    def shape(self, name: str) -> tuple[int, ...]:
        """The tensor's shape."""
        raise NotImplementedError

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """`[start:stop]` along the first axis, float32."""
        raise NotImplementedError

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rows(name)

    def get(self, name: str, default=None):
        """The array, or `default` where there is none."""
        return self[name] if name in self else default

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        """The whole tensor as blocks of rows."""
        shape = self.shape(name)
        step = max(1, BLOCK_BYTES // (4 * int(np.prod(shape[1:], dtype=np.int64))))
        starts = range(0, shape[0], step)
        for start in tqdm(starts, desc=name, leave=False, disable=None if len(starts) > 1 else True):
            yield self.rows(name, start, min(start + step, shape[0]))

    def under(self, prefix: str) -> "Part":
        """The weights whose names begin with `prefix`, without it."""
        return Part(self, prefix)


class Part(Weights):
    """A view on names with one prefix."""

    def __init__(self, whole: Weights, prefix: str):
        self.whole, self.prefix = whole, prefix
        self.own = [name.removeprefix(prefix) for name in whole.names() if name.startswith(prefix)]
        self.known = set(self.own)

    def names(self) -> list[str]:
        return self.own

    def __contains__(self, name: str) -> bool:
        return name in self.known

    def shape(self, name: str) -> tuple[int, ...]:
        return self.whole.shape(self.prefix + name)

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        return self.whole.rows(self.prefix + name, start, stop)


class StateDict(Weights):
    """A model that is in memory already."""

    def __init__(self, state: dict[str, torch.Tensor]):
        self.state = {plain_name(name): tensor for name, tensor in state.items()}

    def names(self) -> list[str]:
        return list(self.state)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.state[name].shape)

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        tensor = self.state[name]
        return tensor.float().numpy() if tensor.dim() == 0 else tensor[start:stop].float().numpy()


class Checkpoint(Weights):
    """A directory with `model.safetensors`, or with shards and `model.safetensors.index.json`."""

    def __init__(self, folder: Path):
        self.files: dict[str, tuple[Path, str]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path in shards(folder):
            with safe_open(path, "pt") as file:
                for key in file.keys():
                    self.files[plain_name(key)] = (path, key)
                    self.shapes[plain_name(key)] = tuple(file.get_slice(key).get_shape())

    def names(self) -> list[str]:
        return list(self.files)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        if name not in self.files:
            raise KeyError(f"checkpoint: expected a tensor {name}, found none")
        path, key = self.files[name]
        # Opened anew each time: a file that stays mapped keeps every page that was ever read.
        with safe_open(path, "pt") as file:
            whole = not self.shapes[name]
            tensor = file.get_tensor(key) if whole else file.get_slice(key)[start:stop]
            return tensor.to(torch.float32, copy=True).numpy()


def shards(folder: Path) -> list[Path]:
    """The weight files of a checkpoint directory."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        named = json.loads(index.read_text())["weight_map"].values()
        return sorted({folder / name for name in named})
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise FileNotFoundError(f"{folder}: expected model.safetensors or its shards, found none")
    return found
