"""Requests that wait for a destination at the same time travel as one, and each is accounted for by itself."""

import asyncio
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from queued import Queued

from otel_agent_eval.delivery import DestinationStats, Fate, SendSettings
from otel_agent_eval.exporters import Permanent
from otel_agent_eval.signals import Payload, Signal

MERGING = SendSettings(workers=1, merged_bytes=1000)


@dataclass
class Picky:
    """An exporter that keeps what it is sent, rejects some of its items, and rejects whole what holds `poison`."""

    rejects: int = 0
    poison: bytes = b"poison"
    name: str = "picky"
    signals: frozenset[Signal] = frozenset(Signal)
    sent: list[Payload] = field(default_factory=list)

    async def export(self, payload: Payload) -> int:
        await asyncio.sleep(0)
        if self.poison in payload.body:
            raise Permanent("INVALID_ARGUMENT")
        self.sent.append(payload)
        return self.rejects

    async def close(self) -> None:
        pass


def request(name: str, tenant: str = "") -> Payload:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add(schema_url="s").scope_spans.add()
    scope.spans.add(name=name)
    return Payload(Signal.TRACES, message.SerializeToString(), 1, {"x-scope-orgid": tenant} if tenant else {})


async def deliver(exporter: Picky, payloads: list[Payload], send: SendSettings = MERGING) -> DestinationStats:
    destination = Queued(exporter, send=send)
    for payload in payloads:
        await destination.put(payload)
    await destination.start()
    await destination.stop(5)
    return destination.stats()


async def test_requests_that_wait_together_travel_as_one_and_read_as_all_of_them() -> None:
    exporter = Picky()
    stats = await deliver(exporter, [request("a"), request("b"), request("c")])
    (sent,) = exporter.sent
    message = ExportTraceServiceRequest.FromString(sent.body)
    assert [group.scope_spans[0].spans[0].name for group in message.resource_spans] == ["a", "b", "c"]
    assert {group.schema_url for group in message.resource_spans} == {"s"}
    assert sent.items == 3
    assert stats.items == {(Signal.TRACES, Fate.SENT): 3}
    assert (stats.queued_requests, stats.queued_bytes) == (0, 0)


async def test_one_bad_request_does_not_cost_those_it_travelled_with() -> None:
    exporter = Picky()
    stats = await deliver(exporter, [request("a"), request("poison"), request("c")])
    assert [payload.items for payload in exporter.sent] == [1, 1]
    assert stats.items == {(Signal.TRACES, Fate.SENT): 2, (Signal.TRACES, Fate.REJECTED): 1}


async def test_partial_success_of_merged_requests_is_counted_once() -> None:
    stats = await deliver(Picky(rejects=2), [request("a"), request("b"), request("c")])
    assert stats.items == {(Signal.TRACES, Fate.SENT): 1, (Signal.TRACES, Fate.REJECTED): 2}


async def test_tenants_and_signals_are_never_merged_and_what_is_alike_stays_in_order() -> None:
    exporter = Picky()
    log = Payload(Signal.LOGS, b"", 1)
    payloads = [request("a", "t1"), request("b", "t1"), request("c", "t2"), log, request("d", "t2")]
    await deliver(exporter, payloads)
    assert [(payload.signal, payload.items, dict(payload.metadata)) for payload in exporter.sent] == [
        (Signal.TRACES, 2, {"x-scope-orgid": "t1"}),
        (Signal.TRACES, 2, {"x-scope-orgid": "t2"}),
        (Signal.LOGS, 1, {}),
    ]
    message = ExportTraceServiceRequest.FromString(exporter.sent[1].body)
    assert [group.scope_spans[0].spans[0].name for group in message.resource_spans] == ["c", "d"]


async def test_signals_that_take_turns_travel_together_each() -> None:
    exporter = Picky()
    turns = [request("a"), Payload(Signal.LOGS, b"", 1)] * 50
    await deliver(exporter, turns, SendSettings(workers=1, merged_bytes=1 << 20))
    assert [(payload.signal, payload.items) for payload in exporter.sent] == [(Signal.TRACES, 50), (Signal.LOGS, 50)]


async def test_what_is_merged_stays_below_the_limit_and_a_larger_request_goes_alone() -> None:
    exporter = Picky()
    size = len(request("a").body)
    payloads = [request("a"), request("b"), request("c"), request("x" * 200), request("d")]
    await deliver(exporter, payloads, SendSettings(workers=1, merged_bytes=2 * size))
    assert [payload.items for payload in exporter.sent] == [2, 1, 1, 1]


async def test_first_request_goes_at_once_and_what_follows_it_closely_gathers() -> None:
    exporter = Picky()
    destination = Queued(exporter, send=SendSettings(workers=4, merged_bytes=1 << 20))
    await destination.start()
    await destination.put(request("first"))
    async with asyncio.timeout(10):
        while not exporter.sent:  # noqa: ASYNC110 (the exporter is looked at)
            await asyncio.sleep(0)
        for number in range(20):
            await destination.put(request(str(number)))
            await asyncio.sleep(0)
        while sum(payload.items for payload in exporter.sent) < 21:  # noqa: ASYNC110 (the same)
            await asyncio.sleep(0.001)
    await destination.stop(5)
    assert exporter.sent[0].items == 1
    assert len(exporter.sent) <= 3


async def test_signals_that_come_in_turn_do_not_wait_for_each_other_again_and_again() -> None:
    exporter = Picky()
    destination = Queued(exporter, send=SendSettings(workers=1, merged_bytes=1 << 20))
    await destination.start()
    waits: list[float] = []
    sleep = asyncio.sleep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otel_agent_eval.delivery.destination.asyncio.sleep", lambda s: (waits.append(s), sleep(s))[1])
        for number in range(100):
            await destination.put(request(str(number)))
            await destination.put(Payload(Signal.LOGS, b"", 1))
        async with asyncio.timeout(20):
            while sum(payload.items for payload in exporter.sent) < 200:
                await sleep(0.001)
    await destination.stop(5)
    assert len([seconds for seconds in waits if seconds]) < 20
