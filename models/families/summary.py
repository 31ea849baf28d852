"""The parity table as Markdown: one line for each bundle, one column for each case.

    python models/families/summary.py models/families/parity.json > models/families/parity.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HEAD = """# Parity of small bundles with PyTorch

Made by `table.py` and `summary.py`; all numbers are in `parity.json`. A cell has the largest difference of a logit, over
the whole prompt and 64 cached steps, and how many of 65 greedy ids are equal when that is not all of them. `fp32` and
`q4` are float32 arithmetic and must be within 2e-3 with equal ids; `q4` is compared with PyTorch on the same rounded
weights. `fp16` and `q4f16` show what float16 arithmetic does. `in chunks` is the long text in runs of 1, 7, 64 and 512
tokens against the same in one run.
"""


def cell(row: dict | None) -> str:
    """Largest difference, and equal ids when not all are."""
    if row is None:
        return "–"
    worst = max(row["prefill_difference"], row["decode_difference"])
    equal, count = row["greedy_equal"], row["greedy_count"]
    return f"{worst:.0e}" + ("" if equal == count else f" ({equal})")


def render(report: dict) -> str:
    """The whole file."""
    table = report["table"]
    cases = list(dict.fromkeys(case for rows in table.values() for case in rows))
    head = ["bundle", *(case.replace("_", " ") for case in cases), "in chunks"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, rows in table.items():
        chunked = rows["text_long"].get("chunked_difference")
        cells = [name, *(cell(rows.get(case)) for case in cases), "–" if chunked is None else f"{chunked:.0e}"]
        lines.append("| " + " | ".join(cells) + " |")
    packages = ", ".join(f"{name} {number}" for name, number in report["packages"].items())
    return "\n".join([HEAD, *lines, "", f"{packages}; CPU, one thread.", ""])


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    print(render(json.loads(parser.parse_args().report.read_text())), end="")


if __name__ == "__main__":
    main()
