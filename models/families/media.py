"""Compares pictures, recordings and videos as the encoders get them with transformers.

    python models/families/media.py features [--lapidary target/debug/lapidary]   # three minutes
    python models/families/media.py counts                                        # the references of tests/it/counts.rs

`features` runs `lapidary features` on made-up media of all kinds and prints, for each medium, how many of them are equal
bit for bit and the largest difference. It ends with 1 when a picture or a frame differs at all, a log-mel value by more
than 1e-4, a stamp or an index. Pictures with 16 bits a channel are left out: Pillow, and so the reference, makes white of
everything brighter than a 256th; the host takes the high byte.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from safetensors.numpy import load_file
from tqdm import tqdm
from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor
from transformers.models.gemma4.image_processing_gemma4 import Gemma4ImageProcessor, get_aspect_ratio_preserving_size
from transformers.models.gemma4.processing_gemma4 import Gemma4Processor
from transformers.models.gemma4.video_processing_gemma4 import Gemma4VideoProcessor

REFERENCES = Path(__file__).resolve().parents[2] / "tests" / "it" / "counts"
BUDGETS = (70, 140, 280, 560, 1120)
PATCH, POOL = 16, 3
SAMPLES_MAX, RATE_HZ = 480_000, 16_000
MEL_DIFFERENCE_MAX = 1e-4
MODES = ("RGB", "L", "P", "1", "LA", "RGBA", "CMYK")
FORMATS = {"RGB": ("png", "bmp", "tiff", "webp", "gif"), "L": ("png", "tiff"), "CMYK": ("tiff",)}


def picture_count(width: int, height: int, budget: int) -> int:
    """Soft tokens of a picture as the reference resizes it; 0 where it refuses."""
    try:
        rows, columns = get_aspect_ratio_preserving_size(height, width, PATCH, budget * POOL**2, POOL)
    except ValueError:
        return 0
    return (rows // PATCH) * (columns // PATCH) // POOL**2


def write_counts(_: argparse.Namespace) -> bool:
    """2,000 sizes, small and large, with their counts, and the shortest recording of every count."""
    rng = np.random.default_rng(11)
    sizes = np.exp(rng.uniform(0, np.log(6000), (2000, 2))).astype(int).clip(1)
    lines = [" ".join(map(str, (w, h, *(picture_count(w, h, budget) for budget in BUDGETS)))) for w, h in sizes.tolist()]
    REFERENCES.mkdir(exist_ok=True)
    (REFERENCES / "pictures.txt").write_text("\n".join(lines) + "\n")
    processor = Gemma4Processor.__new__(Gemma4Processor)
    processor.feature_extractor, processor.audio_seq_length = Gemma4AudioFeatureExtractor(), 750
    counts = [processor._compute_audio_num_tokens(range(n), RATE_HZ) for n in tqdm(range(1, SAMPLES_MAX + 1))]
    assert all(0 <= after - before <= 1 for before, after in zip(counts, counts[1:]))
    starts = [1 + counts.index(count) for count in range(counts[-1] + 1)]
    (REFERENCES / "recordings.txt").write_text("\n".join(map(str, starts)) + "\n")
    return True


def lapidary(args: argparse.Namespace, folder: Path, *words: str) -> tuple[dict, dict]:
    """The tensors and the printed summary of `lapidary features`."""
    out = folder / "features.safetensors"
    done = subprocess.run([args.lapidary, "features", *words, "--out", str(out)], capture_output=True, check=True)
    return load_file(out), json.loads(done.stdout)


def made_up(rng: np.random.Generator, mode: str) -> Image.Image:
    """A picture of any size and mode: gradients under noise."""
    width, height = np.exp(rng.uniform(np.log(20), np.log(1800), 2)).astype(int).tolist()
    ramp = np.add.outer(np.arange(height) * rng.uniform(0.1, 2), np.arange(width) * rng.uniform(0.1, 2))
    channels = [(ramp * rng.uniform(0.3, 2) + rng.integers(0, 60, (height, width))) % 256 for _ in range(4)]
    base = Image.fromarray(np.stack(channels, -1).astype(np.uint8), "RGBA")
    return base if mode == "RGBA" else base.convert("RGB").convert(mode) if mode != "LA" else base.convert("LA")


def pictures(args: argparse.Namespace, folder: Path) -> bool:
    """Pictures of all modes and formats, with every budget."""
    rng, equal, largest, total = np.random.default_rng(5), 0, 0.0, 0
    processor = Gemma4ImageProcessor()
    for index in tqdm(range(40), desc="pictures"):
        mode = MODES[index % len(MODES)]
        kind = FORMATS.get(mode, ("png",))[index // len(MODES) % len(FORMATS.get(mode, ("png",)))]
        path = folder / f"picture.{kind}"
        options = {"lossless": True} if kind == "webp" else {}
        made_up(rng, mode).save(path, **options)
        for budget in BUDGETS[: 5 if index % 4 == 0 else 3]:
            with Image.open(path) as opened:
                expected = processor(opened, max_soft_tokens=budget, return_tensors="np")
            found, _ = lapidary(args, folder, "image", str(path), "--budget", str(budget))
            keep = (expected["image_position_ids"][0] >= 0).all(-1)
            difference = np.abs(expected["pixel_values"][0][keep] - found["pixel_values"]).max()
            same = np.array_equal(expected["image_position_ids"][0][keep], found["position_ids"]) and difference == 0
            if not same:
                tqdm.write(f"{mode} {kind} {budget}: {difference}")
            equal, total, largest = equal + same, total + 1, max(largest, float(difference))
    print(f"pictures: {equal} of {total} equal bit for bit, largest difference {largest:.3g}")
    return equal == total


def recordings(args: argparse.Namespace, folder: Path) -> bool:
    """Recordings of up to 30 seconds, quiet and loud."""
    rng, largest, counted, total = np.random.default_rng(6), 0.0, 0, 24
    extractor = Gemma4AudioFeatureExtractor()
    for index in tqdm(range(total), desc="recordings"):
        length = int(np.exp(rng.uniform(np.log(200), np.log(SAMPLES_MAX))))
        tone = np.sin(np.arange(length) * rng.uniform(0.01, 1.5)) * rng.uniform(0, 0.7)
        samples = (tone + rng.normal(0, 10 ** rng.uniform(-4, -1), length)).clip(-1, 1).astype(np.float32)
        path = folder / "recording.wav"
        soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
        expected = extractor([samples], sampling_rate=RATE_HZ, return_tensors="np")
        found, _ = lapidary(args, folder, "audio", str(path), "--raw-16k")
        mask = expected["input_features_mask"][0].astype(bool)
        counted += int(found["input_features_mask"].sum()) == int(mask.sum())
        valid = found["input_features"][found["input_features_mask"].astype(bool)]
        largest = max(largest, float(np.abs(expected["input_features"][0][mask] - valid).max(initial=0)))
    print(f"recordings: {counted} of {total} with the same frames, largest log-mel difference {largest:.3g}")
    return counted == total and largest <= MEL_DIFFERENCE_MAX


def videos(args: argparse.Namespace, folder: Path) -> bool:
    """Animations at several rates: the reference's 32 uniform frames, and their stamps."""
    rng, equal, total = np.random.default_rng(7), 0, 12
    processor = Gemma4VideoProcessor()
    for index in tqdm(range(total), desc="videos"):
        count, milliseconds = int(rng.integers(33, 120)), int(rng.choice((40, 100, 250, 1000)))
        size = rng.integers(40, 300, 2).tolist()
        frames = [Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for _ in range(count)]
        path = folder / "video.png"
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds)
        metadata = {"fps": 1000 / milliseconds, "total_num_frames": count, "duration": count * milliseconds / 1000}
        whole = np.stack([np.asarray(frame) for frame in frames]).transpose(0, 3, 1, 2)
        expected = processor([whole], video_metadata=[metadata], return_tensors="np", return_metadata=True)
        found, summary = lapidary(args, folder, "video", str(path), "--uniform", "32")
        told = expected["video_metadata"][0]
        stamps = [f"{int(s // 60):02d}:{int(s % 60):02d}" for s in told.timestamps]
        keep = (expected["video_position_ids"] >= 0).all(-1)
        same = (summary["frames"] == [int(i) for i in told.frames_indices] and summary["timestamps"] == stamps
                and np.array_equal(expected["pixel_values_videos"][keep], found["pixel_values"]))
        equal += bool(same)
    print(f"videos: {equal} of {total} with the same frames, stamps and pixels")
    return equal == total


def compare(args: argparse.Namespace) -> bool:
    """All media; every kind is compared even when one differs."""
    with tempfile.TemporaryDirectory() as scratch:
        return all([kind(args, Path(scratch)) for kind in (pictures, recordings, videos)])


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("features", "counts"))
    parser.add_argument("--lapidary", default="target/debug/lapidary")
    args = parser.parse_args()
    return 0 if {"features": compare, "counts": write_counts}[args.what](args) else 1


if __name__ == "__main__":
    sys.exit(main())
