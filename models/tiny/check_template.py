"""Compares the curriculum's rendering with a chat template file, which is not part of this repository.

    python models/tiny/check_template.py --template path/to/chat_template.jinja
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum")]

import jinja2  # noqa: E402

import mixture  # noqa: E402


def rendered(template: jinja2.Template, build) -> str:
    """The prompt before the last answer, by the template."""
    return template.render(
        messages=build.messages[:-1], tools=[tool.schema() for tool in build.tools] or None, bos_token="<bos>",
        enable_thinking=build.thinking, add_generation_prompt=True,
    )


def main() -> None:
    """Draws conversations until one differs or the count is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    args = parser.parse_args()
    template = jinja2.Environment().from_string(args.template.read_text())
    rng = random.Random(1)
    for number in range(args.count):
        build = mixture.draw(rng, number % 2 == 0, 1)
        ours = "".join(text for text, _ in build.segments[:-1])
        theirs = rendered(template, build)
        if ours != theirs:
            raise SystemExit(f"conversation {number} ({build.skill}) differs\nours:\n{ours}\ntemplate:\n{theirs}")
    print(f"{args.count} conversations equal")


if __name__ == "__main__":
    main()
