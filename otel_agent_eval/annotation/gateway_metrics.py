"""Metrics of the gateway itself: what came in, what went out, what waits, what was given up."""

from collections.abc import Collection, Mapping
from typing import Final

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import Bound, Drop, Lack, Refusal, Transport
from otel_agent_eval.annotation.instruments import AnyTable, Distribution, Table, number
from otel_agent_eval.evaluation.worker import Ending
from otel_agent_eval.signals import Signal

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BYTES: Final = tuple(float(1 << power) for power in range(10, 27, 2))  # 1 KiB to 64 MiB
_ITEMS: Final = (1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0)


class GatewayMetrics:
    """Counts the gateway's own doings. All series begin at 0, those of the configured destinations included."""

    def __init__(self, destinations: Mapping[str, Collection[Signal]]) -> None:
        """`destinations` maps each exporter's name to the signals that its pipelines carry."""
        self._received = Table(catalogue.RECEIVED, number)
        self._refused = Table(catalogue.REFUSED, number)
        self._forwarded = Table(catalogue.FORWARDED, number)
        self._dropped = Table(catalogue.DROPPED, number)
        self._queued = Table(catalogue.QUEUED, number)
        self._queued_bytes = Table(catalogue.QUEUED_BYTES, number)
        self._queue_age = Table(catalogue.QUEUE_AGE, number)
        self._dead_letters = Table(catalogue.DEAD_LETTERS, number)
        self._journal_size = Table(catalogue.JOURNAL_SIZE, number)
        self._journal_unreadable = Table(catalogue.JOURNAL_UNREADABLE, number)
        self._held = Table(catalogue.HELD, number)
        self._evictions = Table(catalogue.EVICTIONS, number)
        self._memory = Table(catalogue.MEMORY, number)
        self._workers = Table(catalogue.WORKERS, number)
        self._worker_endings = Table(catalogue.WORKER_ENDINGS, number)
        self._refused_items = Table(catalogue.REFUSED_ITEMS, number)
        self._handshake_failures = Table(catalogue.HANDSHAKE_FAILURES, number)
        self._request_size = Table(catalogue.REQUEST_SIZE, lambda _: Distribution(_BYTES))
        self._send_duration = Table(catalogue.SEND_DURATION, lambda _: Distribution(_SECONDS))
        self._send_items = Table(catalogue.SEND_ITEMS, lambda _: Distribution(_ITEMS))
        self._send_failures = Table(catalogue.SEND_FAILURES, number)
        self._queue_capacity = Table(catalogue.QUEUE_CAPACITY, number)
        self._hold_duration = Table(catalogue.HOLD_DURATION, lambda _: Distribution(_SECONDS))
        self._config_loaded = Table(catalogue.CONFIG_LOADED, number)
        self._config_refused = Table(catalogue.CONFIG_REFUSED, number)
        self._received.begin(Signal, Transport)
        self._refused.begin(Signal, Transport, Refusal)
        self._refused_items.begin(Signal, Transport)
        self._handshake_failures.begin((Transport.HTTP,))  # gRPC does not tell
        self._request_size.begin(Signal)
        self._hold_duration.begin()
        self._config_loaded.begin()
        self._config_refused.begin()
        self.begin(destinations)
        self._journal_size.begin()
        self._journal_unreadable.begin()
        self._held.begin(Lack)
        self._evictions.begin(Bound)
        self._memory.begin()
        self._workers.begin()
        self._worker_endings.begin(Ending)

    def begin(self, destinations: Mapping[str, Collection[Signal]]) -> None:
        """Begin the series of further destinations."""
        for destination, signals in destinations.items():
            self._forwarded.begin(signals, (destination,))
            self._dropped.begin(signals, (destination,), Drop)
            self._queued.begin(signals, (destination,))
            self._send_duration.begin(signals, (destination,))
            self._send_items.begin(signals, (destination,))
            self._send_failures.begin(signals, (destination,))
            for table in (self._queued_bytes, self._queue_capacity, self._queue_age, self._dead_letters):
                table.begin((destination,))

    @property
    def tables(self) -> tuple[AnyTable, ...]:
        """The numbers, for rendering."""
        return (
            self._received, self._refused, self._forwarded, self._dropped, self._queued, self._queued_bytes,
            self._queue_age, self._dead_letters, self._journal_size, self._journal_unreadable, self._held,
            self._evictions, self._memory, self._workers, self._worker_endings, self._refused_items, self._request_size,
            self._send_duration, self._send_items, self._send_failures, self._queue_capacity, self._hold_duration,
            self._config_loaded, self._config_refused, self._handshake_failures,
        )  # fmt: skip

    def received(self, signal: Signal, transport: Transport, items: int) -> None:
        """Count an accepted request's spans, log records or data points."""
        self._received.at(signal, transport).add(items)

    def refused(self, signal: Signal, transport: Transport, why: Refusal, items: int = 0) -> None:
        """Count a request that was answered with an error, and its items if it could be read."""
        self._refused.at(signal, transport, why).add()
        self._refused_items.at(signal, transport).add(items)

    def handshake_failed(self) -> None:
        """Count a connection over HTTP whose TLS handshake failed."""
        self._handshake_failures.at(Transport.HTTP).add()

    def request(self, signal: Signal, size: int) -> None:
        """Note the size of a request that could be read, in bytes."""
        self._request_size.at(signal).observe(size)

    def attempted(self, destination: str, signal: Signal, seconds: float, items: int, taken: bool) -> None:
        """Count an attempt to send a request."""
        self._send_duration.at(signal, destination).observe(seconds)
        if taken:
            self._send_items.at(signal, destination).observe(items)
        else:
            self._send_failures.at(signal, destination).add()

    def waited(self, seconds: float) -> None:
        """Note how long a span with an answer waited for its trace and its scores."""
        self._hold_duration.at().observe(seconds)

    def capacity(self, destination: str, size: int) -> None:
        """Say how many bytes may wait for a destination."""
        self._queue_capacity.at(destination).value = size

    def config(self, loaded: float, refused: bool) -> None:
        """Say since when the configuration is in effect, and whether one that was to replace it was refused."""
        self._config_loaded.at().value = loaded
        self._config_refused.at().value = refused

    def forwarded(self, signal: Signal, destination: str, items: int) -> None:
        """Count the items of a request that a destination has taken."""
        self._forwarded.at(signal, destination).add(items)

    def dropped(self, signal: Signal, destination: str, why: Drop, items: int) -> None:
        """Count items that a destination will never get."""
        self._dropped.at(signal, destination, why).add(items)

    def queued(self, signal: Signal, destination: str, requests: int) -> None:
        """Say how many requests wait for a destination now."""
        self._queued.at(signal, destination).value = requests

    def queue(self, destination: str, *, size: int, age: float, dead_letters: int) -> None:
        """Say how much waits for a destination now: bytes, and seconds since the oldest came; and what is parked."""
        self._queued_bytes.at(destination).value = size
        self._queue_age.at(destination).value = age
        self._dead_letters.at(destination).value = dead_letters

    def journal(self, size: int, unreadable: int) -> None:
        """Say how many bytes the journal keeps now, and how many parts of it could not be read since the start."""
        self._journal_size.at().value = size
        self._journal_unreadable.at().value = unreadable

    def held(self, lack: Lack, spans: int) -> None:
        """Say how many spans are held back now for what they lack."""
        self._held.at(lack).value = spans

    def memory(self, used: int) -> None:
        """Say how many bytes the gateway and its model workers hold now."""
        self._memory.at().value = used

    def workers(self, up: int) -> None:
        """Say how many model workers can judge now."""
        self._workers.at().value = up

    def worker_ended(self, ending: Ending) -> None:
        """Count a model worker that ended before its time."""
        self._worker_endings.at(ending).add()

    def evicted(self, bound: Bound, total: int) -> None:
        """Say how much assembly has forgotten early since the start, for want of room; the number never falls."""
        self._evictions.at(bound).value = total
