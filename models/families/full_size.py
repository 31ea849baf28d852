"""A bundle of E2B's full size with random weights, for memory and speed. Nothing of its size is ever in memory.

    python models/families/full_size.py OUT [--dtype q4] [--form fused] [--block 32]

About 3.3 GB in q4. What it says is noise; the tokenizer is the tiny model's with the rest of the ids unused.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import shapes  # sets the path for the imports below

import numpy as np
import torch
from transformers import Gemma4AudioConfig, Gemma4Config, Gemma4ForConditionalGeneration, Gemma4VisionConfig

from export import bundle
from export.attention import FORMS
from export.checkpoint import Weights, plain_name

TINY = Path(__file__).resolve().parent.parent / "tiny" / "bundle"
MEDIA_IDS = {
    "<|image>": 255999, "<|audio>": 256000, "<|image|>": 258880, "<|audio|>": 258881, "<image|>": 258882,
    "<audio|>": 258883, "<|video|>": 258884,
}
VOCAB = 262144
POOL = 2**24 + 3
SPREAD = 0.02


def config() -> Gemma4Config:
    """E2B as published."""
    text = dict(
        vocab_size=VOCAB, vocab_size_per_layer_input=VOCAB, hidden_size=1536, intermediate_size=6144,
        num_hidden_layers=35, num_attention_heads=8, num_key_value_heads=1, head_dim=256, global_head_dim=512,
        layer_types=shapes.pattern(4, 7), num_kv_shared_layers=20, use_double_wide_mlp=True,
        hidden_size_per_layer_input=256, sliding_window=512, max_position_embeddings=131072,
        final_logit_softcapping=30.0, tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, bos_token_id=2,
    )
    return Gemma4Config(
        text_config=text, vision_config=Gemma4VisionConfig(use_clipped_linears=True), audio_config=Gemma4AudioConfig(),
        tie_word_embeddings=True,
    )


class Random(Weights):
    """Numbers from one pool, other ones for each tensor and row: cheap, and the same in every run."""

    def __init__(self, settings: Gemma4Config):
        with torch.device("meta"):
            model = Gemma4ForConditionalGeneration(settings)
        self.shapes = {plain_name(name): tuple(value.shape) for name, value in model.state_dict().items()}
        self.pool = np.random.default_rng(0).standard_normal(POOL, np.float32) * np.float32(SPREAD)

    def names(self) -> list[str]:
        return list(self.shapes)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        shape = self.shapes[name]
        if not shape:
            return np.float32(np.inf if name.endswith("max") else -np.inf)
        shape = (len(range(*slice(start, stop).indices(shape[0]))), *shape[1:])
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            return np.full(shape, shape[0] ** -0.25, np.float32)
        if name.endswith(("norm.weight", "layer_scalar")) or "layernorm" in name or "norm_" in name:
            return np.ones(shape, np.float32)
        return self.drawn(name, start, shape)

    def drawn(self, name: str, start: int, shape: tuple[int, ...]) -> np.ndarray:
        """Consecutive numbers of the pool, round and round, from a place that name and row decide."""
        first = (sum(name.encode()) * 7919 + start * 104729) % POOL
        return np.resize(np.roll(self.pool, -first), shape)


def write_tokenizer(folder: Path) -> None:
    """The tiny tokenizer with media tokens at the published ids and all other ids unused."""
    data = json.loads((TINY / "tokenizer.json").read_text())
    vocab = data["model"]["vocab"]
    for token in MEDIA_IDS:
        number = vocab.pop(token)
        vocab[f"<unused{number}>"] = number
    taken = set(MEDIA_IDS.values())
    vocab |= {f"<unused{number}>": number for number in range(len(vocab), VOCAB) if number not in taken} | MEDIA_IDS
    for token in data["added_tokens"]:
        token["id"] = MEDIA_IDS.get(token["content"], token["id"])
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False))


def write_small_files(folder: Path) -> None:
    """Everything but graphs and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer_config.json", "generation_config.json", "preprocessor_config.json"):
        shutil.copy(TINY / name, folder / name)
    processor = json.loads((TINY / "processor_config.json").read_text())
    processor["image_seq_length"] = 280
    processor["image_processor"] |= {"image_seq_length": 280, "max_soft_tokens": 280}
    bundle.write_json(folder / "processor_config.json", processor)
    write_tokenizer(folder)


def memory_peak_bytes() -> int:
    """The most resident memory of this process so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--form", choices=FORMS, default="fused")
    parser.add_argument("--dtype", choices=list(bundle.SUFFIXES), default="q4")
    parser.add_argument("--block", type=int, choices=(32, 128), default=32)
    args = parser.parse_args()
    started, settings = time.time(), config()
    write_small_files(args.out)
    facts = bundle.write_bundle(
        bundle.both_spellings(settings.to_dict()), Random(settings), args.out,
        bundle.Export(args.form, args.dtype, args.block),
    )
    for name, graph in facts.items():
        print(f"{name}: {graph['bytes']:,} bytes, {graph['nodes']} nodes")
    print(f"{time.time() - started:.0f} s, at most {memory_peak_bytes():,} bytes of memory")


if __name__ == "__main__":
    main()
