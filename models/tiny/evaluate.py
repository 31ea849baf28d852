"""Held-out evaluation: `write` makes the cases and their media files, `run` lets PyTorch answer them, `table` lets the
Rust runtime answer them, compares, and puts the table into `evaluation/table.json` and `models/README.md`.

`cargo evaluate` scores both, so that one scorer judges PyTorch and the runtime. Features come from transformers' own
processors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = Path(os.environ.get("LAPIDARY_TINY_WORK", HERE / "runs"))
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from PIL import Image, ImageSequence  # noqa: E402
from tqdm import tqdm  # noqa: E402

import cases  # noqa: E402
import dims  # noqa: E402
import mixture  # noqa: E402
from export.host import Host  # noqa: E402

TURN_TOKENS_MAX = 256
FRAME_MS = 1000
TABLE = r"(?m)^\| \| count \|.*\n(?:\|.*\n)+"


def drawer(senses: bool):
    """The generator of held-out conversations: text, or by halves text and media."""
    text = lambda rng: mixture.draw(rng, True, 1)
    if not senses:
        return text
    import pictures
    import sounds

    store = sounds.bank(WORK / "voices.npz")
    count = lambda picture: pictures.token_count(picture, dims.IMAGE_SOFT_TOKENS)
    return lambda rng: text(rng) if rng.random() < 0.5 else mixture.with_media(rng, store, count)


def write(args) -> None:
    """`cases.jsonl` (messages, tools, thinking, turns, segments, media files) and the media."""
    args.folder.mkdir(parents=True, exist_ok=True)
    rng, draw = random.Random(args.seed), drawer(args.senses)
    with (args.folder / "cases.jsonl").open("w") as out:
        for number in tqdm(range(args.count), desc="cases"):
            build = draw(rng)
            files = [store(args.folder, f"{number:04d}_{i}", source, args.small) for i, source in enumerate(build.sources)]
            out.write(json.dumps({
                "skill": build.skill, "thinking": build.thinking, "media": files,
                "tools": [tool.schema() for tool in build.tools], "messages": build.messages,
                "turns": turns(build), "segments": build.segments,
            }) + "\n")


def turns(build) -> list[int]:
    """Indices of the messages that are targets, in the order of the segments that are."""
    found, rest = [], iter(build.segments)
    for index, message in enumerate(build.messages):
        if message["role"] == "assistant":
            past = f"{message.get('content')}<turn|>\n"
            if next(target for text, target in rest if target or text == past):
                found.append(index)
    return found


def store(folder: Path, stem: str, source, small: bool) -> str:
    """Writes one picture, recording or video (a list of frames, one a second); returns its name. `small` files are a
    third as large and lose a little."""
    coded = {"lossless": not small, "quality": 80 if small else 60, "method": 3}
    if isinstance(source, np.ndarray):
        name, coding = (f"{stem}.ogg", "VORBIS") if small else (f"{stem}.flac", "PCM_16")
        soundfile.write(folder / name, source, 16_000, subtype=coding)
    elif isinstance(source, list):
        name, (first, *others) = f"{stem}.webp", apart(source)
        moving = {"save_all": True, "append_images": others, "duration": FRAME_MS}
        first.save(folder / name, **coded, **moving)
    else:
        name = f"{stem}.webp"
        source.save(folder / name, **coded)
    return name


def apart(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames with one pixel that changes a little, since the encoder would make equal neighbours one frame."""
    found = [frame.copy() for frame in frames]
    for index, frame in enumerate(found):
        red, *others = frame.getpixel((0, 0))
        frame.putpixel((0, 0), (red // 2 + 64 + index % 2 * 16, *others))
    return found


def media_of(maker, folder: Path, names: list[str]) -> dict:
    """What a model takes of a case's files: pixels of pictures and of frames, and recordings."""
    opened = [Image.open(folder / name) for name in names if name.endswith(".webp")]
    stills = [picture.convert("RGB") for picture in opened if picture.n_frames == 1]
    videos = [[frame.convert("RGB") for frame in ImageSequence.Iterator(p)] for p in opened if p.n_frames > 1]
    clips = [soundfile.read(folder / name, dtype="float32")[0] for name in names if not name.endswith(".webp")]
    found = {}
    if stills:
        out = maker.image_processor(stills, return_tensors="np")
        found |= {name: np.asarray(out[name]) for name in ("pixel_values", "image_position_ids")}
    if videos:
        out = maker.video_processor(videos, do_sample_frames=False, return_tensors="np")
        found |= {name: np.asarray(out[name]) for name in ("pixel_values_videos", "video_position_ids")}
        found["num_frames_per_video"] = np.array([len(frames) for frames in videos])
    if clips:
        out = maker.feature_extractor(clips, sampling_rate=16_000, return_tensors="np")
        found |= {"input_features": out["input_features"].astype(np.float32),
                  "input_features_mask": out["input_features_mask"].astype(bool)}
    return found


class TorchHost:
    """The same interface as `Host`, but PyTorch on weights: what export and runtime are compared with."""

    def __init__(self, path: Path, threads: int):
        import torch

        import weights

        torch.set_num_threads(threads)
        self.torch, self.model, self.past = torch, weights.fresh_model(0), None
        self.model.load_state_dict(weights.read_state(path))

    def reset(self) -> None:
        """Forgets the conversation."""
        self.past = None

    def step(self, ids: np.ndarray, media: dict | None = None, keep: int = 1) -> np.ndarray:
        """Runs `[1, n]` more ids; returns logits `[keep or n, vocab]`."""
        tensors = {name: self.torch.from_numpy(array) for name, array in (media or {}).items()}
        with self.torch.no_grad():
            out = self.model(input_ids=self.torch.from_numpy(ids), past_key_values=self.past, use_cache=True,
                             logits_to_keep=keep, **tensors)
        self.past = out.past_key_values
        return out.logits[0].numpy()


class Answerer:
    """Greedy answers of a host at every target of a case."""

    def __init__(self, host, bundle: Path):
        self.host, self.maker = host, cases.processor(bundle)
        self.stops = set(json.loads((bundle / "generation_config.json").read_text())["eos_token_id"])

    def best(self, ids: list[int], media: dict | None = None, keep: int = 1) -> list[int]:
        """The likeliest next ids; media tokens are never written."""
        logits = self.host.step(np.array([ids]), media, keep)
        logits[:, list(dims.MEDIA_IDS.values())] = -np.inf
        return logits.argmax(-1).tolist()

    def encode(self, text: str) -> list[int]:
        """Ids of text with control tokens spelled out."""
        return self.maker.tokenizer(text, add_special_tokens=False)["input_ids"]

    def answers(self, case: dict, folder: Path) -> list[str]:
        """What the model writes at each target, control tokens spelled out."""
        pieces = [(self.encode(text), target) for text, target in case["segments"]]
        ids = [token for piece, _ in pieces for token in piece]
        media = media_of(self.maker, folder, case["media"])
        self.host.reset()
        best, found, start = self.best(ids, media, keep=0), [], 0
        for piece, target in pieces:
            if target:
                likely = best[start - 1 : start + len(piece) - 1]
                agreed = next((i for i, (a, b) in enumerate(zip(likely, piece)) if a != b), len(piece))
                written = piece[:agreed] + likely[agreed : agreed + 1]
                found.append(self.finish(ids[:start], written, media))
            start += len(piece)
        return found

    def finish(self, prompt: list[int], written: list[int], media: dict) -> str:
        """Goes on, greedily, to a stop token; where all of a target was likeliest, it ends already."""
        if written[-1] not in self.stops:
            self.host.reset()
            more = self.best(prompt + written, media)
            while True:
                written = written + more
                if more[0] in self.stops or len(written) >= TURN_TOKENS_MAX:
                    break
                more = self.best(more)
        return self.maker.tokenizer.decode(written, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def run(args) -> None:
    """Writes down what the host answers, one `{"case", "turn", "text"}` a line, and lets Rust score it."""
    torch_host = args.through == "torch"
    config = json.loads((args.bundle / "config.json").read_text())
    host = TorchHost(args.weights, args.threads) if torch_host else Host(args.bundle, config, args.threads)
    answerer, out = Answerer(host, args.bundle), args.out or WORK / f"{args.through}.jsonl"
    lines = (args.folder / "cases.jsonl").read_text().splitlines()
    with out.open("w") as file:
        for number, line in enumerate(tqdm(lines, desc=args.through)):
            case = json.loads(line)
            for turn, text in zip(case["turns"], answerer.answers(case, args.folder), strict=True):
                file.write(json.dumps({"case": number, "turn": turn, "text": text}) + "\n")
    print(scorer(args.folder.resolve(), "--outputs", out.resolve()))


def scorer(*arguments) -> str:
    """What `cargo evaluate` prints, whatever the bars say."""
    command = ["cargo", "evaluate", *arguments, "--ungated"]
    return subprocess.run(command, check=True, cwd=HERE, stdout=subprocess.PIPE, text=True).stdout


def table(args) -> None:
    """Evaluates through the Rust runtime beside what `run` wrote down, and replaces the table of the README."""
    saved, readme = HERE / "evaluation" / "table.json", HERE.parent / "README.md"
    written = args.out or WORK / f"{args.through}.jsonl"
    saved.write_text(scorer(args.folder.resolve(), "--beside", written.resolve(), "--json"))
    rows = scorer("--report", saved)
    parts = re.split(TABLE, readme.read_text())
    if len(parts) != 2:
        raise ValueError(f"{readme}: expected one table that begins with '| | count |', found {len(parts) - 1}")
    readme.write_text(rows.join(parts))
    print(rows)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["write", "run", "table"])
    parser.add_argument("--folder", type=Path, default=WORK / "held")
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--weights", type=Path, default=HERE / "weights.safetensors", help="for PyTorch: what the bundle was made of")
    parser.add_argument("--through", choices=["torch", "onnx"], default="torch", help="onnx: the graphs, but not the Rust runtime")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--senses", action="store_true", help="pictures, sound and videos too")
    parser.add_argument("--small", action="store_true", help="lossy media, for the repository")
    parser.add_argument("--out", type=Path, help="what the model wrote; beside the training's files by default")
    args = parser.parse_args()
    {"write": write, "run": run, "table": table}[args.step](args)


if __name__ == "__main__":
    main()
