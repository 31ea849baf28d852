"""Trains the tiny model. Resumable: every checkpoint holds weights, optimizers and the step.

The learning rate warms up, stays, and falls to zero over the last `--decay` steps before `--steps`. To end early, start
again with a smaller `--steps`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from tqdm import tqdm  # noqa: E402

import batches  # noqa: E402
import forward  # noqa: E402
import weights  # noqa: E402
from muon import Muon  # noqa: E402

WARMUP_STEPS = 60


def is_matrix(name: str, parameter: torch.Tensor) -> bool:
    """Whether Muon trains it: the matrices inside layers."""
    return parameter.ndim == 2 and ".layers." in name or name.endswith("per_layer_model_projection.weight")


def optimizers(model, args) -> list[torch.optim.Optimizer]:
    """Muon for matrices, AdamW for the rest. The tied head is one parameter with the embedding."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [(name, p) for name, p in named if is_matrix(name, p)]
    decoder = {"params": [p for name, p in matrices if "language_model" in name], "lr": args.muon_lr}
    towers = {"params": [p for name, p in matrices if "language_model" not in name], "lr": args.tower_lr}
    groups = [group for group in (decoder, towers) if group["params"]]
    rest = [p for name, p in named if not is_matrix(name, p)]
    adam = torch.optim.AdamW(rest, lr=args.adam_lr, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)
    found = [Muon(groups, lr=args.muon_lr, weight_decay=0.01), adam]
    for optimizer in found:
        for group in optimizer.param_groups:
            group["top"] = group["lr"]
    return found


def rate(step: int, args) -> float:
    """Share of the full learning rate at a step."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return warm * max(0.0, min(1.0, (args.steps - step) / max(1, args.decay)))


def encoded_media(model, batch: batches.Batch) -> dict:
    """Soft tokens by placeholder id."""
    if not any(sample.media for sample in batch.samples):
        return {}
    import senses

    return senses.encode(model, batch.samples)


def loss_of(model, batch: batches.Batch, tokenizer=None) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Mean cross-entropy of the targets, and the auxiliary loss of the towers."""
    media = encoded_media(model, batch)
    if batch.towers_only:
        import senses

        return torch.zeros(()), senses.auxiliary(model, tokenizer, batch.samples, media)
    rows = forward.logits(model, batch.ids, batch.targets, media)
    each = F.cross_entropy(rows.flatten(0, 1), batch.labels.flatten(), reduction="none")
    extra = 0.0
    if media:
        import senses

        extra = senses.auxiliary(model, tokenizer, batch.samples, media)
    return (each * batch.weights.flatten()).sum() / batch.weights.sum(), extra


@torch.no_grad()
def exact(model, groups: list[batches.Batch]) -> dict[str, tuple[int, int]]:
    """Per skill and segment: how many targets are right in every token. With all tokens before it right, an exact
    segment is exactly what greedy decoding gives."""
    tally: dict[str, list[int]] = {}
    for batch in groups:
        scores = forward.logits(model, batch.ids, batch.targets, encoded_media(model, batch))
        right = scores.argmax(-1) == batch.labels
        for row, sample in enumerate(batch.samples):
            start = 0
            for index, span in enumerate(sample.spans):
                entry = tally.setdefault(f"{sample.skill}.{index}", [0, 0])
                entry[0] += int(right[row, start : start + len(span)].all())
                entry[1] += 1
                start += len(span)
    return {name: tuple(entry) for name, entry in sorted(tally.items())}


def held_out(encoder, args) -> list[batches.Batch]:
    """Held-out conversations, the same at every evaluation."""
    rng = random.Random(99)
    draw = maker(args)
    samples = [encoder.sample(draw(rng, True, 1)) for _ in range(args.held)]
    return [batches.collate(group) for group in batches.grouped(samples, args.tokens)]


def stream(encoder, rng: random.Random, level: int, args):
    """Training batches of text, or of all kinds."""
    if not args.senses:
        return batches.stream(encoder, rng, level, args.tokens)
    import senses

    return senses.stream(encoder, rng, level, args.tokens, args.shares)


def means(losses: list[dict[str, float]]) -> dict[str, float]:
    """Mean of every kind of loss."""
    kinds = sorted({kind for entry in losses for kind in entry})
    rows = {kind: [entry[kind] for entry in losses if kind in entry] for kind in kinds}
    return {kind: round(sum(row) / len(row), 4) for kind, row in rows.items()}


def maker(args):
    """The mixture: text only, or with pictures and sound."""
    if args.senses:
        import senses

        return lambda rng, held, level: senses.draw(rng, held, level, args.shares)
    return batches.mixture.draw


def save(path: Path, model, opts, step: int) -> None:
    """Writes a checkpoint, whole or not at all."""
    draft = path.with_suffix(".draft")
    torch.save({"model": model.state_dict(), "step": step, "opts": [o.state_dict() for o in opts]}, draft)
    draft.replace(path)


def load(path: Path, model, opts) -> int:
    """Reads a checkpoint if there is one; returns the step. Optimizer state of another parameter set is dropped."""
    if not path.exists():
        return 0
    stored = torch.load(path, map_location="cpu")
    model.load_state_dict(stored["model"])
    for optimizer, state in zip(opts, stored["opts"]):
        tops = [group["top"] for group in optimizer.param_groups]
        try:
            optimizer.load_state_dict(state)
        except ValueError:
            print("optimizer state does not fit, starting it afresh")
        for group, top in zip(optimizer.param_groups, tops):
            group["top"] = top
    return stored["step"]


def train_step(model, opts, batch, factor: float, tokenizer) -> dict[str, float]:
    """One update; returns the losses by kind of batch."""
    for optimizer in opts:
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * factor
    loss, extra = loss_of(model, batch, tokenizer)
    (loss + extra).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in opts:
        optimizer.step()
    model.zero_grad(set_to_none=True)
    kind = batch.samples[0].skill.split("_")[0] if batch.samples[0].media else "text"
    found = {} if batch.towers_only else {kind: float(loss.detach())}
    return found | ({f"{kind}_tower": float(extra.detach())} if kind != "text" else {})


def report(path: Path, line: dict) -> None:
    """Appends one line to the log and shows it."""
    with path.open("a") as log:
        log.write(json.dumps(line) + "\n")
    tqdm.write(json.dumps(line))


def freeze_unused(model, args) -> None:
    """Without pictures and sound the towers are left alone. Also sets the fast attention of the vision tower."""
    for name, parameter in model.named_parameters():
        decoder = name.startswith("model.language_model")
        if args.freeze_decoder and decoder or not args.senses and not decoder:
            parameter.requires_grad_(False)
    model.model.vision_tower.config._attn_implementation = "sdpa"


def run(args) -> None:
    """The whole training."""
    args.work.mkdir(parents=True, exist_ok=True)
    model = weights.fresh_model(args.seed).train()
    freeze_unused(model, args)
    encoder, opts = batches.Encoder(args.bundle), optimizers(model, args)
    path, log = args.work / "checkpoint.pt", args.work / "log.jsonl"
    if args.start and not path.exists():
        model.load_state_dict(weights.read_state(args.start))
    step = load(path, model, opts)
    if args.compile:
        forward.compile_layers()
    rng = random.Random(f"{args.seed} {step}")
    held, began, losses = held_out(encoder, args), time.time(), []
    bar = tqdm(total=args.steps, initial=step, mininterval=10)
    level = lambda: 0 if step < args.easy_steps else 1
    source, source_level = None, -1
    while step < args.steps:
        if level() != source_level:
            source_level = level()
            source = stream(encoder, rng, source_level, args)
        losses.append(train_step(model, opts, next(source), rate(step, args), encoder.tokenizer))
        step += 1
        bar.update()
        if step % args.every == 0 or step == args.steps:
            save(path, model, opts, step)
            seconds = round(time.time() - began)
            line = {"step": step, "seconds": seconds, "loss": means(losses)}
            report(log, line | {"held": exact(model, held)})
            losses = []


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--work", type=Path, default=HERE / "runs")
    parser.add_argument("--start", type=Path, help="weights to begin with where there is no checkpoint yet")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--decay", type=int, default=3_000)
    parser.add_argument("--easy-steps", type=int, default=1500)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--held", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--muon-lr", type=float, default=0.01)
    parser.add_argument("--tower-lr", type=float, default=0.015)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--senses", action="store_true", help="pictures and sound too")
    parser.add_argument("--shares", type=float, nargs=5, default=[0.5, 0.15, 0.1, 0.15, 0.1],
                        help="of steps: text, pictures, sound, vision tower alone, audio tower alone")
    parser.add_argument("--freeze-decoder", action="store_true", help="train the towers only")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    run(args)


if __name__ == "__main__":
    main()
