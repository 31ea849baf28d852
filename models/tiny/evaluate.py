"""Held-out evaluation: `write` makes the cases and their media files, `run` counts what a bundle gets right.

A case counts where every token of its target is the most likely one after the tokens before it, which is what greedy
decoding needs to write exactly that text. Features come from transformers' own processors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from PIL import Image  # noqa: E402
from tqdm import tqdm  # noqa: E402

import cases  # noqa: E402
import mixture  # noqa: E402
from export.host import Host  # noqa: E402

BARS = {
    "tool calls exactly right": 95, "no call where none fits": 95, "answers from the tool result": 95,
    "errors of a tool told": 95, "thinking on or off obeyed": 100, "small talk": None, "system instructions": 90,
    "remembers earlier turns": None, "image: colour": 95, "image: shape": 95, "image: count": 90, "image: position": 90,
    "image: description": None, "two images": None, "spoken digits": None, "spoken commands": None,
}
SKILLS = {
    "tool_call.0": "tool calls exactly right", "tool_error.0": "tool calls exactly right",
    "no_fit.0": "no call where none fits", "no_call.0": "no call where none fits",
    "tool_call.1": "answers from the tool result", "tool_error.1": "errors of a tool told", "about.0": "small talk",
    "outside.0": "small talk", "fact.0": "small talk", "instruction.0": "system instructions",
    "memory.0": "remembers earlier turns", "image_colour.0": "image: colour", "image_shape.0": "image: shape",
    "image_count.0": "image: count", "image_position.0": "image: position", "image_describe.0": "image: description",
    "image_two.0": "two images", "audio_digits.0": "spoken digits", "audio_words.0": "spoken commands",
}


def drawer(senses: bool):
    """The generator of conversations."""
    if not senses:
        return mixture.draw
    import senses as mixed

    return mixed.draw


def write(args) -> None:
    """`cases.jsonl` (messages, tools, thinking, segments, media files) and the media."""
    args.folder.mkdir(parents=True, exist_ok=True)
    rng, draw = random.Random(args.seed), drawer(args.senses)
    with (args.folder / "cases.jsonl").open("w") as out:
        for number in tqdm(range(args.count), desc="cases"):
            build = draw(rng, True, 1)
            files = [store(args.folder, f"{number:04d}_{i}", source) for i, source in enumerate(build.sources)]
            out.write(json.dumps({
                "skill": build.skill, "thinking": build.thinking, "system": build.system, "media": files,
                "tools": [tool.schema() for tool in build.tools], "messages": build.messages,
                "segments": build.segments,
            }) + "\n")


def store(folder: Path, stem: str, source) -> str:
    """Writes one picture or recording; returns its file name."""
    if isinstance(source, Image.Image):
        source.save(folder / f"{stem}.png")
        return f"{stem}.png"
    soundfile.write(folder / f"{stem}.wav", source, 16_000, subtype="PCM_16")
    return f"{stem}.wav"


def media_of(maker, folder: Path, names: list[str]) -> dict:
    """Graph inputs of a case's files."""
    found = {}
    pictures = [Image.open(folder / name).convert("RGB") for name in names if name.endswith(".png")]
    if pictures:
        out = maker.image_processor(pictures, return_tensors="np")
        found |= {name: np.asarray(out[name]) for name in ("pixel_values", "image_position_ids")}
    clips = [soundfile.read(folder / name, dtype="float32")[0] for name in names if name.endswith(".wav")]
    if clips:
        out = maker.feature_extractor(clips, sampling_rate=16_000, return_tensors="np")
        found |= {"input_features": out["input_features"].astype(np.float32),
                  "input_features_mask": out["input_features_mask"].astype(bool)}
    return found


def score(host: Host, maker, case: dict, folder: Path) -> list[tuple[str, bool]]:
    """`(row of the table, right)` for every target of a case."""
    encode = lambda text: maker.tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = [(encode(text), target) for text, target in case["segments"]]
    ids = [token for piece, _ in pieces for token in piece]
    host.reset()
    best = host.step(np.array([ids]), media_of(maker, folder, case["media"]), keep=0).argmax(-1)
    found, start, index = [], 0, 0
    for piece, target in pieces:
        if target:
            right = best[start - 1 : start + len(piece) - 1] == np.array(piece)
            found.append((SKILLS.get(f"{case['skill']}.{index}"), bool(right.all())))
            if index == 0:
                opens = best[start - 1] == 100
                found.append(("thinking on or off obeyed", bool(opens) == case["thinking"]))
            index += 1
        start += len(piece)
    return [(row, right) for row, right in found if row]


class TorchHost:
    """The same interface as `Host`, but PyTorch on the committed weights: what export and runtime are compared with."""

    def __init__(self, threads: int):
        import torch

        import weights

        torch.set_num_threads(threads)
        self.torch, self.model = torch, weights.fresh_model(0)
        self.model.load_state_dict(weights.read_state(HERE / "weights.safetensors"))

    def reset(self) -> None:
        """Nothing to forget: every call is a whole conversation."""

    def step(self, ids: np.ndarray, media: dict, keep: int) -> np.ndarray:
        """Logits `[n, vocab]` of all positions."""
        tensors = {name: self.torch.from_numpy(array) for name, array in media.items()}
        with self.torch.no_grad():
            return self.model(input_ids=self.torch.from_numpy(ids), use_cache=False, **tensors).logits[0].numpy()


def opened(args):
    """The host that was asked for."""
    if args.through == "torch":
        return TorchHost(args.threads)
    return Host(args.bundle, json.loads((args.bundle / "config.json").read_text()), args.threads)


def run(args) -> None:
    """Prints the table; writes it as JSON if asked."""
    host = opened(args)
    maker, tally = cases.processor(args.bundle), defaultdict(list)
    lines = (args.folder / "cases.jsonl").read_text().splitlines()
    for line in tqdm(lines, desc="evaluate"):
        for row, right in score(host, maker, json.loads(line), args.folder):
            tally[row].append(right)
    table = {row: {"right": sum(tally[row]), "of": len(tally[row])} for row in BARS if row in tally}
    for row, entry in table.items():
        share = 100 * entry["right"] / entry["of"]
        print(f"| {row} | {entry['right']} of {entry['of']} | {share:.1f} % | {BARS[row] or '-'} |")
    if args.out:
        args.out.write_text(json.dumps(table, indent=1) + "\n")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["write", "run"])
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("LAPIDARY_TINY_WORK", HERE / "runs")) / "held")
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--through", choices=["onnx", "torch"], default="onnx")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--senses", action="store_true", help="pictures and sound too")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    {"write": write, "run": run}[args.step](args)


if __name__ == "__main__":
    main()
