"""One destination: the workers that send what waits for it, and what became of everything."""

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from otel_agent_eval.delivery.dead_letters import DeadLetters
from otel_agent_eval.delivery.settings import RetrySettings, SendSettings
from otel_agent_eval.delivery.split import halves
from otel_agent_eval.delivery.stats import DestinationStats, Fate
from otel_agent_eval.delivery.troubles import Troubles
from otel_agent_eval.exporters.exporter import Exporter, ExportError, Oversized, Permanent, Retryable, Unsupported
from otel_agent_eval.journal import Cursor, Entry
from otel_agent_eval.signals import Payload, Signal

_LAST_CHANCES_EVERY = 1.0  # seconds, while stopping
_PARK_AGAIN_AFTER = 1.0
_LINGER = 0.05
"""Seconds in which requests of a signal gather, where more than one comes: each costs as much as hundreds of spans."""

_log = logging.getLogger(__name__)


class _Leaving(Exception):  # noqa: N818 (no error: somebody else will send it)
    """The request is given back."""


Observe = Callable[[str, Signal, Fate, int], None]
"""Told the destination's name, the signal, what became of a request, and of how many items."""


def _merged(entries: Sequence[Entry]) -> Payload:
    """Make one request of several. An encoding behind another reads as one with the resources of both."""
    first = entries[0].payload
    if len(entries) == 1:
        return first
    body, items = b"".join(entry.payload.body for entry in entries), sum(entry.payload.items for entry in entries)
    return Payload(first.signal, body, items, first.metadata)


class Destination:
    """Sends what its cursor gives, in parallel and roughly in order, and never gives up unless the settings say so.

    `signals` narrows what the exporter can carry to what is meant for it. What will never be taken is parked with
    `dead_letters`, or lost where there are none. What is left at the end stays in a durable journal. All methods
    belong to one event loop.
    """

    def __init__(
        self,
        exporter: Exporter,
        cursor: Cursor,
        *,
        signals: Collection[Signal] = frozenset(Signal),
        send: SendSettings = SendSettings(),  # noqa: B008 (immutable)
        retry: RetrySettings = RetrySettings(),  # noqa: B008 (immutable)
        dead_letters: DeadLetters | None = None,
        observe: Observe | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = exporter.name
        self.signals = exporter.signals & frozenset(signals)
        self._exporter = exporter
        self._cursor = cursor
        self._settings = send
        self._retry = retry
        self._dead_letters = dead_letters
        self._observe = observe
        self._clock = clock
        self._rng = random.Random()  # noqa: S311 (jitter, not a secret)
        self._stopping = asyncio.Event()
        self._resume_at = 0.0
        self._taking = asyncio.Lock()
        self._lingered = dict.fromkeys(Signal, -math.inf)  # what was there by then goes
        self._items: Counter[tuple[Signal, Fate]] = Counter()
        self._retries = 0
        self._tried_at: dict[object, float] = {}
        self._parked = self._resending = 0
        self._troubles = Troubles(exporter.name, clock)
        self._workers: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._leaving = False

    async def start(self) -> None:
        """Start sending."""
        await self.count_dead_letters()
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._settings.workers)]

    def takes(self, signal: Signal) -> bool:
        """Whether requests of a signal are for this destination, and not in vain."""
        return signal in self.signals and not self._troubles.is_off(signal)

    def pass_by(self, payload: Payload) -> None:
        """Count a request that is not put in the queue, for the destination does not take its signal."""
        if payload.signal in self.signals:
            self._count(payload.signal, Fate.UNSUPPORTED, payload.items)

    async def stop(self, grace: float) -> None:
        """Send what waits for at most `grace` seconds, and close; say what is left.

        Retries no longer wait their turn: it is their last chance.
        """
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cursor.empty(), grace)
        await self._end()
        left = self._cursor.total
        if left.requests:
            said = {"destination": self.name, "requests": left.requests, "bytes": left.bytes}
            if self._cursor.durable:
                _log.warning("requests stay in the queue until the next start", extra=said)
            else:
                _log.error("stopped before everything was sent", extra=said)
                for signal, items in left.items.items():
                    self._count(signal, Fate.STOPPED, items)

    async def hand_over(self, grace: float) -> None:
        """Take nothing more, finish what is being sent for at most `grace` seconds, and close.

        What is left waits for the next that reads the same cursor.
        """
        self._leaving = True
        self._stopping.set()  # who waits to try again gives back
        for worker in self._workers:
            if worker not in self._sending:
                worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers, timeout=grace)
        await self._end()

    def stats(self) -> DestinationStats:
        """Return the state of now."""
        total, oldest = self._cursor.total, self._cursor.oldest
        return DestinationStats(
            name=self.name,
            queued_requests=total.requests,
            queued_bytes=total.bytes,
            queued_by_signal=dict(total.by_signal),
            oldest_age=max(0.0, self._clock() - oldest.since) if oldest else 0.0,
            items={key: count for key, count in self._items.items() if count},
            retries=self._retries,
            next_retry=max(0.0, min(self._tried_at.values()) - self._clock()) if self._tried_at else None,
            dead_letters=self._parked,
            resending=self._resending,
            last_error=self._troubles.last_error,
            removed=self._leaving,
            signals=self.signals,
            unsupported=self._troubles.unsupported,
        )

    async def count_dead_letters(self) -> None:
        """Look how many requests are parked: somebody may have had them sent again."""
        if (letters := self._dead_letters) is not None:
            self._parked, self._resending = await asyncio.to_thread(
                lambda: (letters.count(self.name), letters.count_returning(self.name))
            )

    async def _end(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        try:
            await self._exporter.close()
        except Exception as error:  # noqa: BLE001 (whatever it is, the other destinations still have to drain)
            _log.warning("closing failed", extra={"destination": self.name, "error": type(error).__name__})

    async def _work(self) -> None:
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 (a coroutine runs in a task)
        while not self._leaving:
            async with self._taking:  # else each request would wake all workers
                await self._cursor.wait()
                await self._linger()
                entries = self._take()
            self._sending.add(worker)
            try:
                await self._deliver(entries)
            except (_Leaving, asyncio.CancelledError):
                self._cursor.give_back(entries)
                raise
            finally:
                self._sending.discard(worker)

    async def _linger(self) -> None:
        """Wait for what could travel with the next request, if one of its signal has just left."""
        following = self._cursor.peek()
        if following is None or self._cursor.ready_bytes >= self._settings.merged_bytes or self._stopping.is_set():
            return
        signal, now = following.payload.signal, self._clock()
        if following.since <= self._lingered[signal]:
            return
        if (pause := self._lingered[signal] + _LINGER - now) > 0:
            await asyncio.sleep(min(pause, _LINGER))
        self._lingered[signal] = self._clock()

    def _take(self) -> list[Entry]:
        """Take the oldest request and those behind it that can travel with it."""
        first = self._cursor.take()
        return [first, *self._cursor.take_like(first, self._settings.merged_bytes - first.mark.bytes)]

    async def _deliver(self, entries: list[Entry]) -> None:
        """Send requests as one; where that one is rejected, each alone: one bad request must not cost the others."""
        merged = _merged(entries)
        try:
            rejected, fate = await self._send(merged, entries[-1].since)
        except Permanent as error:
            if len(entries) > 1:
                for entry in entries:
                    await self._deliver([entry])
                return
            rejected, fate = await self._in_parts(merged, entries[0].since, error), Fate.SENT
        for entry in entries:
            own = min(rejected, entry.payload.items)
            self._resolve(entry, fate, own)
            rejected -= own

    async def _in_parts(self, payload: Payload, since: float, error: Permanent) -> int:
        """Send the halves of a request that was too large, and park what is not taken; return how many items it is."""
        parts = await asyncio.to_thread(halves, payload) if isinstance(error, Oversized) else None
        if parts is None:
            await self._park(payload, error.kind)
            return payload.items
        rejected = 0
        for part in parts:
            try:
                own, fate = await self._send(part, since)
                rejected += own if fate is Fate.SENT else part.items
            except Permanent as again:
                rejected += await self._in_parts(part, since, again)
        return rejected

    async def _park(self, payload: Payload, reason: str) -> None:
        """Put a request aside that will never be taken; it is lost where nothing can be put aside."""
        if self._dead_letters is None:
            self._troubles.gave_up(payload, Fate.REJECTED)
            return
        while True:
            try:
                await asyncio.to_thread(self._dead_letters.park, self.name, payload, reason)
            except OSError as error:
                self._troubles.not_parked(error)
                await self._sleep(_PARK_AGAIN_AFTER)
            else:
                self._parked += 1
                self._troubles.parked(payload)
                return

    async def _send(self, payload: Payload, since: float) -> tuple[int, Fate]:
        """Try until it is sent or given up; return how many items were rejected, and what became of the others.

        Raises `Permanent` where it will never be taken.
        """
        signal, attempt = payload.signal, 0
        while True:
            if self._leaving and attempt:
                raise _Leaving
            if self._troubles.is_off(signal):
                return 0, Fate.UNSUPPORTED
            if (pause := self._resume_at - self._clock()) > 0:
                await self._sleep(pause)
            try:
                return await self._exporter.export(payload), Fate.SENT
            except Permanent as error:
                if isinstance(error, Unsupported) and signal is not Signal.TRACES:
                    self._troubles.switch_off(signal, error.kind)  # without traces a destination is broken, not limited
                    continue
                self._troubles.failed(error.kind)
                raise
            except Exception as error:  # noqa: BLE001 (a fault of the exporter must not cost data: it is tried again)
                asked = error.retry_after if isinstance(error, Retryable) else None
                self._troubles.failed(error.kind if isinstance(error, ExportError) else type(error).__name__)
            wait = self._retry.wait(attempt, asked, self._rng)
            limit = self._retry.max_elapsed_time
            if not self._retry.enabled or (limit and self._clock() - since + wait > limit):
                self._troubles.gave_up(payload, Fate.EXPIRED)
                return 0, Fate.EXPIRED
            if asked is not None:  # it asked all of us to wait, not only this request
                self._resume_at = max(self._resume_at, self._clock() + wait)
            attempt += 1
            self._retries += 1
            waiting = object()
            self._tried_at[waiting] = self._clock() + wait
            try:
                await self._sleep(wait)
            finally:
                del self._tried_at[waiting]

    async def _sleep(self, seconds: float) -> None:
        if self._stopping.is_set():
            await asyncio.sleep(min(seconds, _LAST_CHANCES_EVERY))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _resolve(self, entry: Entry, fate: Fate, rejected: int) -> None:
        if not self._cursor.done(entry):
            return  # the journal has given it up, and has counted it
        signal, items = entry.payload.signal, entry.payload.items
        if items > rejected or not items:
            self._count(signal, fate, items - rejected)
        if rejected:
            self._count(signal, Fate.REJECTED, rejected)

    def _count(self, signal: Signal, fate: Fate, items: int) -> None:
        self._items[signal, fate] += items
        if self._observe is not None:
            self._observe(self.name, signal, fate, items)
