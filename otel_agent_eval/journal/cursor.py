"""One reader's way through the journal: what waits for it, the oldest first, only a bounded part of it in memory."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from otel_agent_eval.journal.limits import Loss
from otel_agent_eval.journal.record import Damage, Record, read
from otel_agent_eval.journal.segments import Mark, Segment, Tally, mark_of
from otel_agent_eval.signals import Payload

_LOOKED_PAST = 100  # records of other signals and metadata
WINDOW = 8 << 20
"""Bytes that are read ahead, for each reader."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A record on its way to a reader. `since` is when it was kept, in seconds of the journal's clock."""

    mark: Mark
    payload: Payload
    since: float


class Records(Protocol):
    """What a cursor needs of its journal."""

    def next_waiting(self, name: str, number: int) -> Segment | None:
        """Return the first segment from `number` on in which something waits for a reader."""
        ...

    def path(self, segment: Segment) -> Path:
        """Return the file of a segment."""
        ...

    def since(self, time: float) -> float:
        """Return a Unix time in seconds of the journal's clock."""
        ...

    def settle(self, mark: Mark, name: str) -> None:
        """Note that a record is done for a reader."""
        ...

    def damaged(self, segment: Segment, parts: Iterable[Damage]) -> None:
        """Tell what cannot be read of a segment."""
        ...

    def write_off(self, segment: Segment, name: str, readable: Tally) -> None:
        """Note that of what waits for a reader in a segment, only so much could be read."""
        ...

    def lost(self, name: str, why: Loss, lost: Tally) -> None:
        """Count what a reader will not get."""
        ...


class Cursor:
    """What waits for one reader. A reader that falls behind is read to from the disk, so that memory stays bounded.

    `window` is how many bytes are held ready, None for all. All methods belong to one event loop.
    """

    def __init__(self, records: Records, name: str, window: int | None = WINDOW) -> None:
        self.name = name
        self.total = Tally()
        self._records = records
        self._window = window
        self._ready: deque[Entry] = deque()
        self._ready_bytes = 0
        self._held: dict[int, Entry] = {}  # ready or given out, by sequence number: the oldest first
        self._given_up: dict[int, Loss] = {}  # given out, and given up by the journal since: it may arrive all the same
        self._behind: tuple[int, int] | None = None  # segment and offset from where on the disk is to be read
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._loading = asyncio.Lock()

    @property
    def durable(self) -> bool:
        """Whether what waits is on disk, too."""
        return self._window is not None

    @property
    def ready_bytes(self) -> int:
        """The bytes that can be taken at once."""
        return self._ready_bytes

    @property
    def oldest(self) -> Entry | None:
        """The record that has waited longest, as far as it has been read."""
        return next(iter(self._held.values()), None)

    def at_hand(self) -> list[Entry]:
        """Return what is in memory of what waits or is given out, the oldest first."""
        return list(self._held.values())

    def begin_at(self, number: int, waiting: Tally) -> None:
        """Begin with what an earlier process has left, from a segment on."""
        if waiting.requests:
            self._behind = (number, 0)
            self._count(waiting)

    def offer(self, entry: Entry, offset: int) -> None:
        """Take a record that was just written at an offset: at hand if there is room, else to be read later."""
        self._count_one(entry.mark)
        if self._behind is not None:
            return
        size = entry.mark.bytes
        if self._window is None or not self._ready or self._ready_bytes + size <= self._window:
            self._hold(entry)
        else:
            self._behind = (entry.mark.segment, offset)

    def hand(self, entry: Entry) -> None:
        """Take a record that is nowhere on the disk."""
        self._count_one(entry.mark)
        self._hold(entry)

    async def wait(self) -> None:
        """Return when there is something to take."""
        while not self._ready:
            if self._behind is None:
                self._more.clear()
                await self._more.wait()
                continue
            async with self._loading:
                if not self._ready and self._behind is not None:
                    await self._load(*self._behind)

    async def empty(self) -> None:
        """Return when nothing is left, neither to take nor given out."""
        await self._empty.wait()

    def peek(self) -> Entry | None:
        """Return the next record that `take` gives."""
        return self._ready[0] if self._ready else None

    def take(self) -> Entry:
        """Give out the next record, after `wait`."""
        entry = self._ready.popleft()
        self._ready_bytes -= entry.mark.bytes
        return entry

    def take_like(self, first: Entry, most: int) -> list[Entry]:
        """Give out what comes next of one's signal and metadata, up to `most` bytes; what lies between stays."""
        like: list[Entry] = []
        others: list[Entry] = []
        wanted = (first.payload.signal, first.payload.metadata)
        while most > 0 and self._ready and len(others) < _LOOKED_PAST:
            following = self._ready[0]
            if (following.payload.signal, following.payload.metadata) != wanted:
                others.append(self.take())
            elif following.mark.bytes <= most:
                most -= following.mark.bytes
                like.append(self.take())
            else:
                break
        self.give_back(others)
        return like

    def give_back(self, entries: Iterable[Entry]) -> None:
        """Take back what was given out and is not done, in its order; it is given out again, before all else.

        What was given up meanwhile is lost with that.
        """
        given = list(entries)
        for entry in given:
            if (why := self._given_up.pop(entry.mark.sequence, None)) is not None:
                self._records.lost(self.name, why, _tally([entry]))
                self._look_empty()
        for entry in reversed([entry for entry in given if entry.mark.sequence in self._held]):
            self._ready.appendleft(entry)
            self._ready_bytes += entry.mark.bytes
            self._more.set()

    def done(self, entry: Entry) -> bool:
        """Free a record that was given out, or given up by the journal since; False where it was neither."""
        if self._given_up.pop(entry.mark.sequence, None) is not None:
            self._look_empty()
            return True
        if self._held.pop(entry.mark.sequence, None) is None:
            return False
        self._records.settle(entry.mark, self.name)
        self._count_one(entry.mark, -1)
        return True

    def forget(self, number: int, waiting: Tally, why: Loss) -> Tally:
        """Leave out what waits in a segment, as it is given up; return what is lost with that for certain.

        What is given out is being sent: it is told when it is done, or lost when it is given back.
        """
        ready = {entry.mark.sequence for entry in self._ready}
        mine = [entry for entry in self._held.values() if entry.mark.segment == number]
        given_out = [entry for entry in mine if entry.mark.sequence not in ready]
        self._given_up |= dict.fromkeys((entry.mark.sequence for entry in given_out), why)
        for entry in mine:
            del self._held[entry.mark.sequence]
        self._ready = deque(entry for entry in self._ready if entry.mark.segment != number)
        self._ready_bytes = sum(entry.mark.bytes for entry in self._ready)
        self._count(waiting, -1)
        lost = Tally()
        lost.merge(waiting)
        lost.merge(_tally(given_out), -1)
        return lost

    def _hold(self, entry: Entry) -> None:
        self._ready.append(entry)
        self._ready_bytes += entry.mark.bytes
        self._held[entry.mark.sequence] = entry
        self._more.set()

    def _count_one(self, mark: Mark, times: int = 1) -> None:
        self.total.add(mark, times)
        self._tell()

    def _count(self, tally: Tally, times: int = 1) -> None:
        self.total.merge(tally, times)
        self._tell()

    def _tell(self) -> None:
        """Wake those who wait for something, or for nothing, to be left."""
        if self.total.requests:
            self._more.set()
        self._look_empty()

    def _look_empty(self) -> None:
        if self.total.requests or self._given_up:
            self._empty.clear()
        else:
            self._empty.set()

    async def _load(self, number: int, offset: int) -> None:
        """Read on from the disk, a window or to the end of a segment."""
        segment = self._records.next_waiting(self.name, number)
        if segment is None:
            self._behind = None
            return
        start = offset if segment.number == number else 0
        end = segment.size
        wanted = _wanted(segment, self.name)
        found, damaged, reached = await asyncio.to_thread(
            read_some, self._records.path(segment), start, end, wanted, self._window or WINDOW
        )
        if self.name in segment.waiting:  # else it was given up meanwhile
            self._records.damaged(segment, damaged)
            for record in found:
                self._hold(Entry(mark_of(record, segment.number), record.payload, self._records.since(record.time)))
        if reached < end:
            self._behind = (segment.number, reached)
        elif end < segment.size:
            self._behind = (segment.number, end)
        else:
            self._write_off(segment)
            self._behind = (segment.number + 1, 0) if segment.closed else None

    def _write_off(self, segment: Segment) -> None:
        """Give up what waits in a segment that was read to its end, and was not found there."""
        held = _tally(entry for entry in self._held.values() if entry.mark.segment == segment.number)
        waiting = segment.waiting.get(self.name)
        if waiting is not None and waiting.requests > held.requests:
            before = Tally()
            before.merge(waiting)
            self._records.write_off(segment, self.name, held)
            before.merge(held, -1)
            self._count(before, -1)


def _tally(entries: Iterable[Entry]) -> Tally:
    tally = Tally()
    for entry in entries:
        tally.add(entry.mark)
    return tally


def read_some(
    path: Path, start: int, end: int, wanted: Callable[[Record], bool], budget: int
) -> tuple[list[Record], list[Damage], int]:
    """Read the wanted records from a position on, about `budget` bytes of them.

    Return also what lies between them and is no record, and how far that was.
    """
    found: list[Record] = []
    damaged: list[Damage] = []
    position, size = start, 0
    try:
        with path.open("rb") as file:
            for part in read(file, start, end):
                position = part.end
                if isinstance(part, Damage):
                    damaged.append(part)
                elif wanted(part.record):
                    found.append(part.record)
                    size += len(part.record.payload.body)
                if size >= budget:
                    break
            else:
                position = end
    except OSError:
        damaged.append(Damage(position, end))
        position = end
    return found, damaged, position


def _wanted(segment: Segment, name: str) -> Callable[[Record], bool]:
    return lambda record: name in record.readers and not segment.is_done(name, record.sequence)
