"""Trains the tiny tokenizer: byte-fallback BPE in the manner of Gemma's, with every real control token as one id.

The file that comes out has Gemma's normaliser, pre-tokeniser and decoder, and no post-processor: the chat format
writes `<bos>` itself. Low control ids are the real ones; the media tokens end the vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

import dims

LOW_CONTROLS = {
    0: "<pad>", 1: "<eos>", 2: "<bos>", 3: "<unk>", 4: "<mask>", 46: "<|tool>", 47: "<tool|>", 48: "<|tool_call>",
    49: "<tool_call|>", 50: "<|tool_response>", 51: "<tool_response|>", 52: '<|"|>', 98: "<|think|>",
    100: "<|channel>", 101: "<channel|>", 105: "<|turn>", 106: "<turn|>",
}
FIRST_BYTE = 109
SPACE = "\u2581"
# Words of the fixed sentences, which nobody asks the model to copy: only these get a token with their space.
JOINED = """the a an is are of in to for and on at it you me my your I that this what how who can do does not no with
from by be was has have will or so as tool tools user wants model result answer am does What How Who The It If their they
them an about one two three there which when where why please any all here now than then into but says said city time
picture colour circle circles square squares triangle triangles star stars cross crosses ring rings red green blue yellow
purple orange left right top bottom middle first second moves small large world know""".split()
NAMES = {
    "audio_token": "<|audio|>", "boa_token": "<|audio>", "boi_token": "<|image>", "bos_token": "<bos>",
    "eoa_token": "<audio|>", "eoc_token": "<channel|>", "eoi_token": "<image|>", "eos_token": "<eos>",
    "eot_token": "<turn|>", "escape_token": '<|"|>', "etc_token": "<tool_call|>", "etd_token": "<tool|>",
    "etr_token": "<tool_response|>", "image_token": "<|image|>", "mask_token": "<mask>", "pad_token": "<pad>",
    "soc_token": "<|channel>", "sot_token": "<|turn>", "stc_token": "<|tool_call>", "std_token": "<|tool>",
    "str_token": "<|tool_response>", "think_token": "<|think|>", "unk_token": "<unk>",
}


def characters() -> list[str]:
    """Single characters with an id of their own: printable ASCII and what the small French needs."""
    ascii_printable = [chr(code) for code in range(33, 127)]
    return [SPACE, *ascii_printable, *"éèêàçùôîûœÉ'«»°–…"]


def learn_merges(corpus: Iterable[str], count: int) -> list[tuple[str, str]]:
    """At most `count` merges. Words, spaces, digits and punctuation stand apart, so that no merge ever crosses those
    borders and Gemma's border-free pre-tokeniser gives the same pieces. A word is cut alike after a space and after a
    quote, which makes copying it learnable for a tiny model; only the words of `JOINED` then merge with their space."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("\\p{L}+|[^\\p{L}]"), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=8192, initial_alphabet=characters(), show_progress=False, min_frequency=4, max_token_length=16,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    known = set(characters())
    merges = [tuple(pair) for pair in merges if set("".join(pair)) <= known][: count - len(JOINED)]
    whole = {"".join(pair) for pair in merges} | known
    return merges + [(SPACE, word) for word in dict.fromkeys(JOINED) if word in whole]


def vocabulary(corpus: Iterable[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token to id, and the merges in order."""
    fixed = dict(LOW_CONTROLS) | {107: "\n", 108: "\n\n"}
    fixed |= {FIRST_BYTE + byte: f"<0x{byte:02X}>" for byte in range(256)}
    fixed |= {number: token for token, number in dims.MEDIA_IDS.items()}
    free = [number for number in range(FIRST_BYTE + 256, dims.VOCAB) if number not in fixed]
    singles = list(dict.fromkeys(characters()))
    merges = learn_merges(corpus, len(free) - len(singles))
    tokens = singles + ["".join(pair) for pair in merges]
    for number, token in zip(free, dict.fromkeys(tokens)):
        fixed[number] = token
    for number in range(dims.VOCAB):
        fixed.setdefault(number, f"<unused{number}>")
    return {token: number for number, token in sorted(fixed.items())}, [("\n", "\n"), *merges]


def special(number: int, content: str) -> dict:
    """One entry of `added_tokens`."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": content, **flags}


def tokenizer_json(corpus: Iterable[str]) -> dict:
    """The whole `tokenizer.json`."""
    vocab, merges = vocabulary(corpus)
    controls = LOW_CONTROLS | {number: token for token, number in dims.MEDIA_IDS.items()}
    decoders = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    ]
    model = {
        "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
        "vocab": vocab, "merges": [list(pair) for pair in merges],
    }
    split = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(number, token) for number, token in sorted(controls.items())],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": split, "post_processor": None, "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }


def tokenizer_config() -> dict:
    """`tokenizer_config.json` as transformers 5.23 writes it for Gemma 4."""
    return {
        "backend": "tokenizers", "model_max_length": 10**30, "padding_side": "left",
        "processor_class": "Gemma4Processor", "tokenizer_class": "GemmaTokenizer",
        "extra_special_tokens": ["<|video|>"], **NAMES,
    }


def check(path: Path) -> None:
    """Round trip of every byte and of mixed text; control tokens are single; digits stay apart."""
    tokenizer = Tokenizer.from_file(str(path))
    samples = [chr(code) for code in range(1, 0x250)] + ["a  b\n\n\nc\t", "née 1234 日本 🦀", " x", "\r\n"]
    for text in samples:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if tokenizer.decode(ids, skip_special_tokens=False) != text:
            raise ValueError(f"tokenizer: {text!r} does not survive a round trip: {ids}")
    for number, token in (LOW_CONTROLS | {i: t for t, i in dims.MEDIA_IDS.items()}).items():
        if tokenizer.encode(token, add_special_tokens=False).ids != [number]:
            raise ValueError(f"tokenizer: {token} is not the single id {number}")
    if len(tokenizer.encode("12345", add_special_tokens=False).ids) != 5:
        raise ValueError("tokenizer: expected one id per digit")
    for byte in range(256):
        if tokenizer.token_to_id(f"<0x{byte:02X}>") is None:
            raise ValueError(f"tokenizer: byte {byte} has no token")


def write(folder: Path, corpus: Iterable[str]) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json` into `folder`."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(tokenizer_json(corpus), ensure_ascii=False, indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(), indent=2) + "\n")
    check(path)
