"""Trains the vision or the audio tower by itself, towards the text model's own embeddings.

A soft token on a red circle should lie near the embeddings of "red", "circle", its number and its place; the soft
tokens at the end of a spoken word near that word's, all others near none. The goal has no parameters of its own, and
reading such tokens is mostly copying, which the decoder has learnt by then. Resumable.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tqdm import tqdm  # noqa: E402

import pictures  # noqa: E402
import senses  # noqa: E402
import sounds  # noqa: E402
import videos  # noqa: E402
import weights  # noqa: E402
from muon import Muon  # noqa: E402

WARMUP_STEPS = 30
PARTS = {"vision": ("vision_tower", "embed_vision"), "audio": ("audio_tower", "embed_audio")}
BUDGETS, BUDGET_SHARES = (30, 70, 140, 280), (0.45, 0.47, 0.06, 0.02)
CLOSE_SHARE, CLOSE_BUDGETS = 0.7, (4, 4, 4, 9)
PATCHES, TOKENS = 4_000, 2_400
PICTURES, RECORDINGS, PASSES = 128, 1024, 5


def picture(front, rng: random.Random, held: bool) -> tuple:
    """One picture with the words of its soft tokens. Most are small and close: as many patches on the shape, but little
    ground. Held-out ones have the bundle's budget."""
    if not held and rng.random() < CLOSE_SHARE:
        return pictures.features(pictures.close(rng), rng.choice(CLOSE_BUDGETS))
    budget = 70 if held else rng.choices(BUDGETS, BUDGET_SHARES)[0]
    canvas = videos.frame(rng, held) if rng.random() < 0.25 else pictures.scene(rng, held, rng.choice((1, 2, 3, 4)))[0]
    return pictures.features(canvas, budget)


def recording(front, rng: random.Random, held: bool) -> tuple:
    """One recording, as far as the convolutions, with its words."""
    frames, spans = sounds.features(*sounds.clip(rng, sounds.words_of(rng)[0], held, senses.voices()))
    return senses.sound_front(front, frames), spans


# Maker, most patches or tokens of a batch, how many are made at a time, how often they are used.
MAKERS = {"vision": (picture, PATCHES, PICTURES, 1), "audio": (recording, TOKENS, RECORDINGS, PASSES)}


def batches(front, tower: str, rng: random.Random, held: bool) -> Iterator[list[tuple]]:
    """Endless groups of media of like size."""
    make, most, count, passes = MAKERS[tower]
    while True:
        made = [make(front, rng, held) for _ in range(128 if held else count)]
        for _ in range(passes):
            groups: list[list[tuple]] = [[]]
            for item in sorted(made, key=lambda item: len(item[0]) + 4 * rng.random()):
                if groups[-1] and (len(groups[-1]) + 1) * len(item[0]) > most:
                    groups.append([])
                groups[-1].append(item)
            rng.shuffle(groups)
            yield from groups


def optimizers(named: list, args) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside layers, AdamW for the rest."""
    inside = lambda name, p: p.ndim == 2
    found = [
        Muon([p for name, p in named if inside(name, p)], lr=args.muon_lr, weight_decay=0.01),
        torch.optim.AdamW([p for name, p in named if not inside(name, p)], lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for optimizer in found:
        for group in optimizer.param_groups:
            group["top"] = group["lr"]
    return found


@torch.no_grad()
def measure(model, tokenizer, tower: str, groups: list[list[tuple]]) -> dict:
    """Held-out accuracy, by kind of word."""
    tally: dict[str, list[float]] = {}
    for items in groups:
        for name, (right, count) in senses.GOALS[tower](model, tokenizer, items)[1].items():
            entry = tally.setdefault(name, [0, 0])
            entry[0], entry[1] = entry[0] + right, entry[1] + count
    return {name: round(right / max(1, count), 4) for name, (right, count) in tally.items()}


def run(args) -> None:
    """Trains until `--steps`."""
    torch.set_num_threads(args.threads)
    model = weights.fresh_model(args.seed).train()
    model.load_state_dict(weights.read_state(args.start))
    front = model.model.audio_tower.subsample_conv_projection
    if args.tower == "audio":
        model.model.audio_tower.subsample_conv_projection = senses.AfterFront(front)
    named = [(n, p) for n, p in model.named_parameters() if any(f".{part}." in n for part in PARTS[args.tower])]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(name == own for own, _ in named))
    opts, path, step = optimizers(named, args), args.work / f"{args.tower}.pt", 0
    tokenizer = Tokenizer.from_file(str(args.bundle / "tokenizer.json"))
    if path.exists():
        stored = torch.load(path, map_location="cpu")
        model.load_state_dict(stored["model"], strict=False)
        step = stored["step"]
        for optimizer, state in zip(opts, stored["opts"]):
            optimizer.load_state_dict(state)
    source_of = lambda seed, is_held: batches(front, args.tower, random.Random(seed), is_held)
    held_source, source = source_of("held", True), source_of(f"{args.seed} {step}", False)
    held = [next(held_source) for _ in range(args.held)]
    losses: list[float] = []
    for step in tqdm(range(step + 1, args.steps + 1), initial=step, total=args.steps, mininterval=10):
        factor = min(1.0, step / WARMUP_STEPS) * max(0.0, min(1.0, (args.steps + 1 - step) / args.decay))
        loss = senses.GOALS[args.tower](model, tokenizer, next(source))[0]
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
        for optimizer in opts:
            for group in optimizer.param_groups:
                group["lr"] = group["top"] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        if step % args.every == 0 or step == args.steps:
            own = {n: p.detach() for n, p in named}
            draft = path.with_suffix(".draft")
            torch.save({"model": own, "step": step, "opts": [o.state_dict() for o in opts]}, draft)
            draft.replace(path)
            line = {"tower": args.tower, "step": step, "loss": round(sum(losses) / len(losses), 4), "held": measure(model, tokenizer, args.tower, held)}
            with (args.work / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            tqdm.write(json.dumps(line))
            losses = []


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tower", choices=list(PARTS))
    parser.add_argument("--start", type=Path, default=HERE / "weights.safetensors", help="weights with trained embeddings")
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("LAPIDARY_TINY_WORK", HERE / "runs")))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--decay", type=int, default=800)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--held", type=int, default=6)
    parser.add_argument("--muon-lr", type=float, default=0.015)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
