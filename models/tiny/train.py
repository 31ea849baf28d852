"""Trains the decoder. Resumable: every checkpoint holds weights, optimizers and the step.

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
import torch.distributed as dist  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from tqdm import tqdm  # noqa: E402

import batches  # noqa: E402
import forward  # noqa: E402
import mixture  # noqa: E402
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
    rest = [p for name, p in named if not is_matrix(name, p)]
    adam = torch.optim.AdamW(rest, lr=args.adam_lr, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)
    found = [Muon([p for _, p in matrices], lr=args.muon_lr, weight_decay=0.01), adam]
    for optimizer in found:
        for group in optimizer.param_groups:
            group["top"] = group["lr"]
    return found


def rate(step: int, args) -> float:
    """Share of the full learning rate at a step."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return warm * max(0.0, min(1.0, (args.steps - step) / max(1, args.decay)))


def loss_of(model, batch: batches.Batch) -> torch.Tensor:
    """Mean cross-entropy of the targets."""
    rows = forward.logits(model, batch.ids, batch.targets, batch.media)
    each = F.cross_entropy(rows.flatten(0, 1), batch.labels.flatten(), reduction="none")
    return (each * batch.weights.flatten()).sum() / batch.weights.sum()


@torch.no_grad()
def exact(model, groups: list[batches.Batch]) -> dict[str, tuple[int, int]]:
    """Per skill and segment: how many targets are right in every token. With all tokens before it right, an exact
    segment is exactly what greedy decoding gives."""
    tally: dict[str, list[int]] = {}
    for batch in groups:
        scores = forward.logits(model, batch.ids, batch.targets, batch.media)
        right = scores.argmax(-1) == batch.labels
        for row, sample in enumerate(batch.samples):
            start = 0
            for index, span in enumerate(sample.spans):
                entry = tally.setdefault(f"{sample.skill}.{index}", [0, 0])
                entry[0] += int(right[row, start : start + len(span)].all())
                entry[1] += 1
                start += len(span)
    return {name: tuple(entry) for name, entry in sorted(tally.items())}


def drawer(args):
    """The mixture: text only, or with pictures, sound and video from the pool."""
    if not args.pool:
        return mixture.draw
    import pool

    stored = pool.opened(args.pool)

    def draw(rng: random.Random, held: bool, level: int):
        if rng.random() < args.text_share:
            return mixture.draw(rng, held, level)
        return pool.conversation(rng, stored["held" if held else "trained"], held, args.media_shares)

    return draw


def held_out(encoder, args) -> list[batches.Batch]:
    """Held-out conversations, the same at every evaluation."""
    rng = random.Random(99)
    draw = drawer(args)
    samples = [encoder.sample(draw(rng, True, 1)) for _ in range(args.held)]
    return [batches.collate(group) for group in batches.grouped(samples, args.tokens)]


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


def train_step(model, opts, batch, factor: float) -> float:
    """One update; returns the loss. With several workers the gradients are averaged."""
    for optimizer in opts:
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * factor
    loss = loss_of(model, batch)
    loss.backward()
    trained = [p for p in model.parameters() if p.grad is not None]
    if dist.is_initialized():
        average(trained)
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    for optimizer in opts:
        optimizer.step()
    model.zero_grad(set_to_none=True)
    return float(loss.detach())


def average(parameters: list[torch.Tensor]) -> None:
    """Gradients of all workers, averaged."""
    flat = torch.nn.utils.parameters_to_vector([p.grad for p in parameters])
    dist.all_reduce(flat)
    torch.nn.utils.vector_to_parameters(flat / dist.get_world_size(), [p.grad for p in parameters])


def report(path: Path, line: dict) -> None:
    """Appends one line to the log and shows it."""
    with path.open("a") as log:
        log.write(json.dumps(line) + "\n")
    tqdm.write(json.dumps(line))


def freeze_towers(model) -> None:
    """Only the decoder is trained here."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("model.language_model"))


def run(rank: int, args) -> None:
    """The whole training, as worker `rank`."""
    torch.set_num_threads(args.threads)
    if args.workers > 1:
        dist.init_process_group("gloo", init_method=f"file://{args.work}/meeting", rank=rank, world_size=args.workers)
    model = weights.fresh_model(args.seed).train()
    freeze_towers(model)
    encoder, opts = batches.Encoder(args.bundle), optimizers(model, args)
    path = args.work / "checkpoint.pt"
    if args.start and not path.exists():
        model.load_state_dict(weights.read_state(*args.start))
    step = load(path, model, opts)
    rng = random.Random(f"{args.seed} {step} {rank}")
    held = held_out(encoder, args) if rank == 0 else []
    level = 0 if step < args.easy_steps else 1
    source = batches.stream(encoder, rng, level, args.tokens, drawer(args))
    began, losses = time.time(), []
    for step in tqdm(range(step + 1, args.steps + 1), initial=step, total=args.steps, mininterval=10, disable=rank > 0):
        if level == 0 and step > args.easy_steps:
            level, source = 1, batches.stream(encoder, rng, 1, args.tokens, drawer(args))
        losses.append(train_step(model, opts, next(source), rate(step, args)))
        if rank == 0 and (step % args.every == 0 or step == args.steps):
            save(path, model, opts, step)
            line = {"step": step, "seconds": round(time.time() - began), "loss": round(sum(losses) / len(losses), 4)}
            report(args.work / "log.jsonl", line | {"held": exact(model, held)})
            losses = []


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--work", type=Path, default=HERE / "runs")
    parser.add_argument("--start", type=Path, nargs="+", help="weights to begin with where there is no checkpoint yet")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--decay", type=int, default=3_000)
    parser.add_argument("--easy-steps", type=int, default=1500)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--held", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--muon-lr", type=float, default=0.01)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--workers", type=int, default=1, help="processes with batches of their own")
    parser.add_argument("--pool", type=Path, help="folder of pool.py's files: trains on pictures, video and sound too")
    parser.add_argument("--text-share", type=float, default=0.6)
    parser.add_argument("--media-shares", type=float, nargs=4, default=[0.4, 0.08, 0.22, 0.3],
                        help="of what is not text: pictures, two pictures, videos, recordings")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.workers == 1:
        return run(0, args)
    (args.work / "meeting").unlink(missing_ok=True)
    torch.multiprocessing.spawn(run, (args,), nprocs=args.workers)


if __name__ == "__main__":
    main()
