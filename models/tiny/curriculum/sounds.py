"""Skill 5: spoken digits and commands, synthesised with espeak-ng; one voice is never trained on.

Every word is synthesised once per voice and speed and kept in a cache file; clips are words with gaps, gain and noise.
"""

from __future__ import annotations

import io
import random
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from transformers import Gemma4AudioFeatureExtractor

from render import Builder

DIGITS = dict(zip("0123456789", "zero one two three four five six seven eight nine".split()))
COMMANDS = "start stop left right up down yes no open close next back".split()
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc")
VARIANTS = "f1 f2 f3 f4 m2 m3 m4 m5 m6 m7 m8 Annie linda steph john max".split()
# Every variant of the throat with one or the other large accent, and every accent by itself.
VOICES = (*ACCENTS, *(f"{('en-us', 'en-gb')[i % 2]}+{variant}" for i, variant in enumerate(VARIANTS)))
HELD_VOICES = ("en-us+f5", "en-gb+m1")
SPEEDS = (130, 165, 200)
RATE = 16_000
ASR_PROMPT = (
    "Transcribe the following speech segment in its original language. Follow these specific instructions for "
    "formatting the answer:\n* Only output the transcription, with no newlines.\n* When transcribing numbers, write the "
    "digits, i.e. write 1.7 and not one point seven, and write 3 instead of three."
)
EXTRACTOR = Gemma4AudioFeatureExtractor()


def synthesise(voice: str, speed: int, word: str) -> np.ndarray:
    """One word, mono f32 at 16 kHz, silence trimmed."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", word]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="float32")
    count = int(len(samples) * RATE / rate)
    samples = np.interp(np.arange(count) * rate / RATE, np.arange(len(samples)), samples).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[max(0, loud[0] - 400) : loud[-1] + 400]


def bank(path: Path) -> dict[str, np.ndarray]:
    """Every word by `voice/speed/word`; made once, and again where words or voices are missing."""
    spoken = [*DIGITS.values(), *COMMANDS]
    wanted = {f"{v}/{s}/{w}": (v, s, w) for v in (*VOICES, *HELD_VOICES) for s in SPEEDS for w in spoken}
    if not path.exists() or not wanted.keys() <= set(np.load(path).files):
        np.savez(path, **{key: synthesise(*parts) for key, parts in wanted.items()})
    return dict(np.load(path))


def stretched(samples: np.ndarray, factor: float) -> np.ndarray:
    """Played faster or slower: pitch and speed change together."""
    count = int(len(samples) / factor)
    return np.interp(np.arange(count) * factor, np.arange(len(samples)), samples).astype(np.float32)


def coloured(rng: random.Random, samples: np.ndarray) -> np.ndarray:
    """Through another room and another microphone: gains that change smoothly with frequency; now and then nothing
    above 4 kHz, as from a telephone."""
    spectrum = np.fft.rfft(samples)
    place = np.linspace(0, 5, len(spectrum))
    gains = 10 ** (np.interp(place, range(6), [rng.uniform(-9, 9) for _ in range(6)]) / 20)
    if rng.random() < 0.15:
        gains[len(gains) // 2 :] = 0
    return np.fft.irfft(spectrum * gains, len(samples)).astype(np.float32)


def clip(rng: random.Random, words: list[str], held: bool, store: dict) -> tuple[np.ndarray, list]:
    """Words of one voice with gaps, gain and noise, and where each word is: `(word, (first sample, last sample))`."""
    voice, speed = rng.choice(HELD_VOICES if held else VOICES), rng.choice(SPEEDS)
    factor = rng.uniform(0.9, 1.12) if held else rng.uniform(0.8, 1.25)
    parts = [np.zeros(rng.randint(200, 3000), np.float32)]
    spans = []
    for word in words:
        start, spoken_word = sum(map(len, parts)), stretched(store[f"{voice}/{speed}/{word}"], factor)
        spans.append((word, (start, start + len(spoken_word))))
        parts += [spoken_word, np.zeros(rng.randint(400, 3200), np.float32)]
    samples = np.concatenate(parts) * rng.uniform(0.3, 1.2)
    samples = samples if held else coloured(rng, samples)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 1, len(samples)).astype(np.float32)
    return np.clip(samples + noise * rng.choice((0.0, 0.001, 0.004, 0.01)), -1, 1), spans


def features(samples: np.ndarray, spans: list[tuple[str, tuple[int, int]]]) -> tuple[np.ndarray, list]:
    """`[frames, 128]`, valid frames only, for the audio tower; and the words with their spans."""
    out = EXTRACTOR([samples], sampling_rate=RATE, return_tensors="np")
    return out["input_features"][0][out["input_features_mask"][0].astype(bool)], spans


def token_count(samples: np.ndarray) -> int:
    """Soft tokens of a recording."""
    return -(-len(features(samples, [])[0]) // 4)


def words_of(rng: random.Random) -> tuple[list[str], str, str]:
    """What a recording says: spoken words, their transcription, and the skill."""
    if rng.random() < 0.7:
        digits = [rng.choice("0123456789") for _ in range(rng.randint(1, 5))]
        return [DIGITS[d] for d in digits], " ".join(digits), "audio_digits"
    said = [rng.choice(COMMANDS) for _ in range(rng.randint(1, 3))]
    return said, " ".join(said), "audio_words"


def placeholder(count: int) -> str:
    """An expanded recording in a prompt."""
    return "<|audio>" + "<|audio|>" * count + "<audio|>"


def about(rng: random.Random, text: str, skill: str, mark: str) -> Builder:
    """A recording and its transcription."""
    build = Builder("", [], rng.random() < 0.1, skill=skill)
    prompt = rng.choice((ASR_PROMPT, ASR_PROMPT, "Transcribe this.", "What do you hear?", "Write down what is said."))
    return build.ask(prompt, text, "I listen to the recording.", (("audio", mark),), after=rng.random() < 0.5)
