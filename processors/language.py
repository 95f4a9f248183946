"""Whether the built-in models can read a text at all. They read English."""

# ruff: noqa: SIM905 (a text of words reads better than a list)

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from otel_agent_eval.processors.reading import Steps, in_turn, pieces, sliding

# Words of English and hardly of any other language: two of them settle most texts at once.
_ENGLISH_WORDS = frozenset(
    "the and you your with that this these have has what which from they would could should there about because "
    "are isn don doesn were been being their than then".split()
)
_ENOUGH = 2
# What the identifier tells apart. Rare languages are left out: it would take English slang for one of them.
_LANGUAGES = frozenset(
    "en az ca cs da de es et eu fi fr gl hr hu id is it lt lv ms nl no pl pt ro sk sl sq sv sw tl tr vi".split()
)
_CLEARLY = 2.5
"""By how much a language must be likelier than another: a log-likelihood ratio, divided by the root of the length."""
_LONG, _SHORT = 40, 8
"""Words that are looked at together: at first, and where English may be hidden among others."""
_FEWEST_WORDS, _FEWEST_LETTERS = 3, 18
"""Less tells nothing."""

_NAME = re.compile(r"[@#/\\_]")
_WORD = re.compile(r"[^\W\d_]+")
_LAUGHTER = re.compile(r"(\w{1,3})\1\1")


def readable(texts: Iterable[str]) -> Steps[list[bool]]:
    """Tell for each text whether it is English, in part at least, or too short or too strange to tell; in steps.

    English is found also where it is hidden in another language: eight words that are clearly English make a text
    readable. Names, numbers, code and emoji tell nothing.
    """
    return in_turn(texts, _is_readable)


def _is_readable(text: str) -> Steps[bool]:
    foreign = False
    for piece in pieces(text):
        english = _is_english(piece)
        if english:
            return True
        foreign = foreign or english is False
        yield
    return not foreign


@cache
def _identifier() -> LanguageIdentifier:
    """Load the identifier, which takes some tenths of a second and is not always needed."""
    found = LanguageIdentifier.from_model_file(MODEL_FILE)
    found.set_languages(_LANGUAGES)
    return found


def _is_english(piece: str) -> bool | None:
    """Tell whether a piece of text has English in it; None: it cannot be told."""
    words = _words(piece)
    if _is_in_other_script(words):
        words = [word for word in words if _is_latin(word[:1])]
        return _hides_english(words)
    foreign = False
    for part in sliding(words, _LONG, _LONG):
        if len(_ENGLISH_WORDS.intersection(map(str.lower, part))) >= _ENOUGH or _margin(part) < 0:
            return True
        if _margin(_without_names(part)) > _CLEARLY:
            if _hides_english(part):
                return True
            foreign = True
    return False if foreign else None


def _hides_english(words: Sequence[str]) -> bool:
    """Whether there is English among words most of which are in another language."""
    return any(_margin(part) < -_CLEARLY for part in sliding(words, _SHORT, _SHORT // 2))


def _margin(words: Iterable[str]) -> float:
    """Return how clearly words are in another language than English: 0 if it cannot be told, below 0 for English."""
    distinct = list(dict.fromkeys(word.lower() for word in words))  # a word said ten times tells no more than once
    text = " ".join(distinct)
    if len(distinct) < _FEWEST_WORDS or len(text) < _FEWEST_LETTERS:
        return 0.0
    ranks = _identifier().rank(text)
    english = next(score for language, score in ranks if language == "en")
    other = next(score for language, score in ranks if language != "en")
    return float(other - english) / math.sqrt(len(text.encode("utf-8", "replace")))


def _words(piece: str) -> list[str]:
    if not piece.isascii():
        piece = unicodedata.normalize("NFKC", piece)  # fancy letters are Latin
    return _WORD.findall(" ".join(run for run in piece.split() if not _NAME.search(run)))


def _without_names(words: Sequence[str]) -> list[str]:
    """Leave out words with a capital, of whatever language, single letters and laughter; in capitals are no names."""
    capitals = all(word.isupper() for word in words)
    return [w for w in words if (capitals or w[0].islower()) and len(w) > 1 and not _LAUGHTER.search(w.lower())]


def _is_in_other_script(words: Sequence[str]) -> bool:
    """Whether most letters stand in words of another script; Latin words with a letter from elsewhere are Latin."""
    other = sum(len(word) for word in words if not any(map(_is_latin, word)))
    return 2 * other > sum(map(len, words))


def _is_latin(character: str) -> bool:
    return character.isascii() or "LATIN" in unicodedata.name(character, "")
