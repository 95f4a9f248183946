"""Finds patterns inside texts, JSON inside texts included, and puts something else in their place."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Final, NamedTuple, Self

from otel_agent_eval.processors.redaction_escapes import DEEPEST, ESCAPE, TooManyEscapesError, View, undone, views
from otel_agent_eval.processors.redaction_patterns import PATTERNS, Check, Pattern, Regex, compiled_regex

MASK: Final = "[REDACTED]"
"""What stands in the place of what was masked: readers of content take it for absent."""
HASH_MARK: Final = "hmac-sha256:"
"""How a hashed value begins; 64 hexadecimal digits follow."""

_DONE: Final = re.compile(rf"\[REDACTED\]|{HASH_MARK}[0-9a-f]{{64}}")
_DEEPEST_JSON: Final = 8  # JSON strings inside JSON strings; what is deeper is masked as a whole
_MOST_FOUND, _MOST_CANDIDATES = 1_000, 100_000
"""In a text in which a pattern is found more often, or seems to be, all is masked: it bounds the time."""
_MOST_WORK: Final = 5_000_000
"""About so many microseconds are spent on one request; of what is left then, all is masked that must be looked into."""
_LOOK, _CANDIDATE, _STRING, _BYTES = 40, 10, 1, 400
"""What it takes, in microseconds: to look into one string alone, at one candidate, to decode a string; bytes in one."""
_ENDS: Final = re.compile(r"\\[AzZ]|(?<!(?<!\\)\[)\^|\$")
"""Finds in an expression what stands for the beginning or the end of a text; a `^` in `[^a]` is none."""
_ASSERTIONS: Final = re.compile(rf"\\[bB]|{_ENDS.pattern}")
_QUOTED: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_STRINGS: Final = re.compile(_QUOTED, re.DOTALL)
_STRINGS_AND_NUMBERS: Final = re.compile(rf"{_QUOTED}|-?\d[\d.eE+-]{{5,}}", re.DOTALL)
_BORDER: Final = "\x1e"
_BORDERED_STRINGS: Final = re.compile(_QUOTED.replace(r'^"\\', rf'^"\\{_BORDER}').replace(r"\\.", rf"\\[^{_BORDER}]"))
"""Strings in texts that are put together, with a border between each two, so that all are searched at once."""
_GROUP: Final = 512  # strings that are searched at once where something is in one of all; then an eighth of them
_CUT_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_DECODER: Final = json.JSONDecoder(strict=False)
_FILLER: Final = b"["
"""Stands for what was found while other patterns are looked for, which it can be no part of."""


class _TooMuchError(Exception):
    """There is so much in a text that all of it is masked."""


class _Work:
    """Counts what redacting one request takes."""

    def __init__(self, most: int = _MOST_WORK) -> None:
        self._left = most

    def spend(self, microseconds: int) -> None:
        """Count work. Raises `_TooMuchError` where it is too much."""
        self._left -= microseconds
        if self._left < 0:
            raise _TooMuchError


class _Tally:
    """Counts what is changed in the JSON of a text, and the work."""

    def __init__(self, work: _Work) -> None:
        self.work = work
        self._changed = 0

    def changed(self) -> None:
        """Count a string or a number. Raises `_TooMuchError` where it is one too many."""
        self._changed += 1
        if self._changed > _MOST_FOUND:
            raise _TooMuchError


class _Inner(NamedTuple):
    """A string or a number in the JSON of a text: where it stands, and what it means."""

    begin: int
    end: int
    meaning: str
    form: str
    """What it is: `"` for a string, with a space behind it for one that was cut, nothing for a number."""


class TextRedactor:
    """Replaces what patterns find in a text; `replacement` makes of what was found what is to stand there."""

    def __init__(self, patterns: Sequence[Pattern], replacement: Callable[[str], str]) -> None:
        self._patterns = [(compiled_regex(f"{_DONE.pattern}|(?:{p.regex})"), p.check) for p in patterns]
        anything = "|".join(f"(?:{pattern.regex})" for pattern in patterns)
        self._any = compiled_regex(anything) if patterns else None
        self._any_or_escape = compiled_regex(f"{anything}|{ESCAPE}") if patterns else None
        self._together = not any(_ENDS.search(pattern.regex) for pattern in patterns)
        screens = [_screen(pattern) for pattern in patterns]
        self._screen = (
            None if None in screens or not screens else compiled_regex("|".join([*map(str, screens), ESCAPE]))
        )
        self._replacement = replacement
        self._work: _Work | None = None

    def for_one_request(self) -> Self:
        """Return one for the texts of one request: of many that take long, it masks the last as a whole."""
        one = copy(self)
        one._work = _Work()  # noqa: SLF001 (its own)
        return one

    def could_find(self, raw: bytes) -> bool:
        """Say whether anything may be found in the texts of an encoded request; never false where it would be."""
        if not self._patterns:
            return False
        return self._screen is None or b"\\" in raw or self._screen.search(raw) is not None

    def redact(self, text: str) -> str:
        """Return the text without what is found in it; JSON stays JSON."""
        if self._any_or_escape is None or not ("\\" in text or self._any_or_escape.search(_encoded(text))):
            return text
        try:
            return self._redacted(text, _DEEPEST_JSON, _Tally(self._work or _Work()))
        except _TooMuchError:
            return MASK

    def _redacted(self, text: str, depth: int, tally: _Tally) -> str:
        """Redact first what JSON hides in strings with escapes, then the text around them."""
        tally.work.spend(_LOOK + len(text) // _BYTES)
        shows = self._finds(_encoded(text))
        inner = list(_strings(text, numbers=shows))
        tally.work.spend(_STRING * len(inner))
        if len(inner) > _MOST_CANDIDATES:
            raise _TooMuchError
        outside = _without(text, inner) if inner else text
        pieces: list[str] = []
        kept = 0
        for one in self._suspects(inner, depth, tally):
            if not one.form:
                tally.work.spend(_LOOK)
                redacted = self._plain(one.meaning, tally.work)
            else:
                redacted = self._redacted(one.meaning, depth - 1, tally) if depth > 0 else MASK
            if redacted != one.meaning:
                tally.changed()
                quoted = json.dumps(redacted)
                pieces += [text[kept : one.begin], quoted[:-1] if one.form == '" ' else quoted]
                kept = one.end
        text = "".join([*pieces, text[kept:]])
        if pieces:
            shows = self._finds(_encoded(text))
        return self._plain(text, tally.work) if shows or self._hides(outside, tally.work) else text

    def _suspects(self, inner: Sequence[_Inner], depth: int, tally: _Tally) -> Iterator[_Inner]:
        """Yield those in which something may be found: many are searched at once, and one alone only then."""
        if len(inner) > 1 and self._together and not self._holds([one.meaning for one in inner], depth - 1, tally.work):
            return
        if len(inner) <= 1 or not self._together:
            yield from inner
            return
        step = _GROUP if len(inner) > _GROUP else max(1, len(inner) // 8)
        for start in range(0, len(inner), step):
            yield from self._suspects(inner[start : start + step], depth, tally)

    def _holds(self, texts: Sequence[str], depth: int, work: _Work) -> bool:
        """Say whether anything may be found in one of many texts; never false where it would be."""
        text = _BORDER.join(one.replace(_BORDER, " ") for one in texts)
        work.spend(_LOOK + len(text) // _BYTES)
        if self._finds(_encoded(text)):
            return True
        inner = list(_strings(text, numbers=False, of=_BORDERED_STRINGS)) if "\\" in text else []
        work.spend(_STRING * len(inner))
        if len(inner) > _MOST_CANDIDATES:
            raise _TooMuchError
        if self._hides(_without(text, inner) if inner else text, work):
            return True
        return bool(inner) and (depth <= 0 or self._holds([one.meaning for one in inner], depth - 1, work))

    def _finds(self, data: bytes) -> bool:
        return self._any is not None and self._any.search(data) is not None

    def _hides(self, text: str, work: _Work) -> bool:
        """Say whether anything may be found in a text once its escapes are undone."""
        seen = _encoded(text)
        for _ in range(DEEPEST + 1):
            below, escapes = undone(seen)
            if below == seen:
                return False
            work.spend(len(seen) // _BYTES + escapes)
            if escapes > _MOST_CANDIDATES or self._finds(below):
                return True
            seen = below
        return True

    def _plain(self, text: str, work: _Work) -> str:
        """Redact a text without looking for JSON: first as it reads behind all escapes, in the end as it stands."""
        data = _encoded(text)
        try:
            seen = views(data, _MOST_CANDIDATES)
            work.spend(sum(view.escapes for view in seen))
            for depth in reversed(range(len(seen))):
                work.spend(len(data) // _BYTES)
                if depth >= len(seen) or not self._finds(seen[depth].data):
                    continue
                redacted = self._replaced(data, seen[depth], work)
                if redacted != data:
                    data = redacted
                    seen = views(data, _MOST_CANDIDATES)
                    work.spend(sum(view.escapes for view in seen))
        except (TooManyEscapesError, _TooMuchError):
            return MASK
        return _decoded(data)

    def _replaced(self, data: bytes, view: View, work: _Work) -> bytes:
        """Replace in a text what the patterns find in a view of it, one after the other. Raises `_TooMuchError`."""
        seen = view.data
        found: list[tuple[int, int, str]] = []
        for regex, check in self._patterns:
            work.spend(len(seen) // _BYTES)
            more = list(_matches(seen, regex, check, work))
            if not more:
                continue
            seen = _filled(seen, more)
            found = _merged(found, more)
        pieces: list[bytes] = []
        kept = 0
        for begin, end, text in found:
            pieces += [data[kept : view.place(begin)], _encoded(self._replacement(text))]
            kept = view.place(end)
        return b"".join([*pieces, data[kept:]])


def _matches(data: bytes, regex: Regex, check: Check | None, work: _Work) -> Iterator[tuple[int, int, str]]:
    """Yield what one pattern finds: from where to where, and the text. Raises `_TooMuchError`."""
    position = candidates = found = 0
    while (match := regex.search(data, position)) is not None:
        begin, position = match.span()
        candidate = data[begin:position].decode("utf-8", "replace")
        candidates += 1
        work.spend(_CANDIDATE)
        if found > _MOST_FOUND or candidates > _MOST_CANDIDATES:
            raise _TooMuchError
        if _DONE.fullmatch(candidate):
            continue
        meant = (0, len(candidate)) if check is None else check(candidate)
        if isinstance(meant, int):
            position = begin + len(_encoded(candidate[:meant]))
            continue
        first, last = meant
        start = begin + len(_encoded(candidate[:first]))
        position = begin + len(_encoded(candidate[:last])) if check is not None else position
        found += 1
        yield start, position, candidate[first:last]


def _filled(data: bytes, found: Sequence[tuple[int, int, str]]) -> bytes:
    """Return a text of the same length in which what was found is no more."""
    pieces: list[bytes] = []
    kept = 0
    for begin, end, _ in found:
        pieces += [data[kept:begin], _FILLER * (end - begin)]
        kept = end
    return b"".join([*pieces, data[kept:]])


def _merged(found: Sequence[tuple[int, int, str]], more: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return all that was found by place; of what overlaps, as the longer of both."""
    merged: list[tuple[int, int, str]] = []
    for begin, end, text in sorted([*found, *more]):
        if merged and begin < merged[-1][1]:
            first, last, other = merged[-1]
            merged[-1] = (first, max(end, last), text if end - begin > last - first else other)
        else:
            merged.append((begin, end, text))
    return merged


def _strings(text: str, *, numbers: bool, of: re.Pattern[str] = _STRINGS) -> Iterator[_Inner]:
    """Yield the strings in a text that have escapes, and where it is JSON the long numbers if they are wanted."""
    if numbers and text.lstrip()[:1] in {"{", "["}:
        of = _STRINGS_AND_NUMBERS
    elif "\\" not in text:
        return
    for match in of.finditer(text):
        token = match[0]
        if token[0] != '"':
            yield _Inner(match.start(), match.end(), token, "")
        elif "\\" in token:
            whole = _is_closed(token)
            try:
                meaning, _ = _DECODER.raw_decode(token if whole else _CUT_ESCAPE.sub("", token) + '"')
            except ValueError:
                continue
            yield _Inner(match.start(), match.end(), meaning, '"' if whole else '" ')


def _without(text: str, inner: Sequence[_Inner]) -> str:
    """Return a text without the strings in it that are looked into by themselves."""
    pieces: list[str] = []
    kept = 0
    for one in inner:
        if one.form:
            pieces += [text[kept : one.begin], '""']
            kept = one.end
    return "".join([*pieces, text[kept:]])


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
