"""The journal: what was received and what is to be sent, each until all whom it is for are done with it."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from otel_agent_eval.journal.cursor import WINDOW, Cursor, Entry, read_some
from otel_agent_eval.journal.folder import Folder, QueueError
from otel_agent_eval.journal.kept import Kept
from otel_agent_eval.journal.limits import Limits, Lose
from otel_agent_eval.journal.lookup import Search, search
from otel_agent_eval.journal.receipt import Receipt
from otel_agent_eval.journal.segments import Mark, Recovered, mark_of, recover
from otel_agent_eval.journal.writer import Append, Appended, Closed, Failed, Fsync, Result, Task, Writer
from otel_agent_eval.signals import Payload, Refused

_TICK = 1.0
_SEARCHED = 512 << 20
"""Bytes on disk through which a request is searched for: some seconds of work."""

_log = logging.getLogger(__name__)


class Recalled(NamedTuple):
    """A record that an earlier process kept: for whom it was, and whether the one that asks was done with it.

    `left` are the positions of the items that are not done, None for all.
    """

    entry: Entry
    readers: tuple[str, ...]
    done: bool
    left: frozenset[int] | None = None


class Journal:
    """Keeps requests on disk, or in memory where `folder` is None. All methods belong to one event loop."""

    def __init__(
        self,
        limits: Limits,
        folder: Folder | None = None,
        *,
        fsync: Fsync = "interval",
        lose: Lose | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.durable = folder is not None
        self._folder = folder
        self._fsync = fsync
        self._clock = clock
        self._kept = Kept(limits, folder, self._put, lose, clock)
        self._sequence = 0  # in memory
        self._being_written: dict[Append, asyncio.Future[Entry]] = {}
        self._bytes_being_written = 0
        self._narrowed: dict[tuple[Mark, str], Collection[int]] = {}
        self._writer: Writer | None = None
        self._recovered = Recovered()
        self._ticking: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Open the journal and read what is there. Raises `QueueError`, with nothing touched."""
        if self._folder is not None:
            await asyncio.to_thread(self._folder.claim)
            self._recovered = await asyncio.to_thread(_recover, self._folder)
            self._kept.take_over(self._recovered)
            requests = sum(tally.requests for tally in self._recovered.undone().values())
            _log.info("the queue is open", extra={"path": str(self._folder.path), "waiting": requests})
            loop = asyncio.get_running_loop()
            self._writer = Writer(
                self._folder,
                lambda results: _threadsafe(loop, partial(self._confirmed, results)),
                segment=self._kept.last + 1,
                sequence=self._recovered.next_sequence,
                segment_bytes=self._kept.limits.segment_bytes,
                fsync=self._fsync,
            )
            self._writer.start()
        self._kept.purge()
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Write down what is under way and let go of the folder."""
        self._stopping = True
        self._kept.hand_over.end()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        if self._writer is not None:
            if not self._being_written:
                self._kept.forget_delivered()
            await asyncio.to_thread(self._writer.stop)
        if self._folder is not None:
            self._folder.release()

    def cursor(self, name: str) -> Cursor:
        """Return the one way through the journal of a reader, with what waits for it."""
        return self._kept.cursor(name)

    def adopt(self, limits: Limits) -> None:
        """Keep to other limits from now on; for readers that are not among them, what waits may be dropped."""
        self._kept.limits = limits

    @property
    def size(self) -> int:
        """The bytes of all that is kept or being written."""
        return self._kept.size + self._bytes_being_written

    @property
    def unreadable(self) -> int:
        """How many parts of the files, so far, held no record that could be read."""
        return self._kept.unreadable

    async def search(self, wanted: bytes) -> Search:
        """Find the requests that hold these bytes, of those that are kept still, or have been until a moment ago."""
        if self._folder is not None:
            return await asyncio.to_thread(search, self._folder, wanted, _SEARCHED)
        return Search(tuple(self._kept.search(wanted)), whole=True)

    def room(self, readers: Collection[str], size: int) -> bool:
        """Say whether a request of `size` bytes fits, once what may be dropped for it is dropped. A single one does."""
        if not self._being_written and not self._kept.waited_for:
            return True
        own = all(self._kept.room_for(name, size) for name in readers)
        return own and self._kept.room(size + self._bytes_being_written)

    async def append(self, payload: Payload, readers: Iterable[str]) -> Entry:
        """Keep a request for readers; return when it is kept. Raises `Refused` where it cannot be written."""
        if self._writer is None:
            return self._append_to_memory(payload, tuple(readers))
        task = Append(payload, tuple(readers), round(self._kept.now(), 3))
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
            return await self._kept.hand_over.give(payload, map(self.cursor, names), self._clock())
        return True

    def receipt(self, mark: Mark, name: str) -> Receipt:
        """Return the receipt of a record for a reader that has no cursor: it is done when the receipt is free.

        Items of it that are done before are noted as soon as only receipts of parts are held.
        """
        if self._writer is None:
            return Receipt(partial(self._kept.settle, mark, name))
        return Receipt(partial(self._kept.settle, mark, name), partial(self._narrow, mark, name))

    async def recall(self, name: str) -> AsyncIterator[Recalled]:
        """Yield what an earlier process kept for a reader, the oldest first, and what was done with it lately."""
        for segment in self._recovered.segments:
            start = 0
            if name not in segment.waiting and name not in segment.noted:
                continue
            while start < segment.size and self._kept.get(segment.number) is segment:
                records, damaged, start = await asyncio.to_thread(
                    read_some,
                    self._kept.path(segment),
                    start,
                    segment.size,
                    lambda record: name in record.readers,
                    WINDOW,
                )
                self._kept.damaged(segment, damaged)
                for record in records:
                    entry = Entry(mark_of(record, segment.number), record.payload, self._kept.since(record.time))
                    done = segment.is_done(name, record.sequence)
                    if not done or self._clock() - entry.since < self._kept.limits.recall:
                        yield Recalled(entry, record.readers, done, segment.left(name, record.sequence))

    def _narrow(self, mark: Mark, name: str, left: Collection[int]) -> None:
        """Note soon what is left of a record: much can be done at once."""
        if not self._narrowed:
            asyncio.get_running_loop().call_soon(self._note_narrowed)
        self._narrowed[mark, name] = left

    def _note_narrowed(self) -> None:
        for (mark, name), left in self._narrowed.items():
            if left:
                self._kept.narrow(mark, name, sorted(left))
        self._narrowed.clear()

    def _append_to_memory(self, payload: Payload, readers: tuple[str, ...]) -> Entry:
        number = self._kept.last or 1
        segment = self._kept.get(number)
        if segment is not None and segment.size >= self._kept.limits.segment_bytes:
            self._kept.closed(number)
            number, segment = number + 1, None
        self._sequence += 1
        mark = Mark(number, self._sequence, payload.signal, payload.items, len(payload.body))
        return self._kept.register(mark, payload, readers, mark.bytes + (segment.size if segment is not None else 0))

    def _put(self, task: Task) -> None:
        if self._writer is not None:
            self._writer.put(task)

    def _confirmed(self, results: Sequence[Result]) -> None:
        """Take note of what the writer has done."""
        for result in results:
            match result:
                case Appended(append=append, segment=number, end=end, sequence=sequence):
                    payload = append.payload
                    mark = Mark(number, sequence, payload.signal, payload.items, len(payload.body))
                    self._written(append, self._kept.register(mark, payload, append.readers, end))
                case Failed(append=append, reason=reason, full=full):
                    if full:
                        self._kept.forget_recalled()
                    self._written(append, Refused(f"the queue cannot be written: {reason}"))
                case Closed(segment=number):
                    self._kept.closed(number)

    def _written(self, append: Append, outcome: Entry | Refused) -> None:
        self._bytes_being_written -= len(append.payload.body)
        kept = self._being_written.pop(append)
        if kept.done():  # nobody waits for it any more
            return
        if isinstance(outcome, Refused):
            kept.set_exception(outcome)
        else:
            kept.set_result(outcome)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._kept.purge()


def _recover(folder: Folder) -> Recovered:
    """Read what is there; cut off a record at the end that was not finished, and delete what is left of segments.

    Raises `QueueError`.
    """
    try:
        recovered = recover(folder)
        folder.tidy()
    except OSError as error:
        folder.release()
        raise QueueError(f"cannot use the queue {folder.path}: {error.strerror}; give service.queue.path") from None
    for part in recovered.unreadable:
        if part.unfinished:
            with contextlib.suppress(OSError):
                os.truncate(folder.path / part.file, part.offset)
    return recovered


def _threadsafe(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended; so has everybody who waited
        loop.call_soon_threadsafe(call)
