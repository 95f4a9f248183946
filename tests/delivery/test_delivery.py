"""Delivery: nothing is lost silently, and a dead destination holds up only itself."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queued import Queued
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink

from otel_agent_eval.delivery import Fate, RetrySettings, SendSettings
from otel_agent_eval.exporters import OtlpHttpExporter, Permanent, Retryable, Unsupported, signal_urls
from otel_agent_eval.journal import ReaderLimits
from otel_agent_eval.signals import Payload, Signal

QUICK = RetrySettings(initial_interval=0.01, max_interval=0.05)


@dataclass
class Scripted:
    """An exporter that fails as told, once for each error of the script, and then succeeds."""

    script: list[Exception | int] = field(default_factory=list)
    name: str = "test"
    signals: frozenset[Signal] = frozenset(Signal)
    sent: list[Payload] = field(default_factory=list)
    tries: int = 0
    dead: bool = False
    closed: bool = False

    async def export(self, payload: Payload) -> int:
        self.tries += 1
        await asyncio.sleep(0)
        if self.dead:
            raise Retryable("ConnectError")
        outcome = self.script.pop(0) if self.script else 0
        if isinstance(outcome, Exception):
            raise outcome
        self.sent.append(payload)
        return outcome

    async def close(self) -> None:
        self.closed = True
        if self.name == "breaks":
            raise OSError


Observed = list[tuple[str, Signal, Fate, int]]


def payload(signal: Signal = Signal.TRACES, size: int = 10, items: int = 2) -> Payload:
    return Payload(signal, b"x" * size, items)


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not ready():  # noqa: ASYNC110 (what is waited for is seen from outside)
            await asyncio.sleep(0.005)


async def drained(destination: Queued, payloads: Sequence[Payload]) -> None:
    await destination.start()
    for each in payloads:
        await destination.put(each)
    await destination.stop(5)


async def test_requests_are_sent_in_order_and_counted() -> None:
    exporter, observed = Scripted(), Observed()
    destination = Queued(exporter, send=SendSettings(workers=1), observe=lambda *seen: observed.append(seen))
    payloads = [payload(size=size) for size in range(1, 20)]
    await drained(destination, payloads)
    assert exporter.sent == payloads
    assert exporter.closed
    stats = destination.stats()
    assert stats.items == {(Signal.TRACES, Fate.SENT): 38}
    assert (stats.queued_requests, stats.queued_bytes, stats.oldest_age, stats.last_error) == (0, 0, 0.0, None)
    assert observed == [("test", Signal.TRACES, Fate.SENT, 2)] * 19


async def test_retryable_failure_is_tried_until_it_arrives() -> None:
    exporter = Scripted([Retryable("UNAVAILABLE")] * 5)
    destination = Queued(exporter, retry=QUICK)
    await drained(destination, [payload()])
    stats = destination.stats()
    assert len(exporter.sent) == 1
    assert stats.retries == 5
    assert stats.items == {(Signal.TRACES, Fate.SENT): 2}
    assert stats.last_error
    assert stats.last_error.kind == "UNAVAILABLE"


async def test_fault_of_an_exporter_costs_no_data(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Scripted([KeyError("a secret answer"), ZeroDivisionError()])
    destination = Queued(exporter, retry=QUICK)
    await drained(destination, [payload()])
    assert len(exporter.sent) == 1
    assert "secret" not in caplog.text


async def test_permanent_failure_is_counted_logged_and_never_retried(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Scripted([Permanent("INVALID_ARGUMENT")])
    destination = Queued(exporter, retry=QUICK)
    await drained(destination, [payload(items=7), payload()])
    assert exporter.tries == 2
    assert destination.stats().items == {(Signal.TRACES, Fate.REJECTED): 7, (Signal.TRACES, Fate.SENT): 2}
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(record)["items"] == 7
    assert vars(record)["error"] == "INVALID_ARGUMENT"


async def test_what_is_given_up_is_reported_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    exporter = Scripted([Permanent("HTTP 401")] * 5)
    destination = Queued(exporter, retry=QUICK, clock=lambda: now)
    await destination.start()
    for _ in range(4):
        await destination.put(payload(items=1))
    await until(lambda: exporter.tries == 4)
    now = 161.0
    await destination.put(payload(items=1))
    await destination.stop(1)
    reports = [vars(record)["items"] for record in caplog.records if record.levelname == "ERROR"]
    assert reports == [1, 4]


async def test_partial_success_counts_what_was_rejected_and_is_not_retried() -> None:
    exporter = Scripted([3])
    destination = Queued(exporter, retry=QUICK)
    await drained(destination, [payload(items=10)])
    assert exporter.tries == 1
    assert destination.stats().items == {(Signal.TRACES, Fate.SENT): 7, (Signal.TRACES, Fate.REJECTED): 3}


async def test_request_is_given_up_after_the_configured_time_only() -> None:
    exporter = Scripted(dead=True)
    destination = Queued(exporter, retry=RetrySettings(initial_interval=0.02, max_elapsed_time=0.1))
    await destination.start()
    await destination.put(payload())
    await until(lambda: (Signal.TRACES, Fate.EXPIRED) in destination.stats().items)
    assert exporter.tries > 1
    await destination.stop(1)


async def test_without_retries_the_first_failure_is_the_last() -> None:
    exporter = Scripted(dead=True)
    destination = Queued(exporter, retry=RetrySettings(enabled=False))
    await drained(destination, [payload()])
    assert exporter.tries == 1
    assert destination.stats().items == {(Signal.TRACES, Fate.EXPIRED): 2}


async def test_destination_that_asks_to_wait_gets_nothing_meanwhile() -> None:
    exporter = Scripted([Retryable("UNAVAILABLE", retry_after=0.2)])
    destination = Queued(exporter, send=SendSettings(workers=1), retry=QUICK)
    await destination.start()
    await destination.put(payload())
    await until(lambda: exporter.tries == 1)
    await destination.put(payload())
    await asyncio.sleep(0.1)
    assert exporter.tries == 1
    await until(lambda: len(exporter.sent) == 2)
    await destination.stop(1)


async def test_other_workers_wait_too_when_the_destination_asks() -> None:
    exporter = Scripted([Retryable("UNAVAILABLE", retry_after=0.3)])
    destination = Queued(exporter, send=SendSettings(workers=4), retry=QUICK)
    await destination.start()
    await destination.put(payload())
    await until(lambda: exporter.tries == 1)
    for _ in range(3):
        await destination.put(payload())
    await asyncio.sleep(0.1)
    assert exporter.tries == 1
    await until(lambda: len(exporter.sent) == 4)
    await destination.stop(1)


@pytest.mark.parametrize("signal", [Signal.LOGS, Signal.METRICS])
async def test_signal_that_is_not_taken_is_switched_off_with_one_warning(
    signal: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Scripted([Unsupported("UNIMPLEMENTED")])
    destination = Queued(exporter, send=SendSettings(workers=1), retry=QUICK)
    await destination.start()
    for _ in range(5):
        await destination.put(payload(signal))
    await destination.put(payload())
    await until(lambda: len(exporter.sent) == 1)
    await destination.put(payload(signal))
    assert destination.room(signal, 10**12)
    assert destination.stats().unsupported == {signal}
    await destination.stop(1)
    assert exporter.tries == 2
    assert destination.stats().items == {(signal, Fate.UNSUPPORTED): 12, (Signal.TRACES, Fate.SENT): 2}
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "the destination does not take this signal; it gets no more of it"
    ]


async def test_signal_that_was_not_taken_is_asked_for_again_later() -> None:
    now = 0.0
    exporter = Scripted([Unsupported("HTTP 404")])
    destination = Queued(exporter, retry=QUICK, clock=lambda: now)
    await destination.start()
    await destination.put(payload(Signal.LOGS))
    await until(lambda: bool(destination.stats().unsupported))
    now = 301.0
    assert not destination.stats().unsupported
    await destination.put(payload(Signal.LOGS))
    await destination.stop(1)
    assert len(exporter.sent) == 1


async def test_traces_are_never_switched_off() -> None:
    exporter = Scripted([Unsupported("HTTP 404")])
    destination = Queued(exporter, retry=QUICK)
    await drained(destination, [payload(), payload()])
    assert destination.stats().items == {(Signal.TRACES, Fate.REJECTED): 2, (Signal.TRACES, Fate.SENT): 2}


async def test_room_is_bounded_by_bytes_and_one_always_fits() -> None:
    destination = Queued(Scripted(), limits=ReaderLimits(bytes=100))
    assert destination.room(Signal.TRACES, 1000)
    await destination.put(payload(size=60))
    assert destination.room(Signal.TRACES, 40)
    assert not destination.room(Signal.TRACES, 41)


async def test_what_is_being_sent_takes_room_too() -> None:
    exporter = Scripted(dead=True)
    destination = Queued(exporter, limits=ReaderLimits(bytes=10), retry=QUICK)
    await destination.start()
    await destination.put(payload())
    await until(lambda: exporter.tries > 1)
    assert not destination.room(Signal.TRACES, 1)
    assert destination.stats().queued_requests == 1
    assert destination.stats().oldest_age > 0
    await destination.stop(0)


async def test_there_is_room_only_if_the_queue_as_a_whole_has_it() -> None:
    both = Queued(Scripted(name="a"), Scripted(name="b"), size=100)
    await both.put(payload(size=60))
    assert both.room(Signal.TRACES, 40)
    assert not both.room(Signal.TRACES, 41)
    assert [stats.queued_requests for stats in both.delivery.stats()] == [1, 1]
    await both.put(payload(size=60))  # what was accepted before is past all limits
    assert [stats.queued_requests for stats in both.delivery.stats()] == [2, 2]


async def test_each_signal_goes_to_the_destinations_that_carry_it() -> None:
    every, traces = Scripted(name="a"), Scripted(name="b")
    narrowed = Scripted(name="c", signals=frozenset({Signal.TRACES, Signal.LOGS}))
    queued = Queued(every, traces, narrowed, signals={"b": {Signal.TRACES}, "c": {Signal.LOGS, Signal.METRICS}})
    await queued.start()
    for signal in Signal:
        await queued.put(payload(signal))
    await queued.stop(5)
    assert {p.signal for p in every.sent} == set(Signal)
    assert {p.signal for p in traces.sent} == {Signal.TRACES}
    assert {p.signal for p in narrowed.sent} == {Signal.LOGS}
    assert all(p is q for p in traces.sent for q in every.sent if q.signal is Signal.TRACES)  # the bytes are shared


async def test_dead_destination_holds_up_only_itself() -> None:
    dead, alive = Scripted(name="dead", dead=True), Scripted(name="alive")
    queued = Queued(dead, alive, retry=QUICK)
    await queued.start()
    for _ in range(100):
        await queued.put(payload())
    await until(lambda: len(alive.sent) == 100)
    assert dead.sent == []
    dead.dead = False
    await queued.stop(5)
    assert len(dead.sent) == 100


async def test_what_waits_longest_is_dropped_and_counted_where_that_was_asked_for() -> None:
    dead = Scripted(dead=True)
    queued = Queued(dead, size=1 << 20, limits=ReaderLimits(on_full="drop_oldest"), retry=QUICK)
    await queued.start()
    for number in range(200):
        assert queued.room(Signal.TRACES, 20_000)
        await queued.put(payload(size=20_000, items=number))
        await asyncio.sleep(0)
    assert dead.tries  # some are dropped while they are being sent
    dead.dead = False
    await queued.stop(5)
    lost = sum(items for *_, items in queued.lost)
    arrived = [p.items for p in dead.sent]
    assert lost
    assert 199 in arrived
    assert sum(arrived) + lost == sum(range(200))
    assert queued.stats().items[Signal.TRACES, Fate.SENT] == sum(arrived)


async def test_stop_is_prompt_when_a_retry_is_far_off_and_the_destination_is_back() -> None:
    exporter = Scripted([Retryable("UNAVAILABLE")])
    destination = Queued(exporter, retry=RetrySettings(initial_interval=60))
    await destination.start()
    await destination.put(payload())
    await until(lambda: exporter.tries == 1)
    await asyncio.wait_for(destination.stop(30), 2)
    assert len(exporter.sent) == 1


async def test_stop_counts_and_reports_what_could_not_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Scripted(dead=True)
    destination = Queued(exporter, retry=QUICK)
    await destination.start()
    for _ in range(6):
        await destination.put(payload(items=5))
    await asyncio.wait_for(destination.stop(0.1), 2)
    assert destination.stats().items == {(Signal.TRACES, Fate.STOPPED): 30}
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (vars(record)["requests"], vars(record)["bytes"]) == (6, 60)
    assert exporter.closed


async def test_exporter_that_cannot_be_closed_keeps_no_other_from_draining() -> None:
    other = Scripted(name="other")
    queued = Queued(Scripted(name="breaks"), other)
    await queued.start()
    await queued.put(payload())
    await queued.stop(1)
    assert len(other.sent) == 1
    assert other.closed


async def test_failures_are_logged_when_they_change_or_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    exporter = Scripted([Retryable("UNAVAILABLE")] * 5 + [Retryable("ABORTED")] * 2)
    destination = Queued(exporter, retry=QUICK, clock=lambda: now)
    await destination.start()
    await destination.put(payload())
    await until(lambda: len(exporter.sent) == 1)
    assert [vars(record)["error"] for record in caplog.records] == ["UNAVAILABLE", "ABORTED"]
    now = 61.0
    exporter.script = [Retryable("ABORTED")]
    await destination.put(payload())
    await destination.stop(1)
    assert [vars(record)["error"] for record in caplog.records] == ["UNAVAILABLE", "ABORTED", "ABORTED"]


@given(
    attempt=st.integers(0, 10**6),
    asked=st.none() | st.floats(0, 1e9),
    jitter=st.floats(0, 1),
    seed=st.integers(),
)
def test_wait_grows_to_its_limit_with_jitter_and_respects_what_is_asked(
    attempt: int, asked: float | None, jitter: float, seed: int
) -> None:
    retry = RetrySettings(initial_interval=1, multiplier=2, max_interval=30, jitter=jitter)
    wait = retry.wait(attempt, asked, random.Random(seed))  # noqa: S311 (no secret)
    interval = min(30, 2 ** min(attempt, 10))
    assert wait >= min(asked or 0, 300)
    assert wait >= interval * (1 - jitter) - 1e-9
    assert wait <= max(interval * (1 + jitter) + 1e-9, min(asked or 0, 300))


@pytest.fixture
async def over_http(otlp_sink: OtlpSink) -> AsyncIterator[Queued]:
    queued = Queued(OtlpHttpExporter("h", signal_urls(otlp_sink.http_endpoint)), retry=QUICK)
    await queued.start()
    yield queued
    await queued.stop(1)


async def test_everything_arrives_at_a_real_destination_that_stumbles(over_http: Queued, otlp_sink: OtlpSink) -> None:
    for answer in (UNAVAILABLE, Answer(429), Answer(502), Answer(504), Answer(reset=True)):
        otlp_sink.answer(answer, times=4)
    bodies = {bytes.fromhex("a20603") + b"%03d" % number for number in range(50)}
    for body in bodies:
        await over_http.put(Payload(Signal.LOGS, body, 1, {"x-scope-orgid": "team-a"}))
    await until(lambda: len(otlp_sink.accepted(Signal.LOGS)) >= 50)
    assert {received.body for received in otlp_sink.accepted(Signal.LOGS)} == bodies
    assert {received.headers["x-scope-orgid"] for received in otlp_sink.requests()} == {"team-a"}
