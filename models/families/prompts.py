"""The cases of the parity table: the tiny model's prompts and media, and a video of three frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import cases
import media

VIDEO = {"video": {"prompt": "<|video|>What moves?", "frames": ["frame0.png", "frame1.png", "frame2.png"]}}
CASES = cases.CASES | VIDEO
FRAMES_PER_SECOND = 1.0


def write_media(folder: Path) -> None:
    """Pictures, sound, and frames of a disc that moves to the right."""
    media.write(folder)
    y, x = np.mgrid[0:96, 0:144]
    for number, name in enumerate(VIDEO["video"]["frames"]):
        pixels = np.full((96, 144, 3), 60, np.uint8)
        pixels[(x - 36 - 36 * number) ** 2 + (y - 48) ** 2 < 24**2] = (230, 200, 40)
        Image.fromarray(pixels).save(folder / name)


def names(config: dict) -> list[str]:
    """Cases that a model with this configuration can take."""
    hears = bool(config.get("audio_config"))
    return [name for name, case in CASES.items() if hears or "audio" not in case]


def inputs(name: str, folder: Path, maker) -> dict:
    """Model inputs of one case as PyTorch tensors."""
    return video_inputs(folder, maker) if name == "video" else cases.inputs(name, folder, maker)


def video_inputs(folder: Path, maker) -> dict:
    """The frames as a clip of one frame a second."""
    frames = [np.asarray(Image.open(folder / name).convert("RGB")) for name in VIDEO["video"]["frames"]]
    facts = {"fps": FRAMES_PER_SECOND, "total_num_frames": len(frames), "frames_indices": list(range(len(frames)))}
    return dict(maker(
        text=[cases.chat(VIDEO["video"]["prompt"])], videos=[np.stack(frames)], video_metadata=[facts],
        do_sample_frames=False, return_tensors="pt", add_special_tokens=False, return_mm_token_type_ids=True,
    ))


def describe(name: str, batch: dict, greedy: list[int]) -> dict:
    """One entry of `reference.json`."""
    case = CASES[name]
    return {
        "prompt": cases.chat(case["prompt"]), "images": case.get("images", []), "audio": case.get("audio", []),
        "frames": case.get("frames", []), "input_ids": batch["input_ids"][0].tolist(),
        "mm_token_type_ids": batch["mm_token_type_ids"][0].tolist(), "greedy": greedy,
    }
