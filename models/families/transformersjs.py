"""Runs a bundle that `table.py` made through transformers.js and compares greedy ids with its reference.

    npm install --ignore-scripts --prefix DIR @huggingface/transformers
    python models/families/transformersjs.py --package DIR BUNDLE…
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
# What transformers.js 4.3 has for Gemma 4: no video, and one clip a run.
CASES = ("text", "text_long", "image", "images_two", "audio", "image_audio")
KINDS = {"int64": "int64", "float32": "float32", "bool": "bool"}
INPUTS = ("input_ids", "attention_mask", "pixel_values", "image_position_ids", "input_features", "input_features_mask")


def described(array: np.ndarray) -> dict:
    """A tensor as JSON."""
    return {"type": KINDS[str(array.dtype)], "dims": list(array.shape), "data": array.reshape(-1).tolist()}


def job(reference: Path, name: str, steps: int) -> dict:
    """One case's inputs."""
    stored = np.load(reference / f"ref_{name}.npz")
    return {"name": name, "steps": steps, "tensors": {key: described(stored[key]) for key in INPUTS if key in stored}}


def run(package: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Equal and compared ids by case."""
    dtype = folder.name.rsplit("-", 1)[1]
    cases = json.loads((folder / "reference" / "reference.json").read_text())["cases"]
    names = [name for name in CASES if name in cases]
    jobs = [job(folder / "reference", name, len(cases[name]["greedy"])) for name in names]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(jobs, file)
        file.flush()
        command = ["node", str(HERE / "transformersjs.mjs"), str(package.resolve()), str(folder.resolve()), dtype, file.name]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return {
        name: (sum(a == b for a, b in zip(found[name], cases[name]["greedy"])), len(cases[name]["greedy"]))
        for name in names
    }


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, required=True, help="folder with node_modules")
    parser.add_argument("bundles", type=Path, nargs="+")
    args = parser.parse_args()
    wrong = 0
    for folder in args.bundles:
        for name, (equal, count) in run(args.package, folder).items():
            wrong += equal != count
            print(f"{folder.name:24} {name:12} {equal} of {count} greedy ids equal", flush=True)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
