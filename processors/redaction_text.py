"""Finds patterns inside texts, JSON inside texts included, and puts something else in their place."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from otel_agent_eval.processors.redaction_escapes import ESCAPE, TooManyEscapesError, View, views
from otel_agent_eval.processors.redaction_patterns import PATTERNS, Check, Pattern, Regex, compiled_regex

MASK: Final = "[REDACTED]"
"""What stands in the place of what was masked: readers of content take it for absent."""
HASH_MARK: Final = "hmac-sha256:"
"""How a hashed value begins; 64 hexadecimal digits follow."""

_DONE: Final = re.compile(rf"\[REDACTED\]|{HASH_MARK}[0-9a-f]{{64}}")
_DEEPEST: Final = 8  # JSON strings inside JSON strings; what is deeper is masked as a whole
_MOST_FOUND, _MOST_CANDIDATES = 1_000, 100_000
"""In a text in which a pattern is found more often, or seems to be, all is masked: it bounds the time."""
_ASSERTIONS: Final = re.compile(r"\\[bBAzZ]|\^|\$")
_QUOTED: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_STRINGS: Final = re.compile(_QUOTED, re.DOTALL)
_STRINGS_AND_NUMBERS: Final = re.compile(rf"{_QUOTED}|-?\d[\d.eE+-]{{5,}}", re.DOTALL)
_CUT_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")


class _TooMuchError(Exception):
    """There is so much in the JSON of a text that all of it is masked."""


class _Tally:
    """Counts what was looked at one by one in the JSON of a text, and what of that was changed."""

    def __init__(self) -> None:
        self._looked = self._changed = 0

    def count(self, *, changed: bool) -> None:
        """Count a string or a number. Raises `_TooMuchError` where it is one too many."""
        self._looked += 1
        self._changed += changed
        if self._looked > _MOST_CANDIDATES or self._changed > _MOST_FOUND:
            raise _TooMuchError


class TextRedactor:
    """Replaces what patterns find in a text; `replacement` makes of what was found what is to stand there."""

    def __init__(self, patterns: Sequence[Pattern], replacement: Callable[[str], str]) -> None:
        self._patterns = [(compiled_regex(f"{_DONE.pattern}|(?:{p.regex})"), p.check) for p in patterns]
        anything = "|".join([*(f"(?:{pattern.regex})" for pattern in patterns), ESCAPE])
        self._any = compiled_regex(anything) if patterns else None
        screens = [_screen(pattern) for pattern in patterns]
        self._screen = (
            None if None in screens or not screens else compiled_regex("|".join([*map(str, screens), ESCAPE]))
        )
        self._replacement = replacement

    def could_find(self, raw: bytes) -> bool:
        """Say whether anything may be found in the texts of an encoded request; never false where it would be."""
        if not self._patterns:
            return False
        return self._screen is None or b"\\" in raw or self._screen.search(raw) is not None

    def redact(self, text: str) -> str:
        """Return the text without what is found in it; JSON stays JSON."""
        try:
            return self._redacted(text, _DEEPEST, _Tally())
        except _TooMuchError:
            return MASK

    def _redacted(self, text: str, depth: int, tally: _Tally) -> str:
        if self._any is None or not ("\\" in text or self._any.search(_encoded(text))):
            return text
        if text.lstrip()[:1] in {"{", "["}:
            text = _STRINGS_AND_NUMBERS.sub(lambda token: self._token(token.group(), depth, tally), text)
        elif "\\" in text:
            text = _STRINGS.sub(lambda token: self._token(token.group(), depth, tally), text)
        return self._plain(text)

    def _token(self, token: str, depth: int, tally: _Tally) -> str:
        """Redact a string or a number of JSON; strings without escapes are as plain as the text around them."""
        if token[0] != '"':
            if self._any is None or not self._any.search(token.encode()):
                return token
            found = self._plain(token)
            tally.count(changed=found != token)
            return token if found == token else json.dumps(found)
        if "\\" not in token:
            return token
        whole = _is_closed(token)
        try:
            text = json.loads(token if whole else _CUT_ESCAPE.sub("", token) + '"', strict=False)
        except ValueError:
            return token
        redacted = self._redacted(text, depth - 1, tally) if depth > 0 else MASK
        tally.count(changed=redacted != text)
        if redacted == text:
            return token
        return json.dumps(redacted) if whole else json.dumps(redacted)[:-1]

    def _plain(self, text: str) -> str:
        """Redact a text without looking for JSON: first as it reads behind all escapes, in the end as it stands."""
        data = _encoded(text)
        try:
            seen = views(data, _MOST_CANDIDATES)
            for depth in reversed(range(len(seen))):
                for regex, check in self._patterns:
                    redacted = self._replaced(data, seen[depth], regex, check) if depth < len(seen) else data
                    if redacted != data:
                        data = redacted
                        seen = views(data, _MOST_CANDIDATES)
        except (_TooMuchError, TooManyEscapesError):
            return MASK
        return _decoded(data)

    def _replaced(self, data: bytes, view: View, regex: Regex, check: Check | None) -> bytes:
        """Replace in a text what one pattern finds in a view of it. Raises `_TooMuchError`."""
        pieces: list[bytes] = []
        seen = view.data
        kept = position = candidates = 0  # of `data` what is before `kept` is among the pieces; `position` is in `seen`
        while (match := regex.search(seen, position)) is not None:
            begin, position = match.span()
            candidate = seen[begin:position].decode("utf-8", "replace")
            candidates += 1
            if len(pieces) > 2 * _MOST_FOUND or candidates > _MOST_CANDIDATES:
                raise _TooMuchError
            if _DONE.fullmatch(candidate):
                continue
            meant = (0, len(candidate)) if check is None else check(candidate)
            if isinstance(meant, int):
                position = begin + len(_encoded(candidate[:meant]))
                continue
            first, last = meant
            found = begin + len(_encoded(candidate[:first]))
            position = begin + len(_encoded(candidate[:last])) if check is not None else position
            pieces += [data[kept : view.place(found)], _encoded(self._replacement(candidate[first:last]))]
            kept = view.place(position)
        return b"".join([*pieces, data[kept:]])


def _screen(pattern: Pattern) -> str | None:
    """Return an expression that finds, in any bytes around a text, what the pattern finds in the text; None if unknown.

    Assertions see what stands beside the text. Those of the ready patterns are word boundaries, which can be left out.
    """
    regex = pattern.regex.replace(r"\b", "") if pattern in PATTERNS.values() else pattern.regex
    return None if _ASSERTIONS.search(regex) else f"(?:{regex})"


def _is_closed(token: str) -> bool:
    """Say whether a string of JSON ends with its own quote, and not with an escaped one."""
    body = token[:-1]
    return len(token) > 1 and token[-1] == '"' and (len(body) - len(body.rstrip("\\"))) % 2 == 0


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
