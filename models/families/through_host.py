"""Runs the bundles that table.py made through `lapidary generate`, and compares ids and logits.

    python models/families/through_host.py --work DIR [--lapidary target/debug/lapidary] [--only e2b-windowed]

fp32 is compared with PyTorch, ids and logits. Other dtypes are compared with the same graphs run from Python: on the
features that `lapidary features` gives for recordings, since 4-bit graphs round activations to 8 bits and then any
difference in the last bit shows, and with windows cut when the host cuts them.

Prints a row for each bundle: for each case how many of the greedy ids are equal and, for fp32, the largest difference
of a logit. Ends with 1 when an id differs, or an fp32 logit by more than 2e-3.
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

import shapes  # noqa: F401, sets the path for the imports below

from export import bundle as exported
from export.host import Host

DIFFERENCE_MAX = 2e-3
SLACK_ROWS = 128  # host/src/model/cache.rs
PICTURES = ("pixel_values", "image_position_ids", "pixel_values_videos", "video_position_ids")


class SlackHost(Host):
    """Cuts windows only when they are exceeded by some rows, as the host does."""

    def trimmed(self, name: str, present: np.ndarray) -> np.ndarray:
        """As the host's cache."""
        exceeds = present.shape[2] > self.window - 1 + SLACK_ROWS
        return super().trimmed(name, present) if exceeds else present


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


def heard(lapidary: str, path: Path) -> dict:
    """The features of a recording, as the host makes them."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "features.safetensors"
        subprocess.run([lapidary, "features", "audio", str(path), "--out", str(out)], check=True, capture_output=True)
        return {name: value[None] for name, value in load_file(out).items()}


def python_ids(lapidary: str, host: Host, folder: Path, name: str, case: dict, media: Path) -> list[int]:
    """Greedy ids of the same graphs run from Python."""
    inputs = np.load(folder / "reference" / f"ref_{name}.npz")
    given = {key: inputs[key] for key in PICTURES if key in inputs}
    for recording in case["audio"]:
        given |= heard(lapidary, media / recording)
    host.reset()
    ids, logits = [], host.step(np.array([case["input_ids"]]), given)[-1]
    for _ in case["greedy"]:
        ids.append(int(logits.argmax()))
        logits = host.step(np.array([ids[-1:]]))[-1]
    return ids


def equal_ids(found: list[int], expected: list[int]) -> int:
    """How many are equal before the first that is not."""
    return next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), len(found))


def largest_difference(logits: dict, expected: dict, name: str, steps: int) -> float:
    """Over the prompt and the first steps."""
    pairs = [(logits["logits_prefill"], expected[f"{name}.prefill"]),
             (logits["logits_decode"][:steps], expected[f"{name}.decode"][:steps])]
    return max(float(np.abs(a[: len(b)] - b).max()) for a, b in pairs if len(b))


def compare(lapidary: str, folder: Path, media: Path, dtype: str) -> dict[str, tuple[int, int, float]]:
    """For each case: equal ids, all ids, largest difference (0 where none is asked for)."""
    cases = json.loads((folder / "reference" / "reference.json").read_text())["cases"]
    expected = load_file(folder / "reference" / "reference.safetensors")
    host = SlackHost(folder, exported.read_config(folder), suffix=f"_{dtype}") if dtype != "fp32" else None
    rows = {}
    for name, case in tqdm(cases.items(), desc=folder.name, leave=False, disable=None):
        ids, logits = run(lapidary, folder, case, media, dtype)
        if host:
            equal = equal_ids(ids, python_ids(lapidary, host, folder, name, case, media))
            rows[name] = (equal, len(ids), 0.0)
        else:
            equal = equal_ids(ids, case["greedy"])
            steps = min(equal, len(expected[f"{name}.decode"]))
            rows[name] = (equal, len(ids), largest_difference(logits, expected, name, steps))
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
        cells = [f"{name} {equal}/{count}" + (f" {largest:.1e}" if largest else "")
                 for name, (equal, count, largest) in rows.items()]
        wrong = any(equal < count or largest > DIFFERENCE_MAX for equal, count, largest in rows.values())
        failed |= wrong
        print(f"| {bundle.name} | {' | '.join(cells)} |{' WRONG' if wrong else ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
