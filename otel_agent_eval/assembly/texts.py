"""When two texts are the same answer, and which texts are prose: what assembly compares."""

import json
import re
from collections.abc import Iterator
from typing import Any

_MAX_JSON = 1 << 18  # characters; longer JSON is compared as it stands
_MAX_DEPTH = 16
_FENCE = "```"
_LANGUAGE = re.compile(r"[\w-]*\s*")  # behind the fence that opens
_LONG = 40  # characters from which a text found inside another is no coincidence

_MIN_WORDS = 6


def comparable(text: str) -> str:
    """Return a text without what rendering adds: space, markdown fences, quotes, the punctuation of JSON."""
    text = _unfenced(text.strip())
    value = _json(text)
    if value is not None:
        text = " ".join(_scalars(value, _MAX_DEPTH))
    return " ".join(text.split())


def is_data(text: str) -> bool:
    """Say whether a text is a JSON object or list, as steps hand on, rather than prose."""
    return isinstance(_json(text.strip()), dict | list)


def repeats(shown: str, answer: str) -> bool:
    """Say whether one comparable text shows another: the same, or with something put around it or cut off it.

    "Paris." does not make every text with "Paris." in it the same answer: the part must be long, or most of the whole.
    """
    if shown == answer:
        return bool(answer)
    if not shown or not answer:
        return False
    cut = shown.rstrip(".… ")
    if len(cut) >= _LONG and answer.startswith(cut):  # however little of it was kept
        return True
    if answer in shown:
        return len(answer) >= _LONG or 2 * len(answer) >= len(shown)
    return shown in answer and 2 * len(shown) >= len(answer)


def is_substantial(text: str) -> bool:
    """Say whether a tool's result can support an answer: six words in one piece, not a status or bare values."""
    value = _json(text.strip())
    if isinstance(value, dict | list):
        return any(_is_prose(piece) for piece in _scalars(value, _MAX_DEPTH))
    return _is_prose(text)


def _unfenced(text: str) -> str:
    """Take a text out of the markdown fences around it, in time that grows with the text and no faster."""
    if len(text) < 2 * len(_FENCE) or not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    language, newline, body = text[len(_FENCE) : -len(_FENCE)].partition("\n")
    return body.strip() if newline and _LANGUAGE.fullmatch(language) else text


def _is_prose(text: str) -> bool:
    return len(text) >= _LONG and sum(any(c.isalpha() for c in word) for word in text.split()) >= _MIN_WORDS


def _json(text: str) -> Any:  # noqa: ANN401 (any JSON value)
    """Decode a JSON object, list or string; None for all else."""
    if text[:1] not in ("{", "[", '"') or text[-1:] not in ("}", "]", '"') or len(text) > _MAX_JSON:
        return None
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _scalars(value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401 (any JSON value)
    if isinstance(value, dict) and depth:
        for key in sorted(value):
            yield key
            yield from _scalars(value[key], depth - 1)
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _scalars(item, depth - 1)
    else:
        yield value if isinstance(value, str) else json.dumps(value)
