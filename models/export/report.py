"""The parity report of an export: seeded inputs, needing no tokenizer, through transformers and through the graphs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import Gemma4ForCausalLM, Gemma4ForConditionalGeneration

from . import bundle, parity
from .checkpoint import shards
from .host import Host

STEPS = 16
# transformers holds the checkpoint as float32, the graphs once more.
MEMORY_SHARE = 0.4
PATCHES, POOL = (9, 15), 3
AUDIO_FRAMES = 130
PACKAGES = ("torch", "transformers", "onnxruntime", "numpy")


def memory_bytes() -> int:
    """Memory that is free or could be (Linux; 0 elsewhere, which leaves the comparison out)."""
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def checkpoint_bytes(folder: Path) -> int:
    """Bytes of the checkpoint as float32, taking it for 16-bit."""
    return 2 * sum(path.stat().st_size for path in shards(folder))


def text_ids(random: np.random.Generator, config: dict, count: int) -> np.ndarray:
    """Ordinary ids: beyond the control tokens, and no media."""
    named = [config[key] for key in config if key.endswith(("_token_id", "_token_index"))]
    media = [number for number in named if isinstance(number, int) and number > 300]
    top = min([*media, config["text_config"]["vocab_size"]])
    return random.integers(min(300, top // 2), top, count)


def grid() -> tuple[np.ndarray, int]:
    """Positions `[1, patches, 2]` of one picture, with three lines of padding, and its soft tokens."""
    height, width = PATCHES
    rows, columns = np.mgrid[0:height, 0:width]
    places = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    padding = np.full((3 * POOL * POOL, 2), -1)
    return np.concatenate([places, padding])[None], height * width // POOL**2


def image_case(random: np.random.Generator, config: dict) -> dict:
    """Text around one noisy picture."""
    positions, count = grid()
    pixels = random.random((1, positions.shape[1], 3 * config["vision_config"]["patch_size"] ** 2)).astype(np.float32)
    pixels[:, positions[0, :, 0] < 0] = 0
    ids = surrounded(random, config, "image", count)
    return ids | {"pixel_values": pixels, "image_position_ids": positions}


def audio_case(random: np.random.Generator, config: dict) -> dict:
    """Text around one noisy clip whose last frames are padding."""
    mask = np.ones((1, AUDIO_FRAMES), bool)
    mask[:, -9:] = False
    features = (random.standard_normal((1, AUDIO_FRAMES, 128)) * mask[:, :, None]).astype(np.float32)
    ids = surrounded(random, config, "audio", int(mask[:, ::2][:, ::2].sum()))
    return ids | {"input_features": features, "input_features_mask": mask}


def surrounded(random: np.random.Generator, config: dict, kind: str, count: int) -> dict:
    """Ids with `count` placeholders in the middle, and their types."""
    before, after = text_ids(random, config, 8), text_ids(random, config, 12)
    ids = np.concatenate([before, np.full(count, config[f"{kind}_token_id"]), after])[None]
    types = np.where(ids == config[f"{kind}_token_id"], {"image": 1, "audio": 3}[kind], 0)
    return {"input_ids": ids, "mm_token_type_ids": types}


def cases(config: dict) -> dict[str, dict]:
    """Inputs by name. The long text goes over two windows."""
    random = np.random.default_rng(0)
    text = lambda count: {"input_ids": text_ids(random, config, count)[None]}
    found = {"text": text(24), "text_long": text(2 * config["text_config"]["sliding_window"] + 40)}
    if config.get("vision_config"):
        found["image"] = image_case(random, config)
    if config.get("audio_config"):
        found["audio"] = audio_case(random, config)
    return found


def load(checkpoint: Path):
    """The model in transformers, float32."""
    kind = json.loads((checkpoint / "config.json").read_text())["model_type"]
    model = Gemma4ForCausalLM if kind == "gemma4_text" else Gemma4ForConditionalGeneration
    return model.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()


def compare(checkpoint: Path, out: Path, export: bundle.Export) -> dict:
    """Differences by case."""
    model, config = load(checkpoint), bundle.read_config(checkpoint)
    host, found = Host(out, config, torch.get_num_threads(), export.suffix), {}
    for name, arrays in tqdm(cases(config).items(), desc=f"parity {export.dtype}", disable=None):
        batch = {key: torch.from_numpy(value) for key, value in arrays.items()}
        expected = parity.torch_run(model, batch, STEPS)
        found[name] = parity.compare(expected, parity.onnx_run(host, batch, expected["greedy"]))
    return found


def write(checkpoint: Path, out: Path, export: bundle.Export) -> None:
    """Adds this dtype to `out/parity.json` and prints it; float32 out of bounds is an error."""
    path = out / "parity.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    needed, there = checkpoint_bytes(checkpoint), int(memory_bytes() * MEMORY_SHARE)
    if needed > there:
        rows = {"left_out": f"transformers would need {needed:,} bytes, and {there:,} are to spare"}
    else:
        rows = compare(checkpoint, out, export)
    report[export.dtype] = {
        "form": export.form, "block": export.block if export.storage.block else None,
        "packages": {name: version(name) for name in PACKAGES}, "cases": rows,
    }
    bundle.write_json(path, report)
    print(json.dumps(rows, indent=1))
    if export.dtype == "fp32" and needed <= there:
        check(rows)


def check(rows: dict) -> None:
    """Raises unless all logits are within bounds."""
    for name, row in rows.items():
        worst = max(row["prefill_difference"], row["decode_difference"])
        if worst > parity.DIFFERENCE_MAX:
            raise SystemExit(f"parity {name}: expected at most {parity.DIFFERENCE_MAX}, found {worst}")
