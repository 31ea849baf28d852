"""Makes the tiny bundle, one subcommand per step. Run `python models/tiny/make.py --help`."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "curriculum"), str(HERE.parent)]

import torch  # noqa: E402

import cases  # noqa: E402
import dims  # noqa: E402
import media  # noqa: E402
import mixture  # noqa: E402
import parity  # noqa: E402
import tokenizer  # noqa: E402
import weights  # noqa: E402
from export import bundle  # noqa: E402

CORPUS_CONVERSATIONS, CORPUS_REPEATS = 6000, 20
PACKAGES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "numpy", "torchvision")


def facts(seed: int, origin: str) -> dict:
    """What a reader needs to make the same files again."""
    return {
        "weights": origin, "seed": seed, "python": platform.python_version(), "machine": platform.machine(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def write_configs(folder: Path, config: dict) -> None:
    """The JSON files beside the graphs."""
    ids = {"bos_token_id": 2, "eos_token_id": [1, 106, 50], "pad_token_id": 0}
    sampling = {"do_sample": True, "temperature": 1.0, "top_k": 64, "top_p": 0.95}
    made_by = {"transformers_version": version("transformers")}
    bundle.write_json(folder / "config.json", bundle.both_spellings(config))
    bundle.write_json(folder / "generation_config.json", ids | sampling | made_by)
    bundle.write_json(folder / "preprocessor_config.json", {"processor_class": "Gemma4Processor"})
    maker = cases.processor(folder)
    described = {
        "audio_ms_per_token": 40, "audio_seq_length": 750, "image_seq_length": dims.IMAGE_SOFT_TOKENS,
        "processor_class": "Gemma4Processor", "feature_extractor": plain(maker.feature_extractor),
        "image_processor": plain(maker.image_processor), "video_processor": plain(maker.video_processor),
    }
    bundle.write_json(folder / "processor_config.json", described)


def plain(processor) -> dict:
    """One of transformers' processors as it would save itself, without nulls."""
    return {key: value for key, value in json.loads(processor.to_json_string()).items() if value is not None}


def load_model(args):
    """The checkpoint, or fresh seeded weights; rounded to float16 as the bundle stores them."""
    model = weights.fresh_model(args.seed)
    if not args.fresh:
        model.load_state_dict(weights.read_state(*args.checkpoint))
    model.load_state_dict(bundle.round_to_half(model.state_dict()))
    return model.eval()


def make_tokenizer(args) -> None:
    """Trains the tokenizer into the bundle folder."""
    args.bundle.mkdir(parents=True, exist_ok=True)
    lines = (HERE / "corpus.txt").read_text().splitlines() * CORPUS_REPEATS
    tokenizer.write(args.bundle, [*lines, *mixture.corpus(args.seed, CORPUS_CONVERSATIONS)])


def make_export(args) -> None:
    """Graphs, configs, media, parity report and reference data, all from the same weights."""
    model = load_model(args)
    config = model.config.to_dict()
    write_configs(args.bundle, config)
    media.write(args.reference)
    sizes = bundle.write_graphs(args.bundle, bundle.both_spellings(config), model.state_dict(), half_storage=True)
    described = facts(args.seed, args.origin)
    report = parity.run(model, args.bundle, args.reference, described)
    report |= {"graphs": sizes, "parameters": sum(p.numel() for p in model.parameters())}
    bundle.write_json(args.into / "parity.json", report)
    weights.write_state(args.into / "weights.safetensors", model.state_dict())
    print(json.dumps(report["cases"], indent=1))
    parity.check(report)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["tokenizer", "export", "all"])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, nargs="+", default=[HERE / "weights.safetensors"],
                        help="training checkpoints, each over the one before; else the weights of the last export")
    parser.add_argument("--fresh", action="store_true", help="untrained weights instead")
    parser.add_argument("--origin", default="tiny/weights.safetensors, or fresh", help="one line for the report: where the weights are from")
    parser.add_argument("--into", type=Path, default=HERE, help="folder of bundle/, reference/, parity.json, weights")
    args = parser.parse_args()
    args.bundle, args.reference = args.into / "bundle", args.into / "reference"
    torch.set_num_threads(args.threads)
    if args.step in ("tokenizer", "all"):
        make_tokenizer(args)
    if args.step in ("export", "all"):
        make_export(args)


if __name__ == "__main__":
    main()
