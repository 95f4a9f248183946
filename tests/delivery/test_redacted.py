"""What cannot be redacted is not sent; what waits or is parked is as it came, and redacted whenever it leaves."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from queued import Queued
from test_golden import key_values

from otel_agent_eval.config.redaction import Redaction
from otel_agent_eval.delivery import DeadLetters, Fate, RedactedExporter, redacting
from otel_agent_eval.exporters import Permanent
from otel_agent_eval.journal import Folder
from otel_agent_eval.service.redaction import redactor
from otel_agent_eval.signals import Payload, Signal

SECRET = "The launch code is 0451."
REDACT = redactor(Redaction())


def request(name: str, text: str = SECRET) -> Payload:
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(name=name)
    span.attributes.extend(key_values({"gen_ai.output.messages": text}))
    return Payload(Signal.TRACES, message.SerializeToString(), 1)


class Backend:
    """A destination that keeps what it gets, or rejects it all."""

    signals = frozenset(Signal)

    def __init__(self, name: str, *, rejects: bool = False) -> None:
        self.name = name
        self.bodies: list[bytes] = []
        self._rejects = rejects

    async def export(self, payload: Payload) -> int:
        if self._rejects:
            raise Permanent("HTTP 400")
        self.bodies.append(payload.body)
        return 0

    async def close(self) -> None:
        pass

    def names(self) -> list[str]:
        groups = [group for body in self.bodies for group in ExportTraceServiceRequest.FromString(body).resource_spans]
        return [group.scope_spans[0].spans[0].name for group in groups]


def failing(payload: Payload) -> Payload:
    if b"poison" in payload.body:
        raise KeyError(SECRET)
    return REDACT(payload)


async def test_what_cannot_be_redacted_is_parked_and_nothing_of_it_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters, backend = DeadLetters(Folder(tmp_path)), Backend("vendor")
    queued = Queued(RedactedExporter(backend, failing), dead_letters=letters)
    for name in ("a", "poison", "b"):
        await queued.put(request(name))
    await queued.start()
    await queued.stop(5)
    assert sorted(backend.names()) == ["a", "b"]
    assert SECRET.encode() not in b"".join(backend.bodies)
    (letter,) = letters.letters("vendor")
    assert letter.record.payload == request("poison")
    assert letter.record.reason == "redaction failed: KeyError"
    assert queued.stats().items == {(Signal.TRACES, Fate.SENT): 2, (Signal.TRACES, Fate.REJECTED): 1}
    assert SECRET not in caplog.text
    assert not any(record.exc_info for record in caplog.records)


async def test_what_is_no_request_at_all_is_not_sent_either() -> None:
    broken = Payload(Signal.TRACES, b"\x0a\x7fgen_ai." + SECRET.encode(), 1)
    with pytest.raises(DecodeError):
        REDACT(broken)
    backend = Backend("vendor")
    with pytest.raises(Permanent, match="redaction failed"):
        await RedactedExporter(backend, REDACT).export(broken)
    assert not backend.bodies


async def test_without_a_place_for_dead_letters_it_is_counted() -> None:
    queued = Queued(RedactedExporter(Backend("vendor"), failing))
    await queued.put(request("poison"))
    await queued.start()
    await queued.stop(5)
    assert queued.stats().items == {(Signal.TRACES, Fate.REJECTED): 1}


@pytest.mark.parametrize("target", ["house", "vendor"])
async def test_what_was_parked_leaves_as_its_destination_may_have_it(tmp_path: Path, target: str) -> None:
    letters = DeadLetters(Folder(tmp_path))
    rejecting = RedactedExporter(Backend("vendor", rejects=True), REDACT)
    queued = Queued(rejecting, dead_letters=letters)
    await queued.put(request("a"))
    await queued.start()
    await queued.stop(5)
    (letter,) = letters.letters("vendor")
    assert SECRET.encode() in letter.record.payload.body

    house, vendor = Backend("house"), Backend("vendor")
    letters.resend("vendor", target)
    again = Queued(house, RedactedExporter(vendor, REDACT), dead_letters=letters)
    await again.start()
    backend = {"house": house, "vendor": vendor}[target]
    for _ in range(500):
        if backend.bodies:
            break
        await asyncio.sleep(0.01)
    await again.stop(5)
    assert house.names() + vendor.names() == ["a"]
    assert (SECRET.encode() in b"".join(backend.bodies)) == (target == "house")


async def test_large_requests_are_redacted_beside_the_event_loop() -> None:
    backend = Backend("vendor")
    assert await RedactedExporter(backend, REDACT).export(request("a", SECRET * 10_000)) == 0
    assert backend.names() == ["a"]
    assert SECRET.encode() not in backend.bodies[0]


async def test_what_fails_beside_the_event_loop_is_not_sent_either() -> None:
    backend = Backend("vendor")
    with pytest.raises(Permanent, match="redaction failed: KeyError"):
        await RedactedExporter(backend, failing).export(request("poison", SECRET * 10_000))
    assert not backend.bodies


async def test_a_request_that_takes_long_holds_up_no_other_and_a_stop_knows_of_it() -> None:
    backend, go_on = Backend("vendor"), threading.Event()

    def slow(payload: Payload) -> Payload:
        if b"slow" in payload.body:
            go_on.wait()
        return REDACT(payload)

    exporter = RedactedExporter(backend, slow)
    long = [asyncio.create_task(exporter.export(request("slow", SECRET * 10_000))) for _ in range(40)]
    await exporter.export(request("a", SECRET * 10_000))
    await asyncio.to_thread(lambda: None)
    assert backend.names() == ["a"]
    for task in long:
        task.cancel()
    await asyncio.gather(*long, return_exceptions=True)
    assert redacting()
    go_on.set()
    while redacting():  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.01)
    assert backend.names() == ["a"]


ENDLESS = """
import asyncio, threading
from otel_agent_eval.delivery import RedactedExporter
from otel_agent_eval.signals import Payload, Signal

class Backend:
    name, signals = "vendor", frozenset(Signal)

async def main():
    exporter = RedactedExporter(Backend(), lambda payload: threading.Event().wait())
    await asyncio.wait([asyncio.create_task(exporter.export(Payload(Signal.TRACES, b"x" * 100_000)))], timeout=0.1)

asyncio.run(main())
"""


def test_a_redaction_that_does_not_end_holds_up_no_exit() -> None:
    assert subprocess.run([sys.executable, "-c", ENDLESS], timeout=60, check=False).returncode == 0
