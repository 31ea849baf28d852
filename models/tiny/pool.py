"""A pool of soft tokens: media that the trained towers have read once, so that the decoder can be trained on them many
times at the price of text."""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import torch  # noqa: E402
from tqdm import tqdm  # noqa: E402

import mixture  # noqa: E402
import pictures  # noqa: E402
import senses  # noqa: E402
import sounds  # noqa: E402
import videos  # noqa: E402
import weights  # noqa: E402
from render import Builder  # noqa: E402

BUDGETS, BUDGET_SHARES = (70, 30, 140, 280), (0.72, 0.16, 0.08, 0.04)
FRAME_BUDGETS, FRAME_SHARES = (70, 30), (0.6, 0.4)
LIKE = 24
STRAY_SHARE, STILL_SHARE, BACKWARDS_SHARE = 0.3, 0.2, 0.4


def picture(rng: random.Random, held: bool) -> dict:
    """A picture to read, and its facts."""
    sources, facts = mixture.one_picture(rng, held)
    budget = 70 if held else rng.choices(BUDGETS, BUDGET_SHARES)[0]
    return {"kind": "picture", "media": [pictures.features(canvas, budget) for canvas in sources], "facts": facts}


def stray(rng: random.Random, held: bool) -> dict:
    """A picture whose colour or shape has no name; there are no held-out ones."""
    canvas, *facts = pictures.stray(rng, rng.choice((1, 1, 1, 2, 3, 4)))
    return {"kind": "picture", "media": [pictures.features(canvas, 70)], "facts": tuple(facts)}


def video(rng: random.Random, held: bool) -> dict:
    """A video to read, frame by frame, and its facts."""
    frames, facts = videos.clip(rng, held)
    budget = 70 if held else rng.choices(FRAME_BUDGETS, FRAME_SHARES)[0]
    return {"kind": "video", "media": [pictures.features(frame, budget) for frame in frames], "facts": facts}


def sound(rng: random.Random, held: bool) -> dict:
    """A recording to read, and its facts."""
    samples, facts = mixture.recording(rng, held, senses.voices())
    return {"kind": "sound", "media": [sounds.features(samples, [])], "facts": facts}


MAKERS = {"picture": (picture, senses.image_rows), "stray": (stray, senses.image_rows),
          "video": (video, senses.image_rows), "sound": (sound, senses.audio_rows)}


@torch.no_grad()
def read(model, items: list[dict], rows_of: Callable) -> None:
    """Replaces features by soft tokens, half precision; media of like size go through the tower together."""
    media = sorted(((item, place) for item in items for place in range(len(item["media"]))),
                   key=lambda entry: len(entry[0]["media"][entry[1]][0]))
    for start in range(0, len(media), LIKE):
        group = media[start : start + LIKE]
        features = [item["media"][place] for item, place in group]
        per_token = 9 if rows_of is senses.image_rows else 4
        rows = rows_of(model, features).half().split([-(-len(entry[0]) // per_token) for entry in features])
        for (item, place), own in zip(group, rows):
            item["media"][place] = own.clone()


def make(model, kind: str, count: int, rng: random.Random, held: bool) -> list[dict]:
    """`count` entries of one kind: `kind`, `media` (soft tokens, one tensor a picture, frame or recording), `facts`."""
    maker, rows_of = MAKERS[kind]
    found = []
    for start in tqdm(range(0, count, 256), desc=kind, mininterval=10):
        items = [maker(rng, held) for _ in range(min(256, count - start))]
        read(model, items, rows_of)
        found += items
    return found


def another(rng: random.Random, frames: list, facts: tuple[str, str, str]) -> tuple[list, tuple[str, str, str]]:
    """A video of the pool, or what can be made of its frames: one of them that stays, or all of them backwards."""
    colour, shape, direction = facts
    chance = rng.random()
    if chance < STILL_SHARE:
        return [rng.choice(frames)] * len(frames), (colour, shape, videos.STILL)
    if chance < STILL_SHARE + BACKWARDS_SHARE and direction != videos.STILL:
        return frames[::-1], (colour, shape, videos.BACKWARDS[direction])
    return frames, facts


def conversation(rng: random.Random, pool: dict[str, list[dict]], held: bool, shares: tuple) -> Builder:
    """A conversation about media of the pool. `shares` are of pictures, two pictures, videos and sounds."""
    kind = rng.choices(("picture", "two", "video", "sound"), shares)[0]
    if kind == "two":
        both = [entry for entry in rng.choices(pool["picture"], k=24) if len(entry["facts"][2]) == 1][:2]
        marks = [pictures.placeholder(len(entry["media"][0])) for entry in both]
        build = pictures.about_two(rng, [entry["facts"] for entry in both], marks)
        build.media = [("image", entry["media"][0]) for entry in both]
        return build
    strays = kind == "picture" and not held and rng.random() < STRAY_SHARE
    entry = rng.choice(pool["stray" if strays else kind])
    rows, facts = entry["media"], entry["facts"]
    if kind == "picture":
        build = pictures.about_one(rng, held, facts, pictures.placeholder(len(rows[0])))
    elif kind == "video":
        rows, facts = (rows, facts) if held else another(rng, rows, facts)
        build = videos.about(rng, held, facts, videos.placeholder([len(frame) for frame in rows]))
    else:
        build = sounds.about(rng, *facts, sounds.placeholder(len(rows[0])))
    build.media = [({"picture": "image", "sound": "audio"}.get(kind, kind), own) for own in rows]
    return build


def opened(folder: Path) -> dict[str, dict[str, list[dict]]]:
    """The pools of all kinds: `["trained" or "held"][kind]`."""
    stored = {kind: torch.load(folder / f"pool_{kind}.pt") for kind in MAKERS}
    return {side: {kind: stored[kind][side] for kind in MAKERS} for side in ("trained", "held")}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=list(MAKERS))
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="checkpoints, each over the one before")
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("LAPIDARY_TINY_WORK", HERE / "runs")))
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--held", type=int, default=160)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = weights.fresh_model(0)
    model.load_state_dict(weights.read_state(*args.weights))
    rng = random.Random(f"{args.seed} {args.kind}")
    sides = {"held": (args.held, True), "trained": (args.count, False)}
    found = {side: make(model, args.kind, count, rng, held) for side, (count, held) in sides.items()}
    torch.save(found, args.work / f"pool_{args.kind}.pt")


if __name__ == "__main__":
    main()
