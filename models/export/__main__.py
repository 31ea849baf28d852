"""Makes an ONNX bundle of a Gemma 4 checkpoint in transformers' layout.

    python models/export CHECKPOINT_DIR OUT [--form fused|windowed|plain] [--dtype fp32|fp16|q4|q4f16 …] [--block 32|128]

Weights are read as they are needed, so memory stays far below the checkpoint's size. Unless --no-parity is given, each
dtype is compared with transformers where the checkpoint fits into memory, and OUT/parity.json says how far they differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from export import bundle, report  # noqa: E402
from export.attention import FORMS  # noqa: E402


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="models/export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help="directory with config.json and safetensors")
    parser.add_argument("out", type=Path, help="directory of the bundle; other dtypes that are there stay")
    parser.add_argument("--form", choices=FORMS, default="fused",
                        help="fused (default): runs in every ONNX Runtime from 1.27; windowed: sliding layers hold only "
                             "their window, for hosts that know it; plain: standard operators")
    parser.add_argument("--dtype", nargs="+", choices=list(bundle.SUFFIXES), default=["fp32"])
    parser.add_argument("--block", type=int, choices=(32, 128), default=32, help="weights that share a scale, 4 bits")
    parser.add_argument("--accuracy", type=int, choices=(1, 4), default=4,
                        help="4 bits: 4 (default) multiplies with 8-bit activations, 1 with float32, slower")
    parser.add_argument("--no-parity", action="store_true", help="skip the comparison with transformers")
    args = parser.parse_args()
    for dtype in args.dtype:
        export = bundle.Export(args.form, dtype, args.block, args.accuracy)
        facts = bundle.convert(args.checkpoint, args.out, export)
        for name, graph in facts.items():
            sizes = f"{graph['bytes']:,} bytes, {graph['nodes']} nodes, {graph['data_files']} data file(s)"
            print(f"{name}{export.suffix}: {sizes}")
        if not args.no_parity:
            report.write(args.checkpoint, args.out, export)


if __name__ == "__main__":
    main()
