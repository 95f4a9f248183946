"""The journal: what was received and what is to be sent, each until all whom it is for are done with it."""

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Literal

from otel_agent_eval.journal.cursor import WINDOW, Cursor, Entry, read_some
from otel_agent_eval.journal.folder import Folder
from otel_agent_eval.journal.segments import Mark, Recovered, Segment, Tally, mark_of, recover
from otel_agent_eval.journal.writer import Append, Appended, Close, Closed, Delete, Done, Failed, Fsync, Result, Writer
from otel_agent_eval.signals import Payload, Refused, Signal

_LARGEST_SEGMENT, _SMALLEST_SEGMENT = 16 << 20, 64 << 10
_SEGMENTS = 16  # into which what is held is divided at least: space is freed a segment at a time
_TICK = 1.0
_RECALL_SECONDS = 60.0
"""How long a record for `recalling` readers stays beyond its use: what comes within a minute may need it."""
_TELL_EVERY = 60.0
_NOWHERE = 0
"""The segment of what could not be written; those on disk count from 1."""

_log = logging.getLogger(__name__)


class Loss(StrEnum):
    """Why the journal gave something up."""

    FULL = "full"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """How many bytes may wait for one reader, None for any number, and what happens when there is no room for more."""

    bytes: int | None = None
    on_full: Literal["refuse", "drop_oldest"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes and age (seconds) of the whole, and the limits of each reader there is."""

    size: int = 2 << 30
    max_age: float = 7 * 86400.0
    readers: Mapping[str, ReaderLimits] = field(default_factory=dict)


Lose = Callable[[str, Signal, Loss, int], None]
"""Told of what is given up: for whom it was, its signal, why, and how many items."""


class _HandedOver:
    """A request that could not be written, and who is not done with it."""

    def __init__(self, readers: set[str]) -> None:
        self._readers = readers
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def done(self, name: str) -> None:
        self._readers.discard(name)
        if not self._readers:
            self.end(delivered=True)

    def end(self, *, delivered: bool) -> None:
        if not self.outcome.done():
            self.outcome.set_result(delivered)


class Journal:
    """Keeps requests on disk, or in memory where `folder` is None.

    `recalling` names the readers whose records are given to them again after a restart, even those that are done.
    All methods belong to one event loop.
    """

    def __init__(
        self,
        limits: Limits,
        folder: Folder | None = None,
        *,
        fsync: Fsync = "interval",
        recalling: Collection[str] = (),
        lose: Lose | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.durable = folder is not None
        self.unreadable = 0
        """Parts of files that held no record that could be read when the journal was opened."""
        self._limits = limits
        self._folder = folder
        self._fsync = fsync
        self._recalling = frozenset(recalling)
        self._lose = lose
        self._clock = clock
        self._epoch = time.time() - clock()  # so that a clock that is set meanwhile ages nothing
        self._segments: dict[int, Segment] = {}
        self._segment_bytes = _segment_bytes(limits)
        self._sequence = 1
        self._cursors: dict[str, Cursor] = {}
        self._untold: dict[tuple[str, Loss], Tally] = {}
        self._next_telling = -math.inf
        self._handed_over: dict[int, _HandedOver] = {}
        self._handed_over_before = 0  # counted downwards, beside the sequence numbers of what is written
        self._being_written: dict[Append, asyncio.Future[Entry]] = {}
        self._bytes_being_written = 0
        self._writer: Writer | None = None
        self._recovered = Recovered()
        self._ticking: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Open the journal and read what is there. Raises `QueueError`, with nothing touched."""
        if self._folder is not None:
            await asyncio.to_thread(self._folder.claim)
            self._recovered = await asyncio.to_thread(self._recover, self._folder)
            self._take_over(self._recovered)
            loop = asyncio.get_running_loop()
            self._writer = Writer(
                self._folder,
                lambda results: _threadsafe(loop, partial(self._confirmed, results)),
                segment=max(self._segments, default=0) + 1,
                sequence=self._recovered.next_sequence,
                segment_bytes=self._segment_bytes,
                fsync=self._fsync,
            )
            self._writer.start()
        for segment in list(self._segments.values()):
            self._free(segment)
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Write down what is under way and let go of the folder."""
        self._stopping = True
        for handed in self._handed_over.values():
            handed.end(delivered=False)
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        if self._writer is not None:
            if not self._being_written:
                self._forget_what_was_delivered(self._writer)
            await asyncio.to_thread(self._writer.stop)
        if self._folder is not None:
            self._folder.release()

    def cursor(self, name: str) -> Cursor:
        """Return the one way through the journal of a reader; ask before `start`."""
        if name not in self._cursors:
            self._cursors[name] = Cursor(self, name, WINDOW if self.durable else None)
        return self._cursors[name]

    @property
    def size(self) -> int:
        """The bytes of all segments, and of what is being written."""
        return sum(segment.size for segment in self._segments.values()) + self._bytes_being_written

    def room(self, readers: Collection[str], size: int) -> bool:
        """Say whether a request of `size` bytes fits, once what may be dropped for it is dropped. A single one does."""
        if not any(segment.waiting for segment in self._segments.values()) and not self._being_written:
            return True
        return all(self._room_for(name, size) for name in readers) and self._room(size)

    async def append(self, payload: Payload, readers: Iterable[str]) -> Entry:
        """Keep a request for readers; return when it is kept. Raises `Refused` where it cannot be written."""
        if self._writer is None:
            return self._append_to_memory(payload, tuple(readers))
        task = Append(payload, tuple(readers), round(self._epoch + self._clock(), 3))
        kept: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._being_written[task] = kept
        self._bytes_being_written += len(payload.body)
        self._writer.put(task)
        return await kept

    async def keep(self, payload: Payload, readers: Iterable[str]) -> bool:
        """Keep a request past all limits; return when it is kept, False where the journal stops before.

        What cannot be written is handed to its readers from memory, and this returns when all are done with it: to wait
        for room instead could be to wait for what this very request holds up.
        """
        names = tuple(readers)
        if self._stopping:
            return False
        try:
            await self.append(payload, names)
        except Refused:
            return await self._hand_over(payload, names)
        return True

    def settle(self, mark: Mark, name: str) -> None:
        """Note that a record is done for a reader."""
        if mark.segment == _NOWHERE:
            if mark.sequence in self._handed_over:
                self._handed_over[mark.sequence].done(name)
            return
        segment = self._segments.get(mark.segment)
        if segment is None or name not in segment.waiting:  # given up meanwhile
            return
        segment.settle(mark, name)
        if self._writer is not None:
            self._writer.put(Done(mark.segment, name, (mark.sequence,)))
        self._free(segment)

    async def recall(self, name: str) -> AsyncIterator[tuple[Entry, bool]]:
        """Yield what an earlier process kept for a reader, the oldest first, and whether it is done already."""
        if self._folder is None:
            return
        for segment in self._recovered.segments:
            if name not in segment.waiting and name not in segment.done:
                continue
            start = 0
            while start < segment.size and segment.number in self._segments:
                path = self._folder.segment(segment.number)
                records, start = await asyncio.to_thread(
                    read_some, path, start, segment.size, lambda record: name in record.readers, WINDOW
                )
                for record in records:
                    entry = Entry(mark_of(record, segment.number), record.payload, self.since(record.time))
                    done = segment.is_done(name, record.sequence)
                    if not done or self._clock() - entry.since < _RECALL_SECONDS:
                        yield entry, done

    def next_waiting(self, name: str, number: int) -> Segment | None:
        """Return the first segment from `number` on in which something waits for a reader."""
        return next((s for n, s in self._segments.items() if n >= number and name in s.waiting), None)

    def path(self, segment: Segment) -> Path:
        """Return the file of a segment."""
        assert self._folder is not None  # noqa: S101 (in memory nothing is ever read back)
        return self._folder.segment(segment.number)

    def since(self, time: float) -> float:
        """Return a Unix time in seconds of the journal's clock; the future counts as now."""
        return min(time - self._epoch, self._clock())

    def write_off(self, segment: Segment, name: str, readable: Tally) -> None:
        """Note that of what waits for a reader in a segment, only so much could be read."""
        lost = segment.waiting.pop(name)
        lost.merge(readable, -1)
        if readable.requests:
            segment.waiting[name] = readable
        self.unreadable += 1
        self._report(name, Loss.UNREADABLE, lost)
        self._free(segment)

    async def _hand_over(self, payload: Payload, readers: tuple[str, ...]) -> bool:
        """Have readers take a request that is not written; return when all are done with it."""
        self._handed_over_before -= 1
        mark = Mark(_NOWHERE, self._handed_over_before, payload.signal, payload.items, len(payload.body))
        handed = self._handed_over[mark.sequence] = _HandedOver(set(readers))
        for name in readers:
            self._cursors[name].hand(Entry(mark, payload, self._clock()))
        try:
            return await handed.outcome
        finally:
            del self._handed_over[mark.sequence]

    def _append_to_memory(self, payload: Payload, readers: tuple[str, ...]) -> Entry:
        number = max(self._segments, default=1)
        if number in self._segments and self._segments[number].size >= self._segment_bytes:
            self._segments[number].closed = True
            number += 1
        mark = Mark(number, self._sequence, payload.signal, payload.items, len(payload.body))
        self._sequence += 1
        return self._register(mark, payload, readers, self._segment(number).size + mark.bytes)

    def _forget_what_was_delivered(self, writer: Writer) -> None:
        """Delete all that nobody waits for: content does not stay on the disk of a gateway that has stopped."""
        for segment in self._segments.values():
            if not segment.waiting:
                writer.put(Close(segment.number))
                writer.put(Delete(segment.number))

    def _segment(self, number: int) -> Segment:
        if number not in self._segments:
            self._segments[number] = Segment(number)
        return self._segments[number]

    def _register(self, mark: Mark, payload: Payload, readers: Collection[str], end: int) -> Entry:
        """Count a record that is written, and hand it to its readers."""
        segment = self._segment(mark.segment)
        start, segment.size, segment.newest = segment.size, end, self._clock()
        segment.add(mark, readers)
        if not self._recalling.isdisjoint(readers):
            segment.recall_until = segment.newest + _RECALL_SECONDS
        entry = Entry(mark, payload, segment.newest)
        for name in readers:
            if name in self._cursors:
                self._cursors[name].offer(entry, start)
        return entry

    def _confirmed(self, results: Sequence[Result]) -> None:
        """Take note of what the writer has done."""
        for result in results:
            match result:
                case Appended(append=append, segment=number, end=end, sequence=sequence):
                    payload = append.payload
                    mark = Mark(number, sequence, payload.signal, payload.items, len(payload.body))
                    self._written(append, self._register(mark, payload, append.readers, end))
                case Failed(append=append, error=error):
                    self._written(append, Refused(f"the queue cannot be written: {error.strerror}"))
                case Closed(segment=number) if number in self._segments:
                    self._segments[number].closed = True
                    self._free(self._segments[number])

    def _written(self, append: Append, outcome: Entry | Refused) -> None:
        self._bytes_being_written -= len(append.payload.body)
        kept = self._being_written.pop(append)
        if kept.done():  # nobody waits for it any more
            return
        if isinstance(outcome, Refused):
            kept.set_exception(outcome)
        else:
            kept.set_result(outcome)

    def _recover(self, folder: Folder) -> Recovered:
        """Read what is there; cut off a record at the end that was not finished, and delete lists without a segment."""
        recovered = recover(folder)
        for number in folder.orphans():
            folder.done(number).unlink(missing_ok=True)  # its numbers will be given to others
        for part in recovered.unreadable:
            if part.unfinished:
                with contextlib.suppress(OSError):
                    os.truncate(folder.path / part.file, part.offset)
        return recovered

    def _take_over(self, recovered: Recovered) -> None:
        for part in recovered.unreadable:
            fields = {"file": part.file, "offset": part.offset, "bytes": part.bytes}
            if part.unfinished:
                _log.warning("a record at the end of the queue was not finished; it is cut off", extra=fields)
            else:
                self.unreadable += 1
                _log.error("a part of the queue cannot be read; it is passed over", extra=fields)
        for segment in recovered.segments:
            segment.newest = self.since(segment.newest)
            if not self._recalling.isdisjoint({*segment.waiting, *segment.done}):
                segment.recall_until = segment.newest + _RECALL_SECONDS
            self._segments[segment.number] = segment
        first = next(iter(self._segments), 0)
        for name, tally in recovered.undone().items():
            if name in self._cursors:
                self._cursors[name].begin_at(first, tally)
            elif name not in self._limits.readers:
                _log.warning(
                    "the queue holds requests for a destination that is not configured; they stay until room is needed",
                    extra={"destination": name, "requests": tally.requests, "bytes": tally.bytes},
                )

    def _room_for(self, name: str, size: int) -> bool:
        """Make room under a reader's own limit."""
        limits = self._limits.readers.get(name, ReaderLimits())
        cursor = self._cursors.get(name)
        if limits.bytes is None or cursor is None:
            return True
        while cursor.total.requests and cursor.total.bytes + size > limits.bytes:
            segment = self.next_waiting(name, 0)
            if segment is None or limits.on_full == "refuse":
                return False
            self._give_up(segment, name, Loss.FULL)
        return True

    def _room(self, size: int) -> bool:
        """Make room under the limit of the whole: what is kept beyond its use goes first, then what may be dropped."""
        while self.size + size > self._limits.size:
            segment = next((s for s in self._segments.values() if all(map(self._droppable, s.waiting))), None)
            if segment is None:
                return False
            for name in list(segment.waiting):
                self._give_up(segment, name, Loss.FULL)
            segment.recall_until = 0.0
            self._free(segment)
            if segment.number in self._segments:  # the one that is written: its file goes in a moment
                self._close(segment)
                return True
        return True

    def _droppable(self, name: str) -> bool:
        """Whether a reader may lose what is oldest; one that is not configured any more may."""
        limits = self._limits.readers.get(name)
        return limits is None or limits.on_full == "drop_oldest"

    def _give_up(self, segment: Segment, name: str, why: Loss) -> None:
        """Drop all that waits for a reader in a segment."""
        lost = segment.waiting.pop(name)
        if name in self._cursors:
            self._cursors[name].forget(segment.number, lost)
        if self._writer is not None and not segment.closed:
            self._close(segment)
        self._report(name, why, lost)
        self._free(segment)

    def _report(self, name: str, why: Loss, lost: Tally) -> None:
        """Count what was given up, and say it: at once, then once a minute for all since."""
        if self._lose is not None:
            for signal, items in lost.items.items():
                if items:
                    self._lose(name, signal, why, items)
        self._untold.setdefault((name, why), Tally()).merge(lost)
        self._tell()

    def _tell(self) -> None:
        if not self._untold or self._clock() < self._next_telling:
            return
        self._next_telling = self._clock() + _TELL_EVERY
        for (name, why), lost in self._untold.items():
            _log.error(
                "requests in the queue were given up",
                extra={"destination": name, "reason": why.value, "requests": lost.requests, "bytes": lost.bytes},
            )
        self._untold.clear()

    def _free(self, segment: Segment) -> None:
        """Delete a segment that nobody needs."""
        if segment.waiting or not segment.closed or segment.recall_until > self._clock():
            return
        if self._segments.pop(segment.number, None) is not None and self._writer is not None:
            self._writer.put(Delete(segment.number))

    def _close(self, segment: Segment) -> None:
        if self._writer is not None:
            self._writer.put(Close(segment.number))
        else:
            segment.closed = True
            self._free(segment)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._purge()

    def _purge(self) -> None:
        """Let go of what is too old, or needed no more: content does not stay."""
        self._tell()
        now = self._clock()
        for segment in list(self._segments.values()):
            if segment.waiting and now - segment.newest > self._limits.max_age:
                for name in list(segment.waiting):
                    self._give_up(segment, name, Loss.EXPIRED)
            if not segment.waiting and not segment.closed and segment.recall_until <= now:
                self._close(segment)
            self._free(segment)


def _segment_bytes(limits: Limits) -> int:
    smallest = min([limits.size, *(own.bytes for own in limits.readers.values() if own.bytes is not None)])
    return max(_SMALLEST_SEGMENT, min(_LARGEST_SEGMENT, smallest // _SEGMENTS))


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended; so has everybody who waited
        loop.call_soon_threadsafe(call)
