"""Compares a bundle with PyTorch case by case, and writes the reference data for the Rust tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tqdm import tqdm

import cases
from export.host import Host

STEPS = 24
STEPS_STORED = {"text": 16}
STEPS_STORED_OTHER = 6
DIFFERENCE_MAX = 2e-3


@torch.no_grad()
def torch_run(model, batch: dict, steps: int) -> dict[str, np.ndarray]:
    """Prefill logits `[n, vocab]`, logits of `steps` cached greedy steps and the greedy ids (steps + 1)."""
    out = model(**batch, use_cache=True)
    prefill, past = out.logits[0], out.past_key_values
    ids, rows = [int(prefill[-1].argmax())], []
    for _ in range(steps):
        out = model(input_ids=torch.tensor([[ids[-1]]]), past_key_values=past, use_cache=True)
        rows.append(out.logits[0, -1])
        ids.append(int(rows[-1].argmax()))
    return {"prefill": prefill.numpy(), "decode": torch.stack(rows).numpy(), "greedy": ids}


def onnx_run(host: Host, batch: dict, greedy: list[int]) -> dict[str, np.ndarray]:
    """The same through the graphs; fed with PyTorch's ids so that one near tie does not spoil the rest."""
    host.reset()
    prefill = host.step(batch["input_ids"].numpy(), cases.as_arrays(batch), keep=0)
    decode = np.concatenate([host.step(np.array([[token]])) for token in greedy[:-1]])
    ids = [int(row.argmax()) for row in (prefill[-1], *decode)]
    return {"prefill": prefill, "decode": decode, "greedy": ids}


def compare(expected: dict, found: dict) -> dict:
    """Largest absolute differences, and how many greedy ids are equal."""
    same = sum(a == b for a, b in zip(expected["greedy"], found["greedy"]))
    return {
        "positions": len(expected["prefill"]),
        "prefill_difference": float(np.abs(expected["prefill"] - found["prefill"]).max()),
        "decode_difference": float(np.abs(expected["decode"] - found["decode"]).max()),
        "greedy_equal": same, "greedy_count": len(expected["greedy"]),
    }


def stored_tensors(name: str, run: dict, batch: dict, host: Host) -> dict[str, np.ndarray]:
    """What goes into `reference.safetensors` for one case."""
    steps = STEPS_STORED.get(name, STEPS_STORED_OTHER)
    tensors = {f"{name}.prefill_last": run["prefill"][-1:], f"{name}.decode": run["decode"][:steps]}
    if name == "text":
        tensors["text.prefill"] = run["prefill"]
    if name == "audio":
        tensors["audio.input_features"] = batch["input_features"].numpy()
        tensors["audio.input_features_mask"] = batch["input_features_mask"].numpy().astype(np.uint8)
    if name == "image":
        tensors["image.image_position_ids"] = batch["image_position_ids"].numpy()
    return {key: np.ascontiguousarray(value) for key, value in tensors.items()}


def soft_tokens(model, name: str, batch: dict) -> dict[str, np.ndarray]:
    """PyTorch's soft tokens of the single-media cases `[tokens, hidden]`."""
    with torch.no_grad():
        if name == "image":
            out = model.model.get_image_features(batch["pixel_values"], batch["image_position_ids"])
            return {"image.image_features": torch.cat(list(out.pooler_output)).numpy()}
        if name == "audio":
            out = model.model.get_audio_features(batch["input_features"], batch["input_features_mask"])
            return {"audio.audio_features": out.pooler_output[out.attention_mask].numpy()}
    return {}


def run(model, bundle: Path, reference: Path, facts: dict) -> dict:
    """All cases; writes `reference.json`, `reference.safetensors`; returns the parity report."""
    host = Host(bundle, json.loads((bundle / "config.json").read_text()))
    maker = cases.processor(bundle)
    described, tensors, report = {}, {}, {}
    for name in tqdm(cases.CASES, desc="parity"):
        batch = cases.inputs(name, reference, maker)
        expected = torch_run(model, batch, STEPS)
        report[name] = compare(expected, onnx_run(host, batch, expected["greedy"]))
        tensors |= stored_tensors(name, expected, batch, host) | soft_tokens(model, name, batch)
        described[name] = describe(name, batch, expected)
    save_file(tensors, str(reference / "reference.safetensors"))
    (reference / "reference.json").write_text(json.dumps({"facts": facts, "cases": described}, indent=1) + "\n")
    return {"facts": facts, "difference_max": DIFFERENCE_MAX, "cases": report}


def describe(name: str, batch: dict, run: dict) -> dict:
    """One entry of `reference.json`."""
    case = cases.CASES[name]
    return {
        "prompt": cases.chat(case["prompt"]), "images": case.get("images", []), "audio": case.get("audio", []),
        "input_ids": batch["input_ids"][0].tolist(), "mm_token_type_ids": batch["mm_token_type_ids"][0].tolist(),
        "greedy": run["greedy"],
    }


def check(report: dict) -> None:
    """Raises unless every case is within bounds and greedy ids are equal."""
    for name, case in report["cases"].items():
        worst = max(case["prefill_difference"], case["decode_difference"])
        if worst > DIFFERENCE_MAX or case["greedy_equal"] != case["greedy_count"]:
            raise SystemExit(f"parity {name}: expected at most {DIFFERENCE_MAX} and equal ids, found {case}")
