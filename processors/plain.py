"""Undo what hides words from a model that reads words: emoji, look-alike letters, spelling tricks."""

# ruff: noqa: RUF001 (look-alike letters are the subject)

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

import emoji

Knows = Callable[[str], bool]
"""Whether a lower-case word is one that the model reads whole."""

_LOOKS_LATIN = str.maketrans(
    "авсԁеһіјӏкмнорԛѕтуԝхѵАВСЕНІЈКМОРЅТУХ" + "αβενορτυχικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "abcdehijlkmhopqstywxvABCEHIJKMOPSTYX" + "abevoptuxikABEZHIKMNOPTYX",
)
_LEET = str.maketrans("013457@$!", "oleastasi")
_LEET_AS_I = str.maketrans("1", "i")

_LETTERS = 0.4
"""The least share of letters in a disguised word; `51C` is a measure."""

# In short runs: the time to take a chain of joined emoji apart grows with its square.
_EMOJI_RUN = re.compile("[0-9#*]\ufe0f?\u20e3|[\u00a9\u00ae\u200d\u203c-\u3299\ufe0f\U0001f000-\U000e007f]{1,32}")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LEET_WORD = re.compile(r"(?<![\w@$!])(?=[\w@$!]*[A-Za-z])(?=[\w@$!]*[013457@$!]\w)[\w@$!]{2,30}\w(?!\w)")
_SPELLED = re.compile(r"(?<![\w@$!])[\w@$!](?:([ .\-_*·])[\w@$!])(?:\1[\w@$!]){1,20}(?![\w@$!])")
_STRETCHED = re.compile(r"(?<!\w)(?=\w*([A-Za-z])\1\1)[A-Za-z]{4,60}(?!\w)")
_REPEAT = re.compile(r"([A-Za-z])\1{2,}")
_ASCII_LETTER = re.compile("[A-Za-z]")


def plain(text: str, knows: Knows) -> str:
    """Return the text as a reader takes it: emoji as words, `sh1t`, `s.h.i.t` and `shiiit` as they are meant.

    A word is only changed into one that the model knows, and never if it knows the word as it stands; what is not
    disguised stays as it is. Takes any string.
    """
    if not text.isascii():
        text = _emoji_as_words(text)
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
        text = _WORD.sub(lambda match: _latin(match.group()), text)
    text = _SPELLED.sub(lambda match: _known(_joined(match.group(), match.group(1)), match.group(), knows), text)
    text = _LEET_WORD.sub(lambda match: _known(_unleet(match.group()), match.group(), knows), text)
    return _STRETCHED.sub(lambda match: _known(_shortened(match.group()), match.group(), knows), text)


def _emoji_as_words(text: str) -> str:
    """`🔪` becomes `kitchen knife`, and a digit in a box the digit."""
    return _EMOJI_RUN.sub(lambda match: emoji.replace_emoji(match.group(), _name), text)


def _name(_: str, data: Mapping[str, str]) -> str:
    return f" {data['en'].strip(':').removeprefix('keycap_').replace('_', ' ')} "


def _latin(word: str) -> str:
    """Cyrillic and Greek letters that look Latin, in a word that also has Latin letters."""
    return word if word.isascii() or not _ASCII_LETTER.search(word) else word.translate(_LOOKS_LATIN)


def _known(candidates: Iterator[str], original: str, knows: Knows) -> str:
    """The first candidate that is a word, unless the original is one already."""
    if knows(original.lower()):
        return original
    return next((word for word in candidates if word.isalpha() and knows(word.lower())), original)


def _joined(spelled: str, separator: str) -> Iterator[str]:
    word = spelled.replace(separator, "")
    yield word
    yield from _unleet(word)


def _unleet(word: str) -> Iterator[str]:
    if sum(letter.isalpha() for letter in word) < _LETTERS * len(word):
        return
    yield word.translate(_LEET_AS_I).translate(_LEET)
    yield word.translate(_LEET)


def _shortened(word: str) -> Iterator[str]:
    yield _REPEAT.sub(r"\1\1", word)
    yield _REPEAT.sub(r"\1", word)
