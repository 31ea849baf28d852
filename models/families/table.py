"""Makes small bundles of every family in every form, compares them with PyTorch, and writes the table.

    python models/families/table.py --work DIR [--families e2b,moe] [--forms fused] [--dtypes fp32,q4]

`DIR/<family>-<form>-<dtype>/` is a bundle, with `reference/` inside: inputs, greedy ids and logits of every case, from
PyTorch for fp32, from these very graphs through Python for the other dtypes. The rows of 4-bit bundles compare PyTorch
that has the rounded weights with the same graphs at accuracy level 1; level 4 rounds activations too, and is what the
bundle has.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from importlib.metadata import version
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
from rounded import rounded

HERE = Path(__file__).resolve().parent
STEPS = 64
CHUNKS = (1, 7, 64, 512)
BLOCK = 32
# Small, so that every bundle has several data files, and tables are cut.
FILE_BYTES_MAX = 500_000
PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "numpy")
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
            for case, batch in tqdm(self.batches.items(), desc=f"{name}: PyTorch", leave=False, disable=None)
        }

    @functools.cached_property
    def rounded(self) -> dict[str, dict]:
        """What PyTorch says with the weights of a 4-bit bundle."""
        twin = rounded(self.model, BLOCK)
        return {case: parity.torch_run(twin, batch, STEPS) for case, batch in self.batches.items()}

    def expected_of(self, dtype: str) -> dict[str, dict]:
        """What a bundle of this dtype should say."""
        return self.rounded if dtype.startswith("q4") else self.expected


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


def opened(family: Family, form: str, dtype: str, accuracy: int, folder: Path) -> Host:
    """Exports one bundle and opens it."""
    export = bundle.Export(form, dtype, BLOCK, accuracy, FILE_BYTES_MAX)
    bundle.convert(family.folder, folder, export)
    return Host(folder, family.config, 1, export.suffix)


def compare(family: Family, form: str, dtype: str, work: Path) -> dict:
    """Exports one bundle; returns one row of the table per case."""
    folder, expected = work / f"{family.name}-{form}-{dtype}", family.expected_of(dtype)
    host = exact = opened(family, form, dtype, 4, folder)
    if dtype.startswith("q4"):
        exact = opened(family, form, dtype, 1, work / "exact" / folder.name)
    rows, runs = {}, {}
    for case, batch in tqdm(family.batches.items(), desc=folder.name, leave=False, disable=None):
        found = parity.onnx_run(exact, batch, expected[case]["greedy"])
        rows[case] = parity.compare(expected[case], found)
        runs[case] = expected[case] if dtype == "fp32" else free_run(host, batch, STEPS)
        if case == "text_long" and dtype == "fp32":
            rows[case]["chunked_difference"] = chunked(host, batch, found["prefill"])
    write_reference(folder / "reference", family, runs)
    return rows


def failures(table: dict) -> list[str]:
    """Rows in float32 arithmetic that are not within bounds or have other greedy ids."""
    found = []
    for name, rows in table.items():
        for case, row in rows.items() if name.endswith(("-fp32", "-q4")) else ():
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
    parser.add_argument("--report", type=Path, help="where the table goes as JSON; rows that are there stay")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = args.report and args.report.exists()
    table = json.loads(args.report.read_text())["table"] if known else {}
    started, done = time.time(), 0
    for name in chosen(args.families, tuple(shapes.FAMILIES)):
        family = Family(name, args.work)
        for form in chosen(args.forms, FORMS):
            for dtype in chosen(args.dtypes, DTYPES):
                rows = compare(family, form, dtype, args.work)
                table[f"{name}-{form}-{dtype}"] = rows
                done += 1
                for case, row in rows.items():
                    print(f"{name:20} {form:9} {dtype:6} {case:12}", row, flush=True)
                if args.report:
                    packages = {package: version(package) for package in PACKAGES}
                    bundle.write_json(args.report, {"steps": STEPS, "packages": packages, "table": table})
    wrong = failures(table)
    print(*wrong, f"{done} bundles, {len(wrong)} rows out of bounds, {time.time() - started:.0f} s", sep="\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
