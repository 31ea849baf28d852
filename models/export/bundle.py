"""Writes a bundle: the four graphs with their data files, and the JSON files a host reads."""

from __future__ import annotations

import json
from pathlib import Path

from . import audio, decoder, embed, vision
from .graph import save
from .spec import text_spec

GRAPHS = ("embed_tokens", "decoder_model_merged", "vision_encoder", "audio_encoder")


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


def split_weights(state: dict) -> tuple[dict, dict]:
    """A Gemma4ForConditionalGeneration state dict as `(language model's arrays, all arrays)`, prefix-free."""
    arrays = {name.removeprefix("model."): tensor.float().numpy() for name, tensor in state.items()}
    prefix = "language_model."
    language = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return language, arrays


def build_graphs(config: dict, state: dict, half_storage: bool) -> dict:
    """Graph builders by file stem. Towers that the config lacks are left out."""
    language, arrays = split_weights(state)
    spec = text_spec(config)
    graphs = {
        "embed_tokens": embed.build(spec, language, half_storage),
        "decoder_model_merged": decoder.build(spec, language, half_storage),
    }
    if config.get("vision_config"):
        graphs["vision_encoder"] = vision.build(config["vision_config"], arrays, half_storage)
    if config.get("audio_config"):
        graphs["audio_encoder"] = audio.build(config["audio_config"], arrays, half_storage)
    return graphs


def write_graphs(folder: Path, config: dict, state: dict, half_storage: bool) -> dict[str, dict]:
    """Writes `folder/onnx/*`; returns bytes and node count per graph."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    report = {}
    for name, graph in build_graphs(config, state, half_storage).items():
        size_bytes = save(graph.model(), folder / "onnx" / f"{name}.onnx")
        report[name] = {"bytes": size_bytes, "nodes": len(graph.nodes)}
    return report


def round_to_half(state: dict) -> dict:
    """Every large float tensor rounded to float16 and back, so that half storage loses nothing."""
    rounded = {}
    for name, tensor in state.items():
        large = tensor.is_floating_point() and tensor.numel() >= 512
        rounded[name] = tensor.half().float() if large else tensor
    return rounded

