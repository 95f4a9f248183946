"""Whether the built-in models can read a text at all. They read English."""

import unicodedata

_SAMPLE = 4_000
"""Characters looked at: the language of a longer text shows in evenly spaced ones."""


def is_readable(text: str) -> bool:
    """Whether most letters of a text are Latin; a text without letters (numbers, emoji, code) is readable.

    Only the script is checked: Latin text in another language passes. Letters in fancy forms (full-width,
    mathematical) are Latin.
    """
    if text.isascii():
        return True
    sample = text[:: max(1, len(text) // _SAMPLE)]
    letters = [character for character in sample if character.isalpha()]
    latin = sum(_is_latin(character) for character in letters)
    return 2 * latin >= len(letters)


def _is_latin(character: str) -> bool:
    return character.isascii() or "LATIN" in unicodedata.name(unicodedata.normalize("NFKC", character)[0], "")
