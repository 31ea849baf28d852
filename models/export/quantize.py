"""Block-wise quantisation to 4 or 8 bits, in the layout of ONNX Runtime's MatMulNBits and GatherBlockQuantized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantized:
    """`rows` rows of `[rows, width]`: value = (number - zero point) * scale."""

    numbers: np.ndarray  # uint8 [rows, blocks, block * bits / 8], low half first
    scales: np.ndarray  # float32 [rows, blocks]
    zero_points: np.ndarray  # uint8 [rows, ceil(blocks * bits / 8)], low half first


def block_count(width: int, block: int) -> int:
    """Blocks of one row; the last may be padded with zeros."""
    return -(-width // block)


def pack(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Two 4-bit numbers a byte along the last axis, which is padded to an even length; 8 bits stay as they are."""
    if bits == 8:
        return numbers
    if numbers.shape[-1] % 2:
        numbers = np.concatenate([numbers, np.zeros_like(numbers[..., :1])], axis=-1)
    return numbers[..., 0::2] | (numbers[..., 1::2] << 4)


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The first `count` numbers of every row that `pack` made."""
    if bits == 8:
        return packed[..., :count]
    both = np.stack([packed & 15, packed >> 4], axis=-1)
    return both.reshape(*packed.shape[:-1], -1)[..., :count]


def dequantize(stored: Quantized, width: int, bits: int = 4) -> np.ndarray:
    """What `quantize` made of `[rows, width]`, as numbers again."""
    blocks = stored.scales.shape[1]
    block = stored.numbers.shape[-1] * 8 // bits
    numbers = unpack(stored.numbers, bits, block).astype(np.float32)
    zeros = unpack(stored.zero_points, bits, blocks).astype(np.float32)
    values = (numbers - zeros[:, :, None]) * stored.scales[:, :, None]
    return values.reshape(len(numbers), blocks * block)[:, :width]


def quantize(rows: np.ndarray, block: int, bits: int = 4) -> Quantized:
    """Rounds every block of `rows` `[n, width]` to the nearest of 2^bits levels from its least to its largest value.

    Zero is always a level: it keeps padding exact and is what most published bundles do.
    """
    count, width = rows.shape
    blocks, top = block_count(width, block), 2**bits - 1
    padded = np.pad(rows, ((0, 0), (0, blocks * block - width))) if width % block else rows
    padded = padded.reshape(count, blocks, block)
    low = np.minimum(padded.min(axis=2), 0.0)
    high = np.maximum(padded.max(axis=2), 0.0)
    scales = (high - low) / np.float32(top)
    safe = np.where(scales > 0, scales, 1.0).astype(np.float32)
    zero = np.clip(np.rint(-low / safe), 0, top)
    numbers = padded / safe[:, :, None]
    np.rint(numbers, out=numbers)
    numbers += zero[:, :, None]
    np.clip(numbers, 0, top, out=numbers)
    return Quantized(pack(numbers.astype(np.uint8), bits), safe, pack(zero.astype(np.uint8), bits))
