"""A minimal ONNX Runtime host in Python: enough to compare a bundle with PyTorch, and the order of calls in 60 lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort


class Host:
    """The four graphs of a bundle, on the CPU provider."""

    def __init__(self, folder: Path, config: dict, threads: int = 2):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.config = config
        self.graphs = {
            path.stem: ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for path in sorted((folder / "onnx").glob("*.onnx"))
        }
        self.reset()

    def reset(self) -> None:
        """Forgets the conversation: zero-length keys and values of the shapes that the decoder declares."""
        decoder = self.graphs["decoder_model_merged"]
        self.past = {
            value.name: np.zeros((1, value.shape[1], 0, value.shape[3]), np.float32)
            for value in decoder.get_inputs() if value.name.startswith("past_key_values.")
        }
        self.length = 0

    def embed(self, ids: np.ndarray, media: dict) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings `[1, n, hidden]` with soft tokens scattered over their placeholders, and per-layer inputs."""
        embeds, per_layer = self.graphs["embed_tokens"].run(None, {"input_ids": ids})
        for key, rows in self.encode(media).items():
            slots = ids == self.config[key]
            if slots.sum() != len(rows):
                raise ValueError(f"{key}: expected {slots.sum()} soft tokens, found {len(rows)}")
            embeds[slots] = rows
        return embeds, per_layer

    def encode(self, media: dict) -> dict[str, np.ndarray]:
        """Soft tokens by the config key of their placeholder."""
        rows = {}
        if "pixel_values" in media:
            feed = {"pixel_values": media["pixel_values"], "pixel_position_ids": media["image_position_ids"]}
            rows["image_token_id"] = self.graphs["vision_encoder"].run(None, feed)[0]
        if "input_features" in media:
            feed = {name: media[name] for name in ("input_features", "input_features_mask")}
            rows["audio_token_id"] = self.graphs["audio_encoder"].run(None, feed)[0]
        return rows

    def step(self, ids: np.ndarray, media: dict | None = None, keep: int = 1) -> np.ndarray:
        """Runs `[1, n]` more ids; returns logits `[keep or n, vocab]`."""
        embeds, per_layer = self.embed(ids, media or {})
        start, self.length = self.length, self.length + ids.shape[1]
        feed = {
            "inputs_embeds": embeds, "per_layer_inputs": per_layer, **self.past,
            "attention_mask": np.ones((1, self.length), np.int64),
            "position_ids": np.arange(start, self.length, dtype=np.int64)[None],
            "num_logits_to_keep": np.array(keep, np.int64),
        }
        decoder = self.graphs["decoder_model_merged"]
        logits, *present = decoder.run(None, feed)
        self.past = dict(zip(self.past, present))
        return logits[0]
