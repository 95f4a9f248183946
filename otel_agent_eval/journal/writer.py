"""The thread that writes a journal: whatever waits is written together, synced once, and then confirmed."""

import contextlib
import errno
import logging
import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from otel_agent_eval.journal import notes
from otel_agent_eval.journal.folder import Folder
from otel_agent_eval.journal.record import Record, encode
from otel_agent_eval.signals import Payload

_MOST_TOGETHER = 4 << 20  # bytes that are written at a time, so that nobody waits for too many others
_GATHER = 0.001
"""Seconds in which requests gather, where several were just written together: each turn costs what 30 spans cost."""
_WARN_EVERY = 60.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

Fsync = Literal["always", "interval", "never"]

_sync = getattr(os, "fdatasync", os.fsync)
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Append:
    """A request to be written. `time` is in Unix seconds."""

    payload: Payload
    readers: tuple[str, ...]
    time: float


@dataclass(frozen=True, slots=True)
class Appended:
    """A request that is written: where it ends."""

    append: Append
    segment: int
    end: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that could not be written; nothing of it is left in the file. `full`: for want of room on the disk."""

    append: Append
    reason: str
    full: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing will be added to a segment any more."""

    segment: int


@dataclass(frozen=True, slots=True)
class Done:
    """Records of a segment are done for a reader."""

    segment: int
    name: str
    sequences: Sequence[int]


@dataclass(frozen=True, slots=True)
class Left:
    """Of a record only the items at these positions are left for a reader."""

    segment: int
    name: str
    sequence: int
    positions: Sequence[int]


@dataclass(frozen=True, slots=True)
class Delete:
    """A segment is needed no more."""

    segment: int


@dataclass(frozen=True, slots=True)
class Close:
    """A segment shall be closed, if it is the one that is written."""

    segment: int


Task = Append | Done | Left | Delete | Close
Result = Appended | Failed | Closed


class Writer:
    """Writes in order. `confirm` is called in the thread with what became of the tasks, in order, again and again."""

    def __init__(
        self,
        folder: Folder,
        confirm: Callable[[Sequence[Result]], None],
        *,
        segment: int,
        sequence: int,
        segment_bytes: int,
        fsync: Fsync,
        sync_interval: float = 1.0,
    ) -> None:
        self._folder = folder
        self._confirm = confirm
        self._number = segment
        self._sequence = sequence
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._sync_interval = sync_interval
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._file = -1
        self._offset = 0
        self._synced_at = 0.0
        self._syncer = ThreadPoolExecutor(1, "journal-sync")
        self._dirty = False
        self._gathers = False
        self._notes: dict[tuple[int, str], notes.Notes] = defaultdict(notes.Notes)
        self._next_warning = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, task: Task) -> None:
        """Have something written, soon."""
        self._tasks.put(task)

    def stop(self) -> None:
        """Write what was put before, and end the thread; blocks."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            tasks = self._next()
            ended = None in tasks
            self._work([task for task in tasks if task is not None])
            if self._dirty and time.monotonic() - self._synced_at >= self._sync_interval:
                self._sync_aside()
        self._close()
        self._syncer.shutdown()

    def _next(self) -> list[Task | None]:
        """Wait for tasks and take all that are there, up to a limit."""
        wait = self._sync_interval if self._dirty or self._notes else None
        tasks: list[Task | None] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            while size < _MOST_TOGETHER:
                task = self._tasks.get_nowait() if tasks else self._tasks.get(timeout=wait)
                if self._gathers and not tasks:
                    time.sleep(_GATHER)
                tasks.append(task)
                size += len(task.payload.body) if isinstance(task, Append) else 0
        return tasks

    def _work(self, tasks: Sequence[Task]) -> None:
        results: list[Result] = []
        if appends := [task for task in tasks if isinstance(task, Append)]:
            results += self._append(appends)
            self._gathers = len(appends) > 1
        for task in tasks:
            match task:
                case Close(segment=number) if number == self._number and self._file >= 0:
                    results += self._close()
                case Delete(segment=number):
                    self._delete(number)
                case Done(segment=number, name=name, sequences=sequences):
                    self._notes[number, name].done += sequences
                case Left(segment=number, name=name, sequence=sequence, positions=positions):
                    self._notes[number, name].left[sequence] = positions
        self._write_notes()
        if results:
            self._confirm(results)

    def _append(self, appends: Sequence[Append]) -> Iterator[Result]:
        if self._offset >= self._segment_bytes:
            yield from self._close()
        before, results = self._offset, list[Result]()
        parts: list[bytes] = []
        for append in appends:
            record = Record(sequence=self._sequence, payload=append.payload, readers=append.readers, time=append.time)
            pieces = encode(record)
            parts += pieces
            self._offset += sum(map(len, pieces))
            results.append(Appended(append, self._number, self._offset, self._sequence))
            self._sequence += 1
        try:
            self._write(b"".join(parts))
        except (OSError, MemoryError) as error:
            self._warn(error)
            full = isinstance(error, OSError) and error.errno in _NO_ROOM
            yield from (Failed(append, _reason(error), full) for append in appends)
            yield from self._take_back(before)
        else:
            yield from results

    def _write(self, content: bytes) -> None:
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(self._folder.segment(self._number), flags, 0o600)
            self._sync_folder()
        written = 0
        view = memoryview(content)
        while written < len(content):
            written += os.write(self._file, view[written:])
        self._dirty = self._fsync != "never"
        if self._fsync == "always":
            _sync(self._file)
            self._dirty = False

    def _take_back(self, offset: int) -> Iterator[Closed]:
        """Leave nothing of what could not be written; where that fails too, what follows goes into another file."""
        self._offset = offset
        try:
            if self._file >= 0:
                os.ftruncate(self._file, offset)
                os.lseek(self._file, offset, os.SEEK_SET)
        except OSError:
            yield from self._close()

    def _close(self) -> Iterator[Closed]:
        if self._file < 0:
            return iter(())
        self._sync_aside()
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file, self._offset = -1, 0
        self._number += 1
        return iter((Closed(self._number - 1),))

    def _delete(self, number: int) -> None:
        for key in [key for key in self._notes if key[0] == number]:
            del self._notes[key]
        try:
            self._folder.delete(number)
        except OSError as error:
            self._warn(error)

    def _write_notes(self) -> None:
        """Write down what is done; what cannot be written is tried again later: at worst it is sent twice."""
        for (number, name), own in list(self._notes.items()):
            try:
                written = notes.write(self._folder.done(number), name, own)
            except OSError as error:
                self._warn(error)
                return
            if written:
                del self._notes[number, name]

    def _sync_aside(self) -> None:
        """Sync in a thread of its own: it can take long, and what comes meanwhile need not wait for it."""
        if self._dirty and self._file >= 0:
            self._syncer.submit(self._sync_copy, os.dup(self._file))
        self._dirty = False
        self._synced_at = time.monotonic()

    def _sync_copy(self, file: int) -> None:
        try:
            _sync(file)
        except OSError as error:
            self._warn(error)
        finally:
            os.close(file)

    def _sync_folder(self) -> None:
        """Make sure that a new file is still there after a power loss."""
        if self._fsync != "never":
            folder = os.open(self._folder.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _warn(self, error: OSError | MemoryError) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY
            _log.error("the queue cannot be written", extra={"error": _reason(error), "path": str(self._folder.path)})


def _reason(error: OSError | MemoryError) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
