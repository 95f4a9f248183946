"""Files that are read again when they change on disk: certificates, keys, tokens, passwords, keys of hashes."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_State = tuple[tuple[int, int, int] | None, ...]

_STRICT_MESSAGE = "changed files cannot be used; what needs them waits until they can be"

LOOK_EVERY = 1.0
"""Seconds between two looks at files, unless told otherwise."""


class UnusableError(ValueError):
    """Files have changed and cannot be used, and what they held before is not to be used either."""


class Watched(Generic[_T]):
    """What `read` makes of some files, made again once one of them has changed.

    The files are looked at when `get` is called, at most every `interval` seconds; nothing runs beside. What is new and
    cannot be used (half written, a certificate whose key is still the old one, gone) leaves the old in place, is logged
    once and tried again; with `strict` nothing is left in place, and `get` raises `UnusableError`. `read` raises
    `OSError` or `ValueError` for it, with a message that holds no secret; the first reading passes them on. Safe to
    call from any thread.
    """

    def __init__(
        self,
        files: Sequence[Path],
        read: Callable[[], _T],
        *,
        strict: bool = False,
        interval: float = LOOK_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = tuple(files)
        self._read = read
        self._strict = strict
        self._usable = True
        self._interval = interval
        self._clock = clock
        self._state = self._told = self._look()
        self._value = read()
        self._next_look = clock() + interval

    def get(self) -> _T:
        """Return the newest value that can be used. Raises `UnusableError`, see above."""
        now = self._clock()
        if now >= self._next_look and self._files:
            self._next_look = now + self._interval
            self._renew()
        if self._strict and not self._usable:
            raise UnusableError
        return self._value

    def _renew(self) -> None:
        state = self._look()
        if state == self._state:
            self._usable = True
            return
        files = ", ".join(map(str, self._files))
        try:
            self._value = self._read()
        except (OSError, ValueError) as error:
            self._usable = False
            if state != self._told:
                self._told = state
                message = _STRICT_MESSAGE if self._strict else "changed files cannot be used; the old ones stay"
                _log.error(message, extra={"files": files, "why": str(error)})
            return
        self._usable = True
        self._state = self._told = state
        _log.info("changed files are used from now on", extra={"files": files})

    def _look(self) -> _State:
        return tuple(map(_state, self._files))


def _state(file: Path) -> tuple[int, int, int] | None:
    """Return what tells one state of a file from another (also where a link now leads elsewhere), None of none."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
