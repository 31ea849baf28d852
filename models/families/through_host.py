"""Runs the bundles that table.py made through `lapidary generate`, and compares ids and logits with their references.

    python models/families/through_host.py --work DIR [--lapidary target/debug/lapidary] [--only e2b-windowed]

Prints a table, one row for each bundle: for each case how many of the greedy ids are equal and the largest difference
of a logit. Ends with 1 when an fp32 row differs by more than 2e-3, or any row in an id.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file
from tqdm import tqdm

DIFFERENCE_MAX = 2e-3


def flags(case: dict, folder: Path, scratch: Path) -> list[str]:
    """The media of a case as flags; frames become an animation of one a second."""
    given = []
    for kind in ("images", "audio"):
        for name in case.get(kind, []):
            given += ["--image" if kind == "images" else "--audio", str(folder / name)]
    if case.get("frames"):
        frames = [Image.open(folder / name).convert("RGB") for name in case["frames"]]
        path = scratch / "frames.png"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000)
        given += ["--video", str(path)]
    return given


def run(lapidary: str, bundle: Path, case: dict, media: Path, dtype: str) -> tuple[list[int], dict]:
    """Greedy ids and all logits of one case."""
    with tempfile.TemporaryDirectory() as scratch:
        logits = Path(scratch) / "logits.safetensors"
        ids = ",".join(map(str, case["input_ids"]))
        command = [lapidary, "generate", "--model", str(bundle), "--dtype", dtype, "--resizer", "torchvision"]
        command += ["--ids", ids, "--greedy", "--ignore-eos", "--json", "--logits", str(logits)]
        command += ["--max-tokens", str(len(case["greedy"])), *flags(case, media, Path(scratch))]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            sys.exit(f"{bundle.name}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)["ids"], load_file(logits)


def compare(lapidary: str, bundle: Path, media: Path, dtype: str) -> dict[str, tuple[int, int, float]]:
    """For each case: equal ids, all ids, largest difference."""
    cases = json.loads((bundle / "reference" / "reference.json").read_text())["cases"]
    expected = load_file(bundle / "reference" / "reference.safetensors")
    rows = {}
    for name, case in tqdm(cases.items(), desc=bundle.name, leave=False, disable=None):
        ids, logits = run(lapidary, bundle, case, media, dtype)
        equal = next((i for i, (a, b) in enumerate(zip(ids, case["greedy"])) if a != b), len(ids))
        steps = min(equal, len(expected[f"{name}.decode"]))
        pairs = [(logits["logits_prefill"], expected.get(f"{name}.prefill")),
                 (logits["logits_decode"][:steps], expected[f"{name}.decode"][:steps])]
        largest = max(float(np.abs(a - b).max()) for a, b in pairs if b is not None and len(b))
        rows[name] = (equal, len(ids), largest)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--lapidary", default="target/debug/lapidary")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    failed = False
    for bundle in sorted(path.parent.parent for path in args.work.glob("*/reference/reference.json")):
        if not bundle.name.startswith(args.only):
            continue
        dtype = bundle.name.rsplit("-", 1)[1]
        rows = compare(args.lapidary, bundle, args.work / "media", dtype)
        cells = [f"{name} {equal}/{count} {largest:.1e}" for name, (equal, count, largest) in rows.items()]
        wrong = any(equal < count or (dtype == "fp32" and largest > DIFFERENCE_MAX)
                    for equal, count, largest in rows.values())
        failed |= wrong
        print(f"| {bundle.name} | {' | '.join(cells)} |{' WRONG' if wrong else ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
