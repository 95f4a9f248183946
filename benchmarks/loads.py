"""Loads of answers and plain telemetry for a running gateway: sent at a pace, and followed until they arrive."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Thread

import machine
from backend import Arrival, Backend
from harness import RunningGateway
from sender import http_sender
from telemetry import Interaction, last_span_id, plain_request

from otel_agent_eval.signals import Signal

_IN_FLIGHT = 16
"""Enough to keep the models busy, and less than what they can do within the deadline: nothing is left out."""
_SENDERS = 16
_PLAIN_SPANS = 100
_PATIENCE = 60.0
"""Seconds until the last span must have arrived: beyond the gateway's own limits."""

Pace = Callable[["Bench"], Iterator[float]]
"""Yields the monotonic time at which each answer is due, when it is due."""


class Bench:
    """A gateway, what stands behind it, and what has come out there; times are monotonic, by span id."""

    def __init__(self, running: RunningGateway, target: Backend) -> None:
        self.pid = running.pid
        self.send = http_sender(running.http_endpoint)
        self.sent: dict[bytes, float] = {}
        self.arrived: dict[bytes, Arrival] = {}
        self._target = target

    @property
    def waiting(self) -> int:
        """Spans that were sent and have not arrived."""
        for arrival in self._target.arrivals():
            if arrival.span_id in self.sent:
                self.arrived[arrival.span_id] = arrival
        return len(self.sent) - len(self.arrived)

    def latencies(self, span_ids: Sequence[bytes]) -> list[float]:
        """Return, for each of these spans, the milliseconds from when it was due until it arrived."""
        return [1000 * (self.arrived[span_id].time - self.sent[span_id]) for span_id in span_ids]

    def wait(self) -> None:
        """Wait until all that was sent has arrived; a `TimeoutError` says how much is missing."""
        deadline = time.monotonic() + _PATIENCE
        while missing := self.waiting:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{missing} spans have not arrived")
            time.sleep(0.005)

    def acknowledged(self, body: bytes) -> float:
        """Send a request of spans and return the milliseconds until its acknowledgement."""
        started = time.monotonic()
        self.send(Signal.TRACES, body)
        return 1000 * (time.monotonic() - started)


@dataclass(slots=True)
class Load:
    """What was sent, by span id, how long the acknowledgements took (ms), and what it took in all (seconds)."""

    answers: list[bytes] = field(default_factory=list)
    acknowledged: list[float] = field(default_factory=list)
    plain: list[bytes] = field(default_factory=list)
    plain_acknowledged: list[float] = field(default_factory=list)
    taken: float = 0.0
    cpu: float = 0.0


def run_load(bench: Bench, source: Iterator[Interaction], pace: Pace, plain_every: float) -> Load:
    """Send answers at a pace, and plain telemetry beside, every so many seconds; return when all has arrived."""
    load = Load()
    requests: list[Future[float]] = []
    stopping = Event()
    beside = Thread(target=_send_plain, args=(bench, stopping, load, plain_every))
    cpu, started = machine.cpu_seconds(bench.pid), time.monotonic()
    beside.start()
    with ThreadPoolExecutor(_SENDERS) as pool:
        try:
            for due in pace(bench):
                interaction = next(source)
                load.answers.append(interaction.span_id)
                bench.sent[interaction.span_id] = due
                requests.append(pool.submit(bench.acknowledged, interaction.body))
            load.acknowledged = [request.result() for request in requests]
        finally:
            stopping.set()
            beside.join()
    bench.wait()
    load.cpu = machine.cpu_seconds(bench.pid) - cpu
    load.taken = max((bench.arrived[span_id].time for span_id in load.answers), default=time.monotonic()) - started
    return load


def paced(rate: float, seconds: float) -> Pace:
    """Gaps are exponential, as between many users who know nothing of each other."""

    def pace(_bench: Bench) -> Iterator[float]:
        rng = random.Random(2)  # noqa: S311 (repeatable, not secret)
        due = started = time.monotonic()
        while (due := due + rng.expovariate(rate)) < started + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            yield due

    return pace


def full(seconds: float) -> Pace:
    """Keep a fixed number of answers in the gateway."""

    def pace(bench: Bench) -> Iterator[float]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if bench.waiting < _IN_FLIGHT:
                yield time.monotonic()
            else:
                time.sleep(0.001)

    return pace


def silent(seconds: float) -> Pace:
    """Send no answer at all."""

    def pace(_bench: Bench) -> Iterator[float]:
        time.sleep(seconds)
        yield from ()

    return pace


def _send_plain(bench: Bench, stopping: Event, load: Load, every: float) -> None:
    seed = len(bench.sent)
    while not stopping.wait(every):
        seed += 1
        body = plain_request(Signal.TRACES, _PLAIN_SPANS, seed)
        load.plain.append(last_span_id(body))
        bench.sent[load.plain[-1]] = time.monotonic()
        load.plain_acknowledged.append(bench.acknowledged(body))
