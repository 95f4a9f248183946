"""Whether the built-in models can read a text at all. They read English."""

import unicodedata

_LOOKS, _LOOK = 16, 256
"""A long text is looked at in this many places, this many characters each."""


def is_readable(text: str) -> bool:
    """Whether most letters of a text are Latin; a text without letters (numbers, emoji, code) is readable.

    Only the script is checked: Latin text in another language passes. Letters in fancy forms (full-width,
    mathematical) are Latin.
    """
    if text.isascii():
        return True
    step = max(_LOOK, len(text) // _LOOKS)
    sample = "".join(text[start : start + _LOOK] for start in range(0, len(text), step))
    letters = [character for character in sample if character.isalpha()]
    latin = sum(_is_latin(character) for character in letters)
    return 2 * latin >= len(letters)


def _is_latin(character: str) -> bool:
    return character.isascii() or "LATIN" in unicodedata.name(unicodedata.normalize("NFKC", character)[0], "")
