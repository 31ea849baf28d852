"""The reference cases: prompts and media for parity and for the Rust tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from transformers import Gemma4AudioFeatureExtractor, Gemma4ImageProcessor, Gemma4Processor, Gemma4VideoProcessor
from transformers import PreTrainedTokenizerFast

import dims
import tokenizer as tiny_tokenizer

LONG = "The parser reads one piece at a time, and the tool answers when it is called. " * 16
CASES = {
    "text": {"prompt": "What is twelve times three?"},
    "text_long": {"prompt": LONG + "What did I say?"},
    "image": {"prompt": "<|image|>What colour is the circle?", "images": ["test.png"]},
    "images_two": {"prompt": "<|image|><|image|>Compare the pictures.", "images": ["test.png", "test2.png"]},
    "audio": {"prompt": "Transcribe this.<|audio|>", "audio": ["test.wav"]},
    "image_audio": {"prompt": "<|image|>Listen: <|audio|>Answer.", "images": ["test.png"], "audio": ["test.wav"]},
}


def processor(bundle: Path) -> Gemma4Processor:
    """transformers' own processors, with the tiny tokenizer and image budget."""
    names = tiny_tokenizer.NAMES
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(bundle / "tokenizer.json"), padding_side="left", **names)
    for key in ("image_token", "audio_token", "boi_token", "eoi_token", "boa_token", "eoa_token"):
        setattr(tokenizer, key, names[key])
        setattr(tokenizer, f"{key}_id", tokenizer.convert_tokens_to_ids(names[key]))
    budget = dims.IMAGE_SOFT_TOKENS
    image = Gemma4ImageProcessor(max_soft_tokens=budget, image_seq_length=budget)
    video = Gemma4VideoProcessor(max_soft_tokens=70)
    return Gemma4Processor(Gemma4AudioFeatureExtractor(), image, tokenizer, video, image_seq_length=budget)


def chat(text: str) -> str:
    """One user turn and the generation prompt, as the small chat template renders it."""
    return f"<bos><|turn>user\n{text.strip()}<turn|>\n<|turn>model\n"


def inputs(name: str, media: Path, maker: Gemma4Processor) -> dict:
    """Model inputs of one case as PyTorch tensors."""
    case = CASES[name]
    pictures = [Image.open(media / file).convert("RGB") for file in case.get("images", [])]
    clips = [soundfile.read(media / file, dtype="float32")[0] for file in case.get("audio", [])]
    return dict(maker(
        text=[chat(case["prompt"])], images=[pictures] if pictures else None, audio=clips or None,
        return_tensors="pt", add_special_tokens=False, return_mm_token_type_ids=True,
    ))


def as_arrays(batch: dict) -> dict[str, np.ndarray]:
    """The media tensors as the graphs want them."""
    names = ("pixel_values", "image_position_ids", "input_features", "input_features_mask")
    return {name: np.ascontiguousarray(batch[name].numpy()) for name in names if name in batch}
