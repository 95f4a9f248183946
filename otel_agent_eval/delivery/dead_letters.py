"""Where requests lie that a destination will never take as they are: listed, and sent again when somebody says so."""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from otel_agent_eval.journal.folder import Folder, write_whole
from otel_agent_eval.journal.record import Record, Stored, encode, read
from otel_agent_eval.signals import Payload

_SUFFIX = ".letter"
_TELL_AGAIN_AFTER = 3600.0  # seconds; what cannot be read is met each second while it is to be sent again
_SETTLED = 2.0  # seconds, in which a folder may change once more without another time of its last change
_ROOM = 16  # this part of the limit is made room when it is reached, so that not each letter looks for the oldest

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A parked request: its file and what is known of it; its body is in `record`."""

    file: Path
    record: Record


@dataclass(frozen=True, slots=True)
class LetterLimits:
    """Bytes of one destination's letters, parked and to be sent again each; their age in seconds. The oldest go first.

    The age of what is to be sent again counts from when somebody said so.
    """

    size: int = 256 << 20
    max_age: float = 7 * 86400.0


class TooManyLettersError(Exception):
    """More would be to be sent again to a destination than may lie there."""


Unreadable = Callable[[Path, str], None]
"""Told a file or folder that cannot be read, and why."""


class LogSeldom:
    """Logs what cannot be read, each path once an hour."""

    def __init__(self) -> None:
        self._told: dict[Path, float] = {}

    def __call__(self, path: Path, why: str) -> None:
        """Log, if that was not done lately."""
        now = time.monotonic()
        self._told = {told: at for told, at in self._told.items() if now - at < _TELL_AGAIN_AFTER}
        if path not in self._told:
            self._told[path] = now
            _log.error("a dead letter cannot be read", extra={"file": str(path), "error": why})


class DeadLetters:
    """The parked requests of all destinations, a file each. Methods touch the disk: call them in threads.

    What cannot be read is left out, and told to `unreadable`. Methods that change something raise `OSError`, those that
    delete when all else is deleted.
    """

    def __init__(
        self,
        folder: Folder,
        limits: LetterLimits | None = None,
        clock: Callable[[], float] = time.time,
        unreadable: Unreadable | None = None,
    ) -> None:
        self._folder = folder
        self._limits = limits or LetterLimits()
        self._clock = clock
        self._unreadable = unreadable or LogSeldom()
        self._numbers = itertools.count()
        self._counted: dict[Path, tuple[tuple[int, int], int]] = {}
        self._sizes: dict[Path, int] = {}  # at most: what is sent again meanwhile is taken off by the next purge
        self._purging = threading.Lock()
        self._returned: set[Path] = set()  # they cannot be deleted, and must not be sent once more

    def park(self, destination: str, payload: Payload, reason: str) -> None:
        """Keep a request, with the reason why it was not taken."""
        record = Record(sequence=0, payload=payload, readers=(destination,), time=self._clock(), reason=reason)
        parent = self._made(self._folder.dead(destination))
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}{_SUFFIX}"
        content = b"".join(encode(record))
        write_whole(parent / name, content)
        with contextlib.suppress(OSError):  # it is kept; what cannot be deleted is told when all are looked through
            self._grown(destination, parent, len(content))

    def destinations(self) -> list[str]:
        """Return for whom something is or was parked, or is to be sent again."""
        found: set[str] = set()
        for kind in ("dead", "resend"):
            try:
                found.update(self._folder.destinations(kind))
            except OSError as error:
                self._unreadable(self._folder.path / kind, error.strerror or "")
        return sorted(found)

    def count(self, destination: str) -> int:
        """Return how many requests are parked for a destination."""
        return self._count(self._folder.dead(destination))

    def count_returning(self, destination: str) -> int:
        """Return how many requests are to be sent to a destination again."""
        return self._count(self._folder.resend(destination))

    def letters(self, destination: str) -> Iterator[Letter]:
        """Yield what is parked for a destination, the oldest first."""
        yield from self._letters(self._folder.dead(destination))

    def returning(self, destination: str) -> Iterator[Letter]:
        """Yield what is to be sent to a destination again; say `returned` once it is in the queue."""
        folder = self._folder.resend(destination)
        if not self._count(folder):
            return
        if not os.access(folder, os.W_OK | os.X_OK):  # it could not be deleted: no end of sending
            self._unreadable(folder, "the folder cannot be written")
            return
        yield from (letter for letter in self._letters(folder) if letter.file not in self._returned)

    def returned(self, letter: Letter) -> None:
        """Delete what is in the queue again; where that fails it is not given out a second time."""
        try:
            letter.file.unlink(missing_ok=True)
        except OSError:
            self._returned.add(letter.file)
            raise

    def resend(self, destination: str, to: str) -> int:
        """Have what is parked for a destination sent to it, or to another; return how many requests that is.

        Raises `TooManyLettersError`, with nothing moved, where they would be deleted for want of room.
        """
        files = [letter.file for letter in self.letters(destination)]
        if not files:
            return 0
        target = self._folder.resend(to)
        if sum(stat.st_size for _, stat in _stats([*files, *self._files(target)])) > self._limits.size:
            raise TooManyLettersError
        self._made(target)
        moved = 0
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # it has become too old meanwhile
                os.utime(file)
                file.rename(target / file.name)
                moved += 1
        return moved

    def purge(self) -> None:
        """Delete what is too old or too much, of destinations that nobody knows any more, too."""
        failed: OSError | None = None
        for destination in self.destinations():
            for folder in (self._folder.dead(destination), self._folder.resend(destination)):
                try:
                    with self._purging:
                        self._purge(destination, folder)
                except OSError as error:
                    failed = error
        if failed is not None:
            raise failed

    def _count(self, folder: Path) -> int:
        """Count letters. They are listed only where the folder has changed: this is asked each second."""
        try:
            stat = folder.stat()
            changed = (stat.st_ino, stat.st_ctime_ns)
            before, count = self._counted.get(folder, ((0, 0), 0))
            if before != changed:
                settled = self._clock() - stat.st_ctime >= _SETTLED
                count = len(_names(folder))
                if settled:
                    self._counted[folder] = changed, count
        except FileNotFoundError:
            return 0
        except OSError as error:
            self._unreadable(folder, error.strerror or "")
            return 0
        return count

    def _grown(self, destination: str, folder: Path, size: int) -> None:
        """Note that a letter was parked; make room where they are too much with it."""
        with self._purging:
            if folder in self._sizes and self._sizes[folder] + size <= self._limits.size:
                self._sizes[folder] += size
            else:
                self._purge(destination, folder)

    def _purge(self, destination: str, folder: Path) -> None:
        files = sorted(_stats(self._files(folder)), key=lambda entry: entry[1].st_mtime)
        size, most = sum(stat.st_size for _, stat in files), self._limits.size
        if size > most:
            most = min(most, max(most - most // _ROOM, files[-1][1].st_size))
        leave: dict[Path, int] = {}
        for file, stat in files:
            if size <= most and self._clock() - stat.st_mtime <= self._limits.max_age:
                break
            leave[file] = stat.st_size
            size -= stat.st_size
        self._sizes[folder] = size
        failed = _delete(leave)
        if deleted := [leave[file] for file in leave.keys() - failed.keys()]:
            fields = {"destination": destination, "requests": len(deleted), "bytes": sum(deleted)}
            _log.error("dead letters were deleted: too old, or too many", extra=fields)
        for error in failed.values():
            raise error

    def _made(self, folder: Path) -> Path:
        """Make a folder that belongs to whom the queue belongs to: root may ask that something be sent again."""
        owner = self._folder.path.stat()
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            if each.stat().st_uid != owner.st_uid:
                try:
                    os.chown(each, owner.st_uid, owner.st_gid)
                except OSError:
                    with contextlib.suppress(OSError):  # something is in it
                        each.rmdir()
                    raise
        return folder

    def _letters(self, folder: Path) -> Iterator[Letter]:
        for path in self._files(folder):
            try:
                with path.open("rb") as file:
                    part = next(read(file, 0, path.stat().st_size), None)
            except FileNotFoundError:  # it is being sent again
                continue
            except OSError as error:
                self._unreadable(path, error.strerror or "")
                continue
            if isinstance(part, Stored):
                yield Letter(path, part.record)
            else:
                self._unreadable(path, "it is damaged")

    def _files(self, folder: Path) -> list[Path]:
        try:
            return [folder / name for name in sorted(_names(folder))]
        except FileNotFoundError:
            return []
        except OSError as error:
            self._unreadable(folder, error.strerror or "")
            return []


def _delete(files: Iterable[Path]) -> dict[Path, OSError]:
    """Delete files, of which some may be gone; return those that cannot be deleted, and why."""
    failed = {}
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            failed[file] = error
    return failed


def _names(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(_SUFFIX)]  # noqa: PTH208 (no path for each to count)


def _stats(files: list[Path]) -> list[tuple[Path, os.stat_result]]:
    found = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # it is being sent again
            found.append((file, file.stat()))
    return found
