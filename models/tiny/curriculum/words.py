"""Word lists, each with a side that is never trained on, and made-up words."""

from __future__ import annotations

import json
import random
import zlib
from functools import cache
from pathlib import Path

HELD_OUT_SHARE = 5
TOKENIZER = Path(__file__).parent.parent / "bundle" / "tokenizer.json"
PIECE_SHARE = 0.45
ECHO_SHARE = 0.1


def held_out(key: str) -> bool:
    """Whether a key (a word, a pair, a combination) belongs to the held-out fifth."""
    return zlib.crc32(key.encode()) % HELD_OUT_SHARE == 0


CITIES = """Lisbon Oslo Nairobi Dublin Helsinki Wellington Lima Tokyo Madrid Berlin Paris Rome Vienna Prague Athens Cairo
Delhi Seoul Quito Havana Boston Denver Austin Dallas Geneva Zurich Munich Porto Turin Naples Riga Vilnius Tallinn Sofia
Ankara Tehran Baghdad Jakarta Manila Hanoi Bangkok Sydney Perth Toronto Montreal Ottawa Bogota Santiago Dakar Accra Lagos
Kigali Tunis Rabat Doha Muscat Kyoto Osaka Busan Leeds Bristol Cardiff Glasgow Krakow Malmo Bergen""".split()

NAMES = """Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Karin Leo Maria Nils Olga Paul Rosa Simon Tara Uma Victor
Wanda Yusuf Zoe Alice Bruno Carla Dora Erik Fatima George Helen Ivan Julia Kenji Laura Marco Nora Oscar Petra Ravi Sara
Tomas Vera Walter Amira Diego Ella Frank Gina Hana Igor Jana Kofi Lena Mina Noah Otto Priya""".split()

PLAIN = """late home early ready dinner lunch meeting train station garden book letter key bag coat umbrella bread milk eggs
rice apples coffee tea sugar salt soap paper water window door table chair lamp phone report invoice ticket photo music
river mountain forest beach island bridge tower castle market school office park museum theatre library kitchen bedroom
bathroom hall garage monday tuesday friday sunday morning evening night summer winter spring autumn rain snow wind cloud
green small large old new quick quiet happy blue warm cold fresh sweet silver golden broken heavy light empty open""".split()

ONSETS = "b c d f g h j k l m n p r s t v w z br dr gr tr st pl kl sh".split()
VOWELS = "a e i o u".split()
CODAS = ["", "", "", "n", "r", "l", "s", "m", "t", "k", "x"]


def side(items: list[str], held: bool) -> list[str]:
    """The trained or the held-out part of a list."""
    return [item for item in items if held_out(item) == held]


@cache
def pieces() -> list[str]:
    """Alphabetic tokens of the tokenizer. Words built of them show every token to the model, so that a never-seen word
    is at worst a never-seen order of known tokens. Empty before the tokenizer exists."""
    if not TOKENIZER.exists():
        return []
    vocab = json.loads(TOKENIZER.read_text())["model"]["vocab"]
    return sorted(token for token in vocab if token.isascii() and token.isalpha() and len(token) <= 6)


def syllables(rng: random.Random) -> str:
    """One to three syllables."""
    count = rng.choice((1, 2, 2, 3))
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(count)) + rng.choice(CODAS)


def made_up(rng: random.Random, held: bool) -> str:
    """A word that exists nowhere, on the asked side."""
    while True:
        use_pieces = rng.random() < PIECE_SHARE and pieces()
        word = "".join(rng.choices(pieces(), k=rng.choice((1, 2, 2)))) if use_pieces else syllables(rng)
        if len(word) > 2 and held_out(word) == held:
            return word


def proper(rng: random.Random, held: bool, known: list[str], invented_share: float = 0.4) -> str:
    """A capitalised name, known or made up."""
    if rng.random() < invented_share:
        word = made_up(rng, held)
        return word[0].upper() + word[1:]
    return rng.choice(side(known, held))


def phrase(rng: random.Random, held: bool, low: int = 1, high: int = 3) -> str:
    """A few lower-case words; made-up ones among them. In training some come twice: in the short held-out list they
    often do by chance."""
    known = side(PLAIN, held)
    words = [made_up(rng, held) if rng.random() < 0.3 else rng.choice(known) for _ in range(rng.randint(low, high))]
    if not held and rng.random() < ECHO_SHARE:
        words[-1] = rng.choice(words)
    return " ".join(words)


def number(rng: random.Random, held: bool, high: int = 99) -> int:
    """A whole number from 1; the held-out ones are a fifth of all."""
    while True:
        found = rng.randint(1, high) if rng.random() < 0.8 else rng.randint(1, high * 10)
        if held_out(f"number {found}") == held:
            return found
