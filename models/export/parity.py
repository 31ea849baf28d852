"""A bundle against PyTorch: the same inputs through transformers and through the graphs.

The graphs are fed with PyTorch's greedy ids, so that one near tie does not spoil what follows; an id counts as equal
when the graphs would have chosen it.
"""

from __future__ import annotations

import numpy as np
import torch

from .host import Host

MEDIA = (
    "pixel_values", "image_position_ids", "pixel_values_videos", "video_position_ids", "input_features",
    "input_features_mask",
)
# f32 graphs differ from PyTorch by the order of summation only.
DIFFERENCE_MAX = 2e-3


def media_arrays(batch: dict) -> dict[str, np.ndarray]:
    """The media tensors as the graphs want them."""
    return {name: np.ascontiguousarray(batch[name].numpy()) for name in MEDIA if name in batch}


@torch.no_grad()
def torch_run(model, batch: dict, steps: int) -> dict:
    """Prefill logits `[n, vocab]`, logits of `steps` cached greedy steps, and the greedy ids (steps + 1)."""
    out = model(**batch, use_cache=True)
    prefill, past = out.logits[0], out.past_key_values
    ids, rows = [int(prefill[-1].argmax())], []
    for _ in range(steps):
        out = model(input_ids=torch.tensor([[ids[-1]]]), past_key_values=past, use_cache=True)
        rows.append(out.logits[0, -1])
        ids.append(int(rows[-1].argmax()))
    decode = torch.stack(rows).numpy() if rows else np.zeros((0, prefill.shape[-1]), np.float32)
    return {"prefill": prefill.numpy(), "decode": decode, "greedy": ids}


def prefill(host: Host, ids: np.ndarray, media: dict, chunk: int | None, keep: int = 0) -> np.ndarray:
    """Runs a prompt whole, or (text only) in chunks; returns logits of all positions, or of the last of each chunk."""
    chunk = chunk or ids.shape[1]
    starts = range(0, ids.shape[1], chunk)
    return np.concatenate([host.step(ids[:, start:start + chunk], media, keep=keep) for start in starts])


def onnx_run(host: Host, batch: dict, greedy: list[int], chunk: int | None = None) -> dict:
    """The same through the graphs."""
    host.reset()
    first = prefill(host, batch["input_ids"].numpy(), media_arrays(batch), chunk)
    rows = [host.step(np.array([[token]])) for token in greedy[:-1]]
    decode = np.concatenate(rows) if rows else np.zeros((0, first.shape[-1]), np.float32)
    return {"prefill": first, "decode": decode, "greedy": [int(row.argmax()) for row in (first[-1], *decode)]}


def compare(expected: dict, found: dict) -> dict:
    """Largest absolute differences, and how many greedy ids are equal."""
    largest = lambda key: float(np.abs(expected[key] - found[key]).max(initial=0.0))
    same = sum(a == b for a, b in zip(expected["greedy"], found["greedy"]))
    return {
        "positions": len(expected["prefill"]),
        "prefill_difference": largest("prefill"), "decode_difference": largest("decode"),
        "greedy_equal": same, "greedy_count": len(expected["greedy"]),
    }
