"""Texts as they read once escapes are undone: `%40` of URLs, `&#64;` of HTML, `\u0040` and `\x40` of programs."""

import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Self

_URL: Final = r"%(?:25)*[0-9A-Fa-f]{2}"
_HTML: Final = r"&(?:amp;)*(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][0-9A-Za-z]{1,31};)"
_PROGRAM: Final = r"(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})"

ESCAPE: Final = rf"{_URL}|{_HTML}|\\{_PROGRAM}"
"""Finds an escape, in the syntax of RE2, too."""
_ESCAPE: Final = re.compile(rf"[%&\\](?:(?<=%){_URL[1:]}|(?<=&){_HTML[1:]}|(?<=\\)(?<!\\\\)\\*+{_PROGRAM})".encode())
"""Takes together one that was escaped again in its own way: `%2540`, `&amp;#64;`, `\\u0040`. It begins with a class:
long texts without any are searched ten times faster for it."""
_KNOWN_LENGTH: Final = 16  # of escapes, in bytes: what longer ones mean is not kept
DEEPEST: Final = 4  # escapes of one kind behind those of another


class TooManyEscapesError(Exception):
    """Nobody writes so many of them in earnest, or so many kinds behind one another."""


class View:
    """A text in UTF-8 as it stands, or as it reads behind layers of escapes; and where what reads so stands.

    `begins` are the places in `data` of what was escaped in the view `above`; `shifts`, one more, say by how much that
    is longer: up to the first, and up to behind each of them.
    """

    def __init__(
        self, data: bytes, above: Self | None = None, begins: Sequence[int] = (), shifts: Sequence[int] = (0,)
    ) -> None:
        self.data = data
        self._above = above
        self._begins = begins
        self._shifts = shifts

    @property
    def escapes(self) -> int:
        """How many there were in the view above."""
        return len(self._begins)

    def place(self, index: int) -> int:
        """Return where in the text itself that stands which stands here at `index`."""
        if self._above is None:
            return index
        return self._above.place(index + self._shifts[bisect_left(self._begins, index)])

    def below(self, most: int) -> Self | None:
        """Undo one more layer; None where there is none. Raises `TooManyEscapesError` for more than `most` escapes."""
        pieces: list[bytes] = []
        begins: list[int] = []
        shifts = [kept := 0]
        for match in _ESCAPE.finditer(self.data):
            meant = _meant(match.group())
            if meant is None:
                continue
            if len(begins) == most:
                raise TooManyEscapesError
            pieces += [self.data[kept : match.start()], meant]
            kept = match.end()
            begins.append(match.start() - shifts[-1])
            shifts.append(shifts[-1] + len(match.group()) - len(meant))
        if not pieces:
            return None
        return type(self)(b"".join([*pieces, self.data[kept:]]), self, begins, shifts)


def views(data: bytes, most: int) -> list[View]:
    """Return a text as it stands, then with each layer of escapes undone. Raises `TooManyEscapesError`."""
    found = [View(data)]
    while (below := found[-1].below(most)) is not None:
        if len(found) > DEEPEST:
            raise TooManyEscapesError
        found.append(below)
    return found


def undone(data: bytes) -> tuple[bytes, int]:
    """Return a text with one more layer of escapes undone, and how many of them there seemed to be."""
    if not (b"%" in data or b"&" in data or b"\\" in data):
        return data, 0
    return _ESCAPE.subn(_instead, data)


def _instead(match: re.Match[bytes]) -> bytes:
    escape = match[0]
    meant = _meant(escape)
    return escape if meant is None else meant


def _meant(escape: bytes) -> bytes | None:
    """Return what an escape stands for: a byte, or a character; None for a name that is none."""
    return _known(escape) if len(escape) <= _KNOWN_LENGTH else _read(escape)


def _read(escape: bytes) -> bytes | None:
    if escape.startswith(b"%"):
        return bytes.fromhex(escape[-2:].decode())
    if escape.startswith(b"\\"):
        kind, digits = escape.lstrip(b"\\").decode()[0], escape.lstrip(b"\\").decode()[1:]
        return bytes.fromhex(digits) if kind == "x" else chr(int(digits, 16)).encode("utf-8", "surrogatepass")
    text = html.unescape(escape.replace(b"&amp;", b"&").decode())
    return text.encode() if len(text) == 1 else None


_known = lru_cache(4096)(_read)
