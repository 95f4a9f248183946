"""One destination: its queue, the workers that empty it, and what became of everything."""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from otel_agent_eval.delivery.settings import QueueSettings, RetrySettings
from otel_agent_eval.delivery.stats import DestinationStats, Fate, LastError
from otel_agent_eval.exporters.exporter import Exporter, ExportError, Permanent, Retryable, Unsupported
from otel_agent_eval.signals import Payload, Signal

_ASK_AGAIN_AFTER = 300.0  # seconds; a signal that was not taken once may be after the destination's next upgrade
_WARN_EVERY = 60.0  # seconds, of the same trouble
_LAST_CHANCES_EVERY = 1.0  # seconds, while stopping

_log = logging.getLogger(__name__)

Observe = Callable[[str, Signal, Fate, int], None]
"""Told the destination's name, the signal, what became of a request, and of how many items."""


@dataclass(slots=True, eq=False)
class _Entry:
    payload: Payload
    since: float


def _merged(entries: Sequence[_Entry]) -> _Entry:
    """Make one request of several. An encoding behind another reads as one with the resources of both."""
    if len(entries) == 1:
        return entries[0]
    first = entries[0].payload
    body, items = b"".join(entry.payload.body for entry in entries), sum(entry.payload.items for entry in entries)
    return _Entry(Payload(first.signal, body, items, first.metadata), entries[-1].since)


class Destination:
    """Sends what is put in, in parallel and roughly in order, and never gives up unless the settings say so.

    `signals` narrows what the exporter can carry to what is meant for it. All methods belong to one event loop.
    """

    def __init__(
        self,
        exporter: Exporter,
        *,
        signals: Collection[Signal] = frozenset(Signal),
        queue: QueueSettings = QueueSettings(),  # noqa: B008 (immutable)
        retry: RetrySettings = RetrySettings(),  # noqa: B008 (immutable)
        observe: Observe | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = exporter.name
        self.signals = exporter.signals & frozenset(signals)
        self._exporter = exporter
        self._queue = queue
        self._retry = retry
        self._observe = observe
        self._clock = clock
        self._rng = random.Random()  # noqa: S311 (jitter, not a secret)
        self._waiting: deque[_Entry] = deque()
        self._unresolved: dict[_Entry, None] = {}  # an ordered set: what waits or is being sent, the oldest first
        self._bytes = 0
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = asyncio.Event()
        self._closed = False
        self._resume_at = 0.0
        self._off_until: dict[Signal, float] = {}
        self._items: Counter[tuple[Signal, Fate]] = Counter()
        self._retries = 0
        self._last_error: LastError | None = None
        self._warned_at = 0.0
        self._given_up = 0
        self._next_report = 0.0
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start sending."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._queue.workers)]

    def room(self, signal: Signal, size: int) -> bool:
        """Say whether a request of `size` bytes fits. A single one always does, however large."""
        if not self._unresolved or self._is_off(signal):
            return True
        return len(self._unresolved) < self._queue.max_requests and self._bytes + size <= self._queue.max_bytes

    def put(self, payload: Payload) -> None:
        """Take a request to send, whether there is room or not; what comes in vain is counted."""
        if self._closed or self._is_off(payload.signal):
            self._count(payload.signal, Fate.STOPPED if self._closed else Fate.UNSUPPORTED, payload.items)
            return
        entry = _Entry(payload, self._clock())
        self._unresolved[entry] = None
        self._bytes += len(payload.body)
        self._waiting.append(entry)
        self._idle.clear()
        self._more.set()

    async def stop(self, grace: float) -> None:
        """Send what waits for at most `grace` seconds, then count the rest as lost, say so, and close.

        Retries no longer wait their turn: it is their last chance.
        """
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        self._closed = True
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._unresolved:
            _log.error(
                "stopped before everything was sent",
                extra={"destination": self.name, "requests": len(self._unresolved), "bytes": self._bytes},
            )
        for entry in list(self._unresolved):
            self._resolve(entry, Fate.STOPPED)
        self._waiting.clear()
        try:
            await self._exporter.close()
        except Exception as error:  # noqa: BLE001 (whatever it is, the other destinations still have to drain)
            _log.warning("closing failed", extra={"destination": self.name, "error": type(error).__name__})

    def stats(self) -> DestinationStats:
        """Return the state of now."""
        oldest = next(iter(self._unresolved), None)
        return DestinationStats(
            name=self.name,
            queued_requests=len(self._unresolved),
            queued_bytes=self._bytes,
            queued_by_signal=Counter(entry.payload.signal for entry in self._unresolved),
            oldest_age=self._clock() - oldest.since if oldest else 0.0,
            items=dict(self._items),
            retries=self._retries,
            last_error=self._last_error,
            unsupported=frozenset(signal for signal in self._off_until if self._is_off(signal)),
        )

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            await self._deliver(self._take())

    def _take(self) -> list[_Entry]:
        """Take the oldest request and those behind it that can travel with it: each costs as much as many spans."""
        taken = [self._waiting.popleft()]
        first, size = taken[0].payload, len(taken[0].payload.body)
        while self._waiting:
            payload = self._waiting[0].payload
            size += len(payload.body)
            if (payload.signal, payload.metadata) != (first.signal, first.metadata) or size > self._queue.merged_bytes:
                break
            taken.append(self._waiting.popleft())
        return taken

    async def _deliver(self, entries: list[_Entry]) -> None:
        """Send requests as one; where that one is rejected, each alone: one bad request must not cost the others."""
        rejected, fate = 0, Fate.UNSUPPORTED
        if not self._is_off(entries[0].payload.signal):
            rejected, fate = await self._send(_merged(entries))
        if fate is Fate.REJECTED and len(entries) > 1:
            for entry in entries:
                await self._deliver([entry])
            return
        for entry in entries:
            if fate in (Fate.REJECTED, Fate.EXPIRED):
                self._give_up(entry, fate)
            own = min(rejected, entry.payload.items)
            self._resolve(entry, fate, own)
            rejected -= own

    async def _send(self, entry: _Entry) -> tuple[int, Fate]:
        """Try until it is sent or given up; return how many items were rejected, and what became of the others."""
        signal, attempt = entry.payload.signal, 0
        while True:
            if (pause := self._resume_at - self._clock()) > 0:
                await self._sleep(pause)
            try:
                return await self._exporter.export(entry.payload), Fate.SENT
            except Unsupported as error:
                if signal is not Signal.TRACES:  # without traces a destination is broken, not limited
                    self._switch_off(signal, error.kind)
                    return 0, Fate.UNSUPPORTED
                self._fail(error.kind)
                return 0, Fate.REJECTED
            except Permanent as error:
                self._fail(error.kind)
                return 0, Fate.REJECTED
            except Exception as error:  # noqa: BLE001 (a fault of the exporter must not cost data: it is tried again)
                asked = error.retry_after if isinstance(error, Retryable) else None
                self._fail(error.kind if isinstance(error, ExportError) else type(error).__name__)
            wait = self._retry.wait(attempt, asked, self._rng)
            limit = self._retry.max_elapsed_time
            if not self._retry.enabled or (limit and self._clock() - entry.since + wait > limit):
                return 0, Fate.EXPIRED
            if asked is not None:  # it asked all of us to wait, not only this request
                self._resume_at = max(self._resume_at, self._clock() + wait)
            attempt += 1
            self._retries += 1
            await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        if self._stopping.is_set():
            await asyncio.sleep(min(seconds, _LAST_CHANCES_EVERY))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _resolve(self, entry: _Entry, fate: Fate, rejected: int = 0) -> None:
        del self._unresolved[entry]
        self._bytes -= len(entry.payload.body)
        self._count(entry.payload.signal, fate, entry.payload.items - rejected)
        if rejected:
            self._count(entry.payload.signal, Fate.REJECTED, rejected)
        if not self._unresolved:
            self._idle.set()

    def _count(self, signal: Signal, fate: Fate, items: int) -> None:
        self._items[signal, fate] += items
        if self._observe is not None:
            self._observe(self.name, signal, fate, items)

    def _fail(self, kind: str) -> None:
        now = self._clock()
        if self._last_error is None or self._last_error.kind != kind or now - self._warned_at > _WARN_EVERY:
            self._warned_at = now
            _log.warning("the destination did not take a request", extra={"destination": self.name, "error": kind})
        self._last_error = LastError(kind, time.time())

    def _give_up(self, entry: _Entry, fate: Fate) -> None:
        """Say what will never arrive: at once, then once a minute for all that were given up since."""
        self._given_up += entry.payload.items
        now = self._clock()
        if now < self._next_report:
            return
        _log.error(
            "requests were given up",
            extra={
                "destination": self.name,
                "signal": entry.payload.signal.value,
                "items": self._given_up,
                "reason": fate.value,
                "error": self._last_error.kind if self._last_error else "",
            },
        )
        self._given_up, self._next_report = 0, now + _WARN_EVERY

    def _is_off(self, signal: Signal) -> bool:
        return self._off_until.get(signal, 0.0) > self._clock()

    def _switch_off(self, signal: Signal, kind: str) -> None:
        if signal not in self._off_until:
            _log.warning(
                "the destination does not take this signal; it gets no more of it",
                extra={"destination": self.name, "signal": signal.value, "error": kind},
            )
        self._off_until[signal] = self._clock() + _ASK_AGAIN_AFTER
        self._last_error = LastError(kind, time.time())
