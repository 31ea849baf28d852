"""The whole training in one command: text, towers, pools, everything together, export. Resumable: every part goes on
from its own checkpoint, and a part that is finished costs seconds.

The tokenizer is not trained anew: `make.py tokenizer` does that, and makes all weights worthless.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def parts(work: Path, seed: int, workers: int) -> list[list[str]]:
    """The commands in order."""
    text, towers, last = work / "text", work / "towers", work / "last"
    begin = str(text / "checkpoint.pt")
    seen = [begin, str(towers / "vision.pt"), str(towers / "audio.pt")]
    common = ["--seed", str(seed)]
    train = ["train.py", *common, "--workers", str(workers), "--tokens", "3072", "--muon-lr", "0.01", "--adam-lr", "0.0015"]
    return [
        [*train, "--work", str(text), "--steps", "7000", "--decay", "2500", "--easy-steps", "1000"],
        ["towers.py", "vision", *common, "--work", str(towers), "--start", begin, "--steps", "3000", "--decay", "1000"],
        ["towers.py", "audio", *common, "--work", str(towers), "--start", begin, "--steps", "1700", "--decay", "700"],
        *(["pool.py", kind, *common, "--work", str(work), "--count", str(count), "--weights", *seen]
          for kind, count in (("picture", 4500), ("stray", 1000), ("video", 1100), ("sound", 3500))),
        [*train, "--work", str(last), "--start", *seen, "--pool", str(work), "--steps", "9700", "--decay", "2900", "--text-share", "0.7",
         "--easy-steps", "0", "--muon-lr", "0.008", "--adam-lr", "0.0012", "--media-shares", "0.34", "0.24", "0.2", "0.22"],
        ["make.py", "export", *common, "--checkpoint", str(last / "checkpoint.pt"), "--origin", "all.py"],
    ]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("LAPIDARY_TINY_WORK", HERE / "runs")))
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="processes of the decoder's training")
    args = parser.parse_args()
    for command in parts(args.work.resolve(), args.seed, args.workers):
        print("→", " ".join(command), flush=True)
        environment = os.environ | {"LAPIDARY_TINY_WORK": str(args.work.resolve())}
        subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=True, env=environment)


if __name__ == "__main__":
    main()
