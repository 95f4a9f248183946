"""Where requests lie that a destination will never take as they are: listed, and sent again when somebody says so."""

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from otel_agent_eval.journal.folder import Folder, write_whole
from otel_agent_eval.journal.record import Record, Stored, encode, read
from otel_agent_eval.signals import Payload

_SUFFIX = ".letter"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A parked request: its file and what is known of it; its body is in `record`."""

    file: Path
    record: Record


@dataclass(frozen=True, slots=True)
class LetterLimits:
    """Bytes of one destination's dead letters, and their age in seconds; the oldest go first."""

    size: int = 256 << 20
    max_age: float = 7 * 86400.0


class DeadLetters:
    """The parked requests of all destinations, a file each. Methods touch the disk: call them in threads.

    Methods that change something raise `OSError`.
    """

    def __init__(
        self,
        folder: Folder,
        limits: LetterLimits = LetterLimits(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._numbers = itertools.count()

    def park(self, destination: str, payload: Payload, reason: str) -> None:
        """Keep a request, with the reason why it was not taken."""
        record = Record(sequence=0, payload=payload, readers=(destination,), time=self._clock(), reason=reason)
        parent = _made(self._folder.dead(destination))
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}{_SUFFIX}"
        write_whole(parent / name, b"".join(encode(record)))
        self.purge(destination)

    def count(self, destination: str) -> int:
        """Return how many requests are parked for a destination."""
        return len(_files(self._folder.dead(destination)))

    def letters(self, destination: str) -> Iterator[Letter]:
        """Yield what is parked for a destination, the oldest first; what cannot be read is left out."""
        yield from _letters(self._folder.dead(destination))

    def resend(self, destination: str, to: str) -> int:
        """Have all that is parked for a destination sent to it, or to another; return how many requests that is."""
        target = _made(self._folder.resend(to))
        files = _files(self._folder.dead(destination))
        for file in files:
            file.rename(target / file.name)
        return len(files)

    def returning(self, destination: str) -> Iterator[Letter]:
        """Yield what is to be sent to a destination again; delete each file once the request is in the queue."""
        yield from _letters(self._folder.resend(destination))

    def purge(self, destination: str) -> None:
        """Delete what is too old or too much."""
        files = []
        for file in _files(self._folder.dead(destination)):
            with contextlib.suppress(FileNotFoundError):  # it is being sent again
                files.append((file, file.stat()))
        size = sum(stat.st_size for _, stat in files)
        for file, stat in files:
            if size <= self._limits.size and self._clock() - stat.st_mtime <= self._limits.max_age:
                break
            file.unlink(missing_ok=True)
            size -= stat.st_size
            _log.error("a dead letter was deleted", extra={"destination": destination, "bytes": stat.st_size})


def _made(folder: Path) -> Path:
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)
    return folder


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _letters(folder: Path) -> Iterator[Letter]:
    for path in _files(folder):
        try:
            with path.open("rb") as file:
                part = next(read(file, 0, path.stat().st_size), None)
        except OSError:
            continue
        if isinstance(part, Stored):
            yield Letter(path, part.record)
        else:
            _log.error("a dead letter cannot be read", extra={"file": str(path)})
