"""What is kept, for whom, and what is given up or deleted when there is too much of it or it is too old."""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from otel_agent_eval.journal.cursor import WINDOW, Cursor, Entry
from otel_agent_eval.journal.folder import Folder
from otel_agent_eval.journal.handover import NOWHERE, HandOver
from otel_agent_eval.journal.limits import Limits, Lose, Loss, ReaderLimits
from otel_agent_eval.journal.lookup import Located
from otel_agent_eval.journal.record import Damage
from otel_agent_eval.journal.segments import Mark, Recovered, Segment, Tally
from otel_agent_eval.journal.writer import Close, Delete, Done, Left
from otel_agent_eval.signals import Payload, Signal

_TELL_EVERY = 60.0
_PASSED_OVER = "a part of the queue cannot be read; it is passed over"

_log = logging.getLogger(__name__)


class Kept:
    """The segments there are, and the readers on their way through them.

    `put` has something done to the files, soon; it is not called where `folder` is None: then all is in memory.
    """

    def __init__(
        self,
        limits: Limits,
        folder: Folder | None,
        put: Callable[[Done | Left | Close | Delete], None],
        lose: Lose | None,
        clock: Callable[[], float],
    ) -> None:
        self.unreadable = 0
        self.hand_over = HandOver()
        self.cursors: dict[str, Cursor] = {}
        self.limits = limits
        self._folder = folder
        self._put = put
        self._lose = lose
        self._clock = clock
        self._epoch = time.time() - clock()  # so that a clock that is set meanwhile ages nothing
        self._segments: dict[int, Segment] = {}
        self._untold: dict[tuple[str, Loss], Tally] = {}
        self._next_telling = -math.inf

    @property
    def size(self) -> int:
        """The bytes of all segments."""
        return sum(segment.size for segment in self._segments.values())

    @property
    def waited_for(self) -> bool:
        """Whether anybody waits for anything."""
        return any(segment.waiting for segment in self._segments.values())

    @property
    def last(self) -> int:
        """The number of the newest segment, 0 where there is none."""
        return max(self._segments, default=0)

    def cursor(self, name: str) -> Cursor:
        """Return a reader's way through the segments, which begins with what waits for it."""
        if name not in self.cursors:
            cursor = self.cursors[name] = Cursor(self, name, WINDOW if self._folder is not None else None)
            waiting = Tally()
            for segment in self._segments.values():
                waiting.merge(segment.waiting.get(name, Tally()))
            cursor.begin_at(next(iter(self._segments), 0), waiting)
        return self.cursors[name]

    def get(self, number: int) -> Segment | None:
        """Return a segment that is still kept."""
        return self._segments.get(number)

    def now(self) -> float:
        """Return the Unix time, by the journal's clock."""
        return self._epoch + self._clock()

    def since(self, time: float) -> float:
        """Return a Unix time in seconds of the journal's clock; the future counts as now."""
        return min(time - self._epoch, self._clock())

    def path(self, segment: Segment) -> Path:
        """Return the file of a segment."""
        assert self._folder is not None  # noqa: S101 (in memory nothing is ever read back)
        return self._folder.segment(segment.number)

    def take_over(self, recovered: Recovered) -> None:
        """Begin with what an earlier process has left."""
        for part in recovered.unreadable:
            fields = {"file": part.file, "offset": part.offset, "bytes": part.bytes}
            if part.unfinished:
                _log.warning("a record at the end of the queue was not finished; it is cut off", extra=fields)
            else:
                self.unreadable += 1
                _log.error(_PASSED_OVER, extra=fields)
        for file in recovered.gone:
            self.unreadable += 1
            _log.error("a file of the queue is gone; what waited in it is lost", extra={"file": file})
        for segment in recovered.segments:
            segment.newest = self.since(segment.newest)
            if not self.limits.recalling.isdisjoint({*segment.waiting, *segment.noted}):
                segment.recall_until = segment.newest + self.limits.recall
            self._segments[segment.number] = segment
        first = next(iter(self._segments), 0)
        for name, tally in recovered.undone().items():
            if name in self.cursors:
                self.cursors[name].begin_at(first, tally)
            elif name not in self.limits.readers:
                _log.warning(
                    "the queue holds requests for a destination that is not configured; they stay until room is needed",
                    extra={"destination": name, "requests": tally.requests, "bytes": tally.bytes},
                )

    def register(self, mark: Mark, payload: Payload, readers: Collection[str], end: int) -> Entry:
        """Count a record that is kept up to the offset `end` of its segment, and hand it to its readers."""
        now = self._clock()
        segment = self._segments.setdefault(mark.segment, Segment(mark.segment, began=now))
        start, segment.size, segment.newest = segment.size, end, now
        segment.add(mark, readers)
        if not self.limits.recalling.isdisjoint(readers):
            segment.recall_until = now + self.limits.recall
        entry = Entry(mark, payload, now)
        for name in readers:
            if name in self.cursors:
                self.cursors[name].offer(entry, start)
        return entry

    def closed(self, number: int) -> None:
        """Note that nothing is added to a segment any more."""
        segment = self._segments.get(number)
        if segment is not None:
            segment.closed = True
            self._free(segment)

    def settle(self, mark: Mark, name: str) -> None:
        """Note that a record is done for a reader."""
        if mark.segment == NOWHERE:
            self.hand_over.done(mark, name)
            return
        segment = self._segments.get(mark.segment)
        if segment is None or name not in segment.waiting:  # given up meanwhile
            return
        segment.settle(mark, name)
        if self._folder is not None:
            self._put(Done(mark.segment, name, (mark.sequence,)))
        self._free(segment)

    def narrow(self, mark: Mark, name: str, left: Sequence[int]) -> None:
        """Note that of a record only the items at these positions are left for one of its readers."""
        segment = self._segments.get(mark.segment)
        if segment is not None and name in segment.waiting and self._folder is not None:
            self._put(Left(mark.segment, name, mark.sequence, left))

    def search(self, wanted: bytes) -> Iterator[Located]:
        """Yield what is kept in memory and holds these bytes."""
        waiting: dict[Entry, list[str]] = {}
        for name, cursor in self.cursors.items():
            for entry in cursor.at_hand():
                if wanted in entry.payload.body:
                    waiting.setdefault(entry, []).append(name)
        for entry, names in waiting.items():
            mark = entry.mark
            yield Located(mark.sequence, self._epoch + entry.since, mark.signal, tuple(names))

    def next_waiting(self, name: str, number: int) -> Segment | None:
        """Return the first segment from `number` on in which something waits for a reader."""
        return next((s for n, s in self._segments.items() if n >= number and name in s.waiting), None)

    def write_off(self, segment: Segment, name: str, readable: Tally) -> None:
        """Note that of what waits for a reader in a segment, only so much could be read."""
        lost = segment.waiting.pop(name)
        lost.merge(readable, -1)
        if readable.requests:
            segment.waiting[name] = readable
        self.lost(name, Loss.UNREADABLE, lost)
        self._free(segment)

    def damaged(self, segment: Segment, parts: Iterable[Damage]) -> None:
        """Tell what cannot be read of a segment, once: each of its readers comes by it."""
        for part in parts:
            if part.start not in segment.damaged:
                segment.damaged.add(part.start)
                self.unreadable += 1
                fields = {"file": self.path(segment).name, "offset": part.start, "bytes": part.end - part.start}
                _log.error(_PASSED_OVER, extra=fields)

    def room_for(self, name: str, size: int) -> bool:
        """Make room under a reader's own limit, where it may drop something for it; say whether there is."""
        limits = self.limits.readers.get(name, ReaderLimits())
        cursor = self.cursors.get(name)
        if limits.bytes is None or cursor is None:
            return True
        while cursor.total.requests and cursor.total.bytes + size > limits.bytes:
            segment = self.next_waiting(name, 0)
            if segment is None or limits.on_full == "refuse":
                return False
            self._give_up(segment, name, Loss.FULL)
        return True

    def room(self, size: int) -> bool:
        """Make room under the limit of the whole: what is kept beyond its use goes first, then what may be dropped."""
        while self.size + size > self.limits.size:
            droppable = self.limits.droppable
            segment = next((s for s in self._segments.values() if all(map(droppable, s.waiting))), None)
            if segment is None:
                return False
            for name in list(segment.waiting):
                self._give_up(segment, name, Loss.FULL)
            segment.recall_until = -math.inf
            self._free(segment)
            if segment.number in self._segments:  # the one that is written: its file goes in a moment
                self._close(segment)
                return True
        return True

    def purge(self) -> None:
        """Let go of what is too old, or needed no more: content does not stay."""
        self._tell()
        now = self._clock()
        for segment in list(self._segments.values()):
            if now - segment.newest > self.limits.max_age:
                for name in list(segment.waiting):
                    self._give_up(segment, name, Loss.EXPIRED)
            recalled = segment.recall_until > now
            oldest = self.limits.recalled_age(len(self._segments)) if recalled else self.limits.segment_age
            if not segment.closed and (not (segment.waiting or recalled) or now - segment.began > oldest):
                self._close(segment)
            self._free(segment)

    def forget_recalled(self) -> None:
        """Let go of what is kept beyond its use: others need the room."""
        for segment in list(self._segments.values()):
            if not segment.waiting:
                segment.recall_until = -math.inf
                self._close(segment)
                self._free(segment)

    def forget_delivered(self) -> None:
        """Delete all that nobody waits for: content does not stay on the disk of a gateway that has stopped."""
        for segment in self._segments.values():
            if not segment.waiting:
                self._put(Close(segment.number))
                self._put(Delete(segment.number))

    def _give_up(self, segment: Segment, name: str, why: Loss) -> None:
        """Drop all that waits for a reader in a segment."""
        lost = segment.waiting.pop(name)
        if name in self.cursors:
            lost = self.cursors[name].forget(segment.number, lost, why)
        self.lost(name, why, lost)
        self._free(segment)

    def _free(self, segment: Segment) -> None:
        """Delete a segment that nobody needs."""
        if segment.waiting or not segment.closed or segment.recall_until > self._clock():
            return
        if self._segments.pop(segment.number, None) is not None and self._folder is not None:
            self._put(Delete(segment.number))

    def _close(self, segment: Segment) -> None:
        if self._folder is not None:
            self._put(Close(segment.number))
        else:
            self.closed(segment.number)

    def lost(self, name: str, why: Loss, lost: Tally) -> None:
        """Count what was given up, and say it: at once, then once a minute for all since."""
        if not lost.requests:
            return
        if self._lose is not None:
            for signal in Signal:
                if lost.items[signal]:
                    self._lose(name, signal, why, lost.items[signal])
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
