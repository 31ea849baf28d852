"""A minimal ONNX Runtime host in Python: enough to compare a bundle with PyTorch, and the order of calls in a hundred
lines. Feeds only what the decoder lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

STEMS = ("embed_tokens", "decoder_model_merged", "vision_encoder", "audio_encoder")
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Host:
    """The four graphs of a bundle, on the CPU provider. `suffix` picks a dtype: "", "_fp16", "_q4", "_q4f16"."""

    def __init__(self, folder: Path, config: dict, threads: int = 2, suffix: str = ""):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.config = config
        paths = {stem: folder / "onnx" / f"{stem}{suffix}.onnx" for stem in STEMS}
        self.graphs = {
            stem: ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for stem, path in paths.items() if path.exists()
        }
        self.listed = {value.name: value for value in self.graphs["decoder_model_merged"].get_inputs()}
        self.window = config["text_config"]["sliding_window"]
        self.reset()

    def reset(self) -> None:
        """Forgets the conversation: zero-length keys and values of the shapes that the decoder declares."""
        self.past = {
            name: np.zeros((1, value.shape[1], 0, value.shape[3]), FLOATS[value.type])
            for name, value in self.listed.items() if name.startswith("past_key_values.")
        }
        self.length = 0

    def embed(self, ids: np.ndarray, media: dict) -> tuple[np.ndarray, ...]:
        """Embeddings `[1, n, hidden]` with soft tokens scattered over their placeholders, and per-layer inputs where
        the family has them."""
        embeds, *per_layer = self.graphs["embed_tokens"].run(None, {"input_ids": ids})
        for key, rows in self.encode(media).items():
            slots = ids == self.config[key]
            if slots.sum() != len(rows):
                raise ValueError(f"{key}: expected {slots.sum()} soft tokens, found {len(rows)}")
            embeds[slots] = rows
        return embeds, *per_layer

    def encode(self, media: dict) -> dict[str, np.ndarray]:
        """Soft tokens by the config key of their placeholder."""
        rows = {}
        for key, pixels, positions in (
            ("image_token_id", "pixel_values", "image_position_ids"),
            ("video_token_id", "pixel_values_videos", "video_position_ids"),
        ):
            if pixels in media:
                feed = {"pixel_values": media[pixels], "pixel_position_ids": media[positions]}
                rows[key] = self.graphs["vision_encoder"].run(None, feed)[0]
        if "input_features" in media:
            feed = {name: media[name] for name in ("input_features", "input_features_mask")}
            rows["audio_token_id"] = self.graphs["audio_encoder"].run(None, feed)[0]
        return rows

    def kinds(self, ids: np.ndarray) -> np.ndarray:
        """1 at image places, 2 at video places, 3 at audio places, else 0."""
        kinds = np.zeros_like(ids)
        for kind, key in enumerate(("image_token_id", "video_token_id", "audio_token_id"), start=1):
            kinds[ids == self.config.get(key, -1)] = kind
        return kinds

    def is_sliding(self, name: str) -> bool:
        """Whether a cache tensor belongs to a layer that needs only its window."""
        return self.listed[name].shape[2] == "past_sliding_length"

    def sliding_length(self) -> int:
        """Rows that the sliding layers hold; 0 for forms without such."""
        return max((value.shape[2] for name, value in self.past.items() if self.is_sliding(name)), default=0)

    def trimmed(self, name: str, present: np.ndarray) -> np.ndarray:
        """Drops what has left the window: the next token sees itself and the window - 1 before it."""
        return present[:, :, -(self.window - 1):] if self.is_sliding(name) else present

    def step(self, ids: np.ndarray, media: dict | None = None, keep: int = 1) -> np.ndarray:
        """Runs `[1, n]` more ids; returns logits `[keep or n, vocab]`."""
        embeds, *per_layer = self.embed(ids, media or {})
        start, self.length = self.length, self.length + ids.shape[1]
        feed = {
            "inputs_embeds": embeds, "per_layer_inputs": per_layer[0] if per_layer else None, **self.past,
            "attention_mask": np.ones((1, self.length), np.int64),
            "sliding_attention_mask": np.ones((1, self.sliding_length() + ids.shape[1]), np.int64),
            "position_ids": np.arange(start, self.length, dtype=np.int64)[None],
            "num_logits_to_keep": np.array(keep, np.int64),
            "mm_token_type_ids": self.kinds(ids),
        }
        decoder = self.graphs["decoder_model_merged"]
        logits, *present = decoder.run(None, {name: feed[name] for name in self.listed})
        self.past = {name: self.trimmed(name, value) for name, value in zip(self.past, present)}
        return logits[0]
