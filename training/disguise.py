"""The tricks by which people hide toxic words from filters, to train against them."""

# ruff: noqa: RUF001 (look-alike letters are the subject)

import random
import re

from training.weak_labels import Lexicon

_LEET = {"a": "@4", "e": "3", "i": "1!", "o": "0", "s": "$5", "t": "7", "u": "v"}
_HOMOGLYPH = {"a": "а", "e": "е", "o": "о", "c": "с", "i": "і", "p": "р"}  # Cyrillic look-alikes
_EMOJI = ("😡", "🤬", "😂", "🖕", "💀", "🤡", "🙄", "👊", "🔪", "🐷", "🐍", "💩")
_TOKEN = re.compile(r"[A-Za-z']+")


def disguise(text: str, lexicon: Lexicon, rng: random.Random) -> str:
    """Hide the profane words of a text (or a long word where it has none)."""
    words = list(_TOKEN.finditer(text))
    profane = [m for m in words if m.group().lower() in lexicon.every]
    chosen = profane[:3] or sorted(words, key=lambda m: -len(m.group()))[:1]
    for match in sorted(chosen, key=lambda m: -m.start()):
        text = text[: match.start()] + _hide(match.group(), rng) + text[match.end() :]
    return text


def hide_one(text: str, rng: random.Random) -> str:
    """Hide one word of a text, whatever it says."""
    words = [match for match in _TOKEN.finditer(text) if len(match.group()) > 3]
    if not words:
        return text
    match = rng.choice(words)
    return text[: match.start()] + _hide(match.group(), rng) + text[match.end() :]


def with_emoji(text: str, rng: random.Random) -> str:
    """Emoji before, within or after a text."""
    words = text.split()
    for _ in range(rng.randint(1, 3)):
        words.insert(rng.choice((0, len(words), rng.randint(0, len(words)))), rng.choice(_EMOJI))
    return " ".join(words)


def _hide(word: str, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return "".join(rng.choice(_LEET[c]) if c in _LEET and rng.random() < 0.7 else c for c in word.lower())
    if kind < 0.6 and len(word) > 2:
        stars = rng.randint(1, max(1, len(word) - 2))
        return word[0] + "*" * stars + word[1 + stars :]
    if kind < 0.8:
        return rng.choice((" ", ".", "-")).join(word)
    if kind < 0.9 and len(word) > 2:
        at = rng.randrange(1, len(word) - 1)
        return word[:at] + word[at] * rng.randint(2, 4) + word[at + 1 :]
    return "".join(_HOMOGLYPH.get(c, c) if rng.random() < 0.5 else c for c in word.lower())
