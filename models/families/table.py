"""Makes small bundles of every family in every form, compares them with PyTorch, and writes the table.

    python models/families/table.py --work DIR [--families e2b,moe] [--forms fused] [--dtypes fp32,q4]

`DIR/<family>-<form>-<dtype>/` is a bundle, with `reference/` inside: inputs, greedy ids and logits of every case, from
PyTorch for fp32, from these very graphs through Python for the other dtypes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import shapes  # sets the path for the imports below

import numpy as np
import torch
from safetensors.numpy import save_file
from tqdm import tqdm

import cases
import prompts
from export import bundle, parity
from export.attention import FORMS
from export.host import Host

HERE = Path(__file__).resolve().parent
STEPS = 64
CHUNKS = (1, 7, 64, 512)
DTYPES = tuple(bundle.SUFFIXES)


class Family:
    """One checkpoint, its inputs, and what PyTorch says to them."""

    def __init__(self, name: str, work: Path):
        self.name, self.folder = name, work / "checkpoints" / name
        self.model = shapes.write(name, self.folder)
        self.config = bundle.read_config(self.folder)
        self.media = work / "media"
        prompts.write_media(self.media)
        maker = cases.processor(self.folder)
        self.batches = {case: prompts.inputs(case, self.media, maker) for case in prompts.names(self.config)}
        self.expected = {
            case: parity.torch_run(self.model, batch, STEPS)
            for case, batch in tqdm(self.batches.items(), desc=f"{name}: PyTorch", leave=False)
        }


def free_run(host: Host, batch: dict, steps: int) -> dict:
    """Prefill and greedy steps of the graphs alone."""
    host.reset()
    prefill = host.step(batch["input_ids"].numpy(), parity.media_arrays(batch), keep=0)
    ids, rows = [int(prefill[-1].argmax())], []
    for _ in range(steps):
        rows.append(host.step(np.array([[ids[-1]]])))
        ids.append(int(rows[-1].argmax()))
    return {"prefill": prefill, "decode": np.concatenate(rows), "greedy": ids}


def chunked(host: Host, batch: dict, whole: np.ndarray) -> float:
    """Largest difference between a prompt run whole and in chunks, over all chunk sizes."""
    worst = 0.0
    for chunk in CHUNKS:
        host.reset()
        found = parity.prefill(host, batch["input_ids"].numpy(), {}, chunk)
        worst = max(worst, float(np.abs(found - whole).max()))
    return worst


def write_reference(folder: Path, family: Family, runs: dict[str, dict]) -> None:
    """`reference.json`, `reference.safetensors` as the tiny bundle has them, `ref_<case>.npz` with all inputs, media."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts.write_media(folder)
    tensors, described = {}, {}
    for case, run in runs.items():
        batch = family.batches[case]
        described[case] = prompts.describe(case, batch, run["greedy"])
        tensors |= {f"{case}.prefill_last": run["prefill"][-1:], f"{case}.decode": run["decode"]}
        tensors[f"{case}.prefill"] = run["prefill"]
        inputs = {name: value.numpy() for name, value in batch.items()}
        np.savez(folder / f"ref_{case}.npz", **inputs, logits_prefill=run["prefill"], logits_decode=run["decode"])
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "reference.safetensors")
    (folder / "reference.json").write_text(json.dumps({"cases": described}, indent=1) + "\n")


def compare(family: Family, export: bundle.Export, work: Path) -> dict:
    """Exports one bundle; returns one row of the table per case."""
    folder = work / f"{family.name}-{export.form}-{export.dtype}"
    bundle.convert(family.folder, folder, export)
    host = Host(folder, family.config, 1, export.suffix)
    rows, runs = {}, {}
    for case, batch in tqdm(family.batches.items(), desc=folder.name, leave=False):
        expected = family.expected[case]
        found = parity.onnx_run(host, batch, expected["greedy"])
        rows[case] = parity.compare(expected, found)
        runs[case] = expected if export.dtype == "fp32" else free_run(host, batch, STEPS)
        if case == "text_long":
            rows[case]["chunked_difference"] = chunked(host, batch, found["prefill"])
    write_reference(folder / "reference", family, runs)
    return rows


def failures(table: dict) -> list[str]:
    """fp32 rows that are not within bounds or have other greedy ids."""
    found = []
    for name, rows in table.items():
        for case, row in rows.items() if name.endswith("-fp32") else ():
            worst = max(row["prefill_difference"], row["decode_difference"])
            if worst > parity.DIFFERENCE_MAX or row["greedy_equal"] < row["greedy_count"]:
                found.append(f"{name} {case}: {row}")
    return found


def chosen(text: str, known: tuple[str, ...]) -> list[str]:
    """A comma-separated choice out of `known`."""
    found = text.split(",")
    for name in found:
        if name not in known:
            raise SystemExit(f"expected some of {', '.join(known)}, found {name}")
    return found


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and bundles")
    parser.add_argument("--families", default=",".join(shapes.FAMILIES))
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--dtypes", default="fp32")
    parser.add_argument("--report", type=Path, help="where the table goes as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started, table = time.time(), {}
    for name in chosen(args.families, tuple(shapes.FAMILIES)):
        family = Family(name, args.work)
        for form in chosen(args.forms, FORMS):
            for dtype in chosen(args.dtypes, DTYPES):
                rows = compare(family, bundle.Export(form, dtype), args.work)
                table[f"{name}-{form}-{dtype}"] = rows
                for case, row in rows.items():
                    print(f"{name:20} {form:9} {dtype:6} {case:12}", row, flush=True)
    report = {"seconds": round(time.time() - started), "steps": STEPS, "table": table}
    if args.report:
        bundle.write_json(args.report, report)
    wrong = failures(table)
    print(*wrong, f"{len(table)} bundles, {len(wrong)} rows out of bounds, {report['seconds']} s", sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
