"""The folder of a queue: claimed by one process, of a format that is known, and seen by nobody else."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

from otel_agent_eval.journal.record import FORMAT_VERSION

_FORMAT, _LOCK = "format", "lock"
_OF_NEW_FOLDER = frozenset({_LOCK, f".{_FORMAT}.new"})
_SEGMENT, _DONE, _FREED = ".segment", ".done", ".freed"
_LONGEST_VERSION = 20  # bytes


class QueueError(Exception):
    """The folder of a queue cannot be used; the message says why and what to change."""


class Folder:
    """Where the files of a queue lie. Nothing is written before `claim`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Return a folder to look into. Raises `QueueError` where there is no queue of a known format."""
        folder = cls(path)
        try:
            if not path.is_dir():
                raise QueueError(f"there is no queue in {path}")
            folder._check_format()
        except OSError as error:
            raise folder._error(error) from None
        return folder

    def claim(self) -> None:
        """Make it ours, made new where there is none. Raises `QueueError`, with nothing touched."""
        was_there, new = True, False
        try:
            was_there = self.path.exists()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            new = self._check_format()
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._lock_file()
            self.path.chmod(0o700)
            if new:
                write_whole(self.path / _FORMAT, f"{FORMAT_VERSION}\n".encode())
        except OSError as error:
            if new:
                self._unmake(folder=not was_there)
            self.release()
            raise self._error(error) from None
        except QueueError:
            self.release()
            raise

    def owner(self) -> int:
        """Return the process that uses the folder now, 0 for none."""
        try:
            with (self.path / _LOCK).open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read(20) or 0)
        except (OSError, ValueError):
            pass
        return 0

    def release(self) -> None:
        """Let another process have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        self.claim()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def segments(self) -> list[int]:
        """Return the numbers of the segments, ascending."""
        return self._numbers(_SEGMENT)

    def gone(self) -> list[int]:
        """Return the numbers of segments that somebody else has deleted: there is only the list of what is done."""
        return [
            number
            for number in self._numbers(_DONE)
            if not self.segment(number).exists() and not self.freed(number).exists() and self.done(number).exists()
        ]

    def delete(self, number: int) -> None:
        """Delete a segment and its list; a kill in between leaves what says that it was not needed.

        Raises `OSError`.
        """
        with contextlib.suppress(FileNotFoundError):
            self.segment(number).rename(self.freed(number))
        self.done(number).unlink(missing_ok=True)
        self.freed(number).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Delete what is left of segments that are not there any more: their numbers will be given to others."""
        for number in {*self.gone(), *self._numbers(_FREED)}:
            self.delete(number)

    def segment(self, number: int) -> Path:
        """Return the file of a segment."""
        return self.path / f"{number:012d}{_SEGMENT}"

    def done(self, number: int) -> Path:
        """Return the file that says which records of a segment are done, for whom."""
        return self.path / f"{number:012d}{_DONE}"

    def freed(self, number: int) -> Path:
        """Return the name of a segment while it is being deleted."""
        return self.path / f"{number:012d}{_FREED}"

    def dead(self, destination: str) -> Path:
        """Return where a destination's dead letters lie."""
        return self.path / "dead" / quote(destination, safe="")

    def resend(self, destination: str) -> Path:
        """Return where dead letters lie that are to be sent to a destination again."""
        return self.path / "resend" / quote(destination, safe="")

    def destinations(self, kind: str) -> Iterator[str]:
        """Yield the destinations that have a folder under `dead` or `resend`."""
        parent = self.path / kind
        if parent.is_dir():
            yield from sorted(unquote(child.name) for child in parent.iterdir() if child.is_dir())

    def _numbers(self, suffix: str) -> list[int]:
        return sorted(int(file.stem) for file in self.path.glob(f"*{suffix}") if file.stem.isdecimal())

    def _check_owner(self) -> None:
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise QueueError(f"the queue {self.path} belongs to another user (uid {owner}); give service.queue.path")

    def _check_format(self) -> bool:
        """Check the format's version; return whether there is none yet, because the folder is empty."""
        try:
            with (self.path / _FORMAT).open("rb") as file:
                version = file.read(_LONGEST_VERSION).strip()
        except FileNotFoundError:
            if any(child.name not in _OF_NEW_FOLDER for child in self.path.iterdir()):
                raise QueueError(f"{self.path} holds other files than a queue; give service.queue.path") from None
            return True
        if not version.isdigit() or int(version) < 1:
            says = f"says {version.decode(errors='replace')!a}" if version else "is empty"
            raise QueueError(
                f"the queue {self.path} is damaged, or none: its file format {says}, and holds a number from 1 on in a "
                f"queue (now {FORMAT_VERSION}); put that right, or give service.queue.path"
            )
        if int(version) > FORMAT_VERSION:
            raise QueueError(
                f"the queue {self.path} was written by a newer version: "
                f"its format is {version.decode()}, known is {FORMAT_VERSION}"
            )
        return False

    def _unmake(self, *, folder: bool) -> None:
        """Take away what was made of a queue that cannot be made."""
        with contextlib.suppress(OSError):
            if self._lock >= 0:
                (self.path / _LOCK).unlink()
            if folder:
                self.path.rmdir()

    def _lock_file(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "?"
            raise QueueError(
                f"the queue {self.path} is in use by process {owner}; give each gateway its own service.queue.path"
            ) from None
        with contextlib.suppress(OSError):  # a full disk: what it holds must be delivered all the same
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _error(self, error: OSError) -> QueueError:
        return QueueError(
            f"cannot use the queue {self.path}: {error.strerror}; "
            "give service.queue.path, or service.queue.storage: memory"
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all, readable by its owner only. Raises `OSError`."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
