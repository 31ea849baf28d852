"""Writes a bundle: the four graphs with their data files, and the JSON files a host reads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from . import audio, decoder, embed, vision
from .checkpoint import Checkpoint, StateDict, Weights
from .data import FILE_BYTES_MAX
from .graph import GraphBuilder, Storage
from .spec import text_spec

GRAPHS = ("embed_tokens", "decoder_model_merged", "vision_encoder", "audio_encoder")
# File suffixes by dtype (transformers.js 4.3, `dtypes.js`).
SUFFIXES = {"fp32": "", "fp16": "_fp16", "q4": "_q4", "q4f16": "_q4f16"}
# What a host needs besides config.json and the graphs; copied as they are.
COPIED = ("tokenizer*", "special_tokens_map.json", "generation_config.json", "*processor_config.json", "*.jinja",
          "chat_template.json", "LICENSE*")


@dataclass(frozen=True)
class Export:
    """What to make of a checkpoint: the decoder's form and a dtype; the rest as in `Storage`."""

    form: str = "fused"
    dtype: str = "fp32"
    block: int = 32
    accuracy: int = 4
    file_bytes_max: int = FILE_BYTES_MAX

    @property
    def storage(self) -> Storage:
        """How numbers are stored."""
        block = self.block if self.dtype.startswith("q4") else 0
        half = self.dtype in ("fp16", "q4f16")
        return Storage(
            half=half, block=block, accuracy=self.accuracy, contrib=self.form != "plain",
            file_bytes_max=self.file_bytes_max,
        )

    @property
    def suffix(self) -> str:
        """Of the graphs' file names."""
        return SUFFIXES[self.dtype]


def write_json(path: Path, value: dict) -> None:
    """Stable, readable JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def both_spellings(config: dict) -> dict:
    """`config.json` as saved by transformers 5.23, plus the published keys that it no longer writes."""
    config = json.loads(json.dumps(config))
    text = config["text_config"]
    override = next(iter((text.pop("per_layer_config", None) or {}).values()), {})
    text.setdefault("global_head_dim", override.get("head_dim", 512))
    text.setdefault("num_global_key_value_heads", override.get("num_key_value_heads"))
    config["eos_token_id"] = [1, 106, 50]
    config["transformers.js_config"] = {"use_external_data_format": {f"{name}.onnx": 1 for name in GRAPHS}}
    return config


def builders(config: dict) -> dict[str, Callable[[Weights, Path, Storage, str], GraphBuilder]]:
    """How to make each graph that the config has, by file stem."""
    spec = text_spec(config)
    found = {
        "embed_tokens": lambda w, path, storage, form: embed.build(spec, w, path, storage),
        "decoder_model_merged": lambda w, path, storage, form: decoder.build(spec, w, path, storage, form),
    }
    if config.get("vision_config"):
        found["vision_encoder"] = lambda w, path, storage, form: vision.build(config["vision_config"], w, path, storage)
    if config.get("audio_config"):
        found["audio_encoder"] = lambda w, path, storage, form: audio.build(config["audio_config"], w, path, storage)
    return found


def write_graph(folder: Path, name: str, config: dict, weights: Weights, storage: Storage, form: str = "fused",
                suffix: str = "") -> dict:
    """Writes one graph under `folder/onnx`; returns its bytes, node count and number of data files."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    graph = builders(config)[name](weights, folder / "onnx" / f"{name}{suffix}.onnx", storage, form)
    return {"bytes": graph.save(), "nodes": len(graph.nodes), "data_files": len(graph.data.files)}


def write_graphs(folder: Path, config: dict, state: dict[str, torch.Tensor], half_storage: bool) -> dict[str, dict]:
    """The fused float32 graphs of a model in memory; returns bytes and node count per graph."""
    weights, report = StateDict(state), {}
    for name in builders(config):
        facts = write_graph(folder, name, config, weights, Storage(half_files=half_storage))
        report[name] = {"bytes": facts["bytes"], "nodes": facts["nodes"]}
    return report


def round_to_half(state: dict) -> dict:
    """Every large float tensor rounded to float16 and back, so that half storage loses nothing."""
    rounded = {}
    for name, tensor in state.items():
        large = tensor.is_floating_point() and tensor.numel() >= 512
        rounded[name] = tensor.half().float() if large else tensor
    return rounded


def read_config(checkpoint: Path) -> dict:
    """The checkpoint's `config.json` as of a whole model, in both spellings."""
    config = json.loads((checkpoint / "config.json").read_text())
    kind, ends = config.get("model_type"), config.get("eos_token_id")
    if kind == "gemma4_text":
        config = {"model_type": "gemma4", "text_config": config}
    elif kind != "gemma4":
        raise ValueError(f"config.json: expected model_type gemma4 or gemma4_text, found {kind!r}")
    config = both_spellings(config)
    return config | ({"eos_token_id": ends} if ends else {})


def merged_config(config: dict, before: dict, export: Export, facts: dict) -> dict:
    """`config.json` of the bundle, `before` being what an earlier export of another dtype left there."""
    told = before.get("transformers.js_config", {})
    files = {f"{name}{export.suffix}.onnx": graph["data_files"] for name, graph in facts.items()}
    config["transformers.js_config"] = {
        "dtype": told.get("dtype", export.dtype), "kv_cache_dtype": {"fp16": "float16", "q4f16": "float16"},
        "use_external_data_format": told.get("use_external_data_format", {}) | files,
    }
    form = before.get("lapidary_config", {}).get("decoder_form", export.form)
    if form != export.form:
        raise ValueError(f"the bundle's decoder is {form}: expected that form again, found {export.form}")
    config["lapidary_config"] = {"decoder_form": form}
    return config


def convert(checkpoint: Path, folder: Path, export: Export) -> dict[str, dict]:
    """Writes graphs in one dtype and everything else a host reads; returns facts by graph. May be called again with
    another dtype for the same folder."""
    facts = write_bundle(read_config(checkpoint), Checkpoint(checkpoint), folder, export)
    for path in {path for kind in COPIED for path in checkpoint.glob(kind)}:
        shutil.copy(path, folder / path.name)
    return facts


def write_bundle(config: dict, weights: Weights, folder: Path, export: Export) -> dict[str, dict]:
    """The same without the tokenizer and its like."""
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "config.json"
    before = json.loads(known.read_text()) if known.exists() else {}
    facts = {
        name: write_graph(folder, name, config, weights, export.storage, export.form, export.suffix)
        for name in builders(config)
    }
    if not (folder / "preprocessor_config.json").exists():
        write_json(folder / "preprocessor_config.json", {"processor_class": "Gemma4Processor"})
    write_json(known, merged_config(config, before, export, facts))
    return facts
