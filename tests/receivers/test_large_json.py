"""Large requests in JSON: decoded beside, so that others are answered meanwhile."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers.bulk import BulkLimits
from otel_agent_eval.receivers.errors import Rejection, TooMany, Undecodable
from otel_agent_eval.receivers.intake import Intake, Transport
from otel_agent_eval.receivers.large_json import LARGE_JSON_BYTES, LargeJson
from otel_agent_eval.signals import ExportRequest, Payload, Signal

SPANS = [{"name": "GET /", "traceId": "ab" * 16, "spanId": "cd" * 8}] * 20_000
LARGE = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": SPANS}]}]}).encode()


def children() -> list[int]:
    return [child.pid or 0 for child in multiprocessing.active_children() if child.name == "large-json"]


@pytest.fixture
async def large_json() -> AsyncIterator[LargeJson]:
    large_json = LargeJson(idle=0.0)
    yield large_json
    while children():  # noqa: ASYNC110 (they end by themselves, and say nothing)
        await asyncio.sleep(0.01)


async def longest_pause(work: Awaitable[object]) -> tuple[float, float]:
    """Return for how long the event loop stood still at most meanwhile, and how long it all took."""
    began = last = time.monotonic()
    longest = 0.0
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await task
    return longest, last - began


async def test_a_large_request_is_decoded_as_a_small_one_is(large_json: LargeJson) -> None:
    assert len(LARGE) > LARGE_JSON_BYTES
    request = ExportTraceServiceRequest.FromString(await large_json.to_protobuf(Signal.TRACES, LARGE))
    spans = request.resource_spans[0].scope_spans[0].spans
    assert len(spans) == len(SPANS)
    assert (spans[0].name, spans[0].trace_id) == ("GET /", b"\xab" * 16)


async def test_what_is_not_otlp_is_said_as_of_a_small_one(large_json: LargeJson) -> None:
    with pytest.raises(Undecodable, match="must be a JSON object"):
        await large_json.to_protobuf(Signal.LOGS, b"[" + LARGE + b"]")
    assert await large_json.to_protobuf(Signal.METRICS, b"{}") == b""


async def test_the_event_loop_goes_on_meanwhile(large_json: LargeJson) -> None:
    keys = b"{" + b",".join(b'"%d": 1' % number for number in range(600_000)) + b"}"
    longest, whole = await longest_pause(large_json.to_protobuf(Signal.TRACES, keys))
    assert longest < whole / 2  # parsed in a thread of this process it is nearly all of it


async def test_sender_keeps_what_was_lost_with_its_process() -> None:
    taken: list[Payload] = []

    async def sink(payload: Payload, _: ExportRequest) -> None:
        taken.append(payload)

    intake = Intake(sink)
    sending = asyncio.create_task(intake.take(Signal.TRACES, Transport.HTTP, LARGE, (), json=True))
    while not (begun := children()):  # noqa: ASYNC110 (it begins and says nothing)
        await asyncio.sleep(0.01)
    for child in multiprocessing.active_children():
        if child.pid in begun:
            child.kill()
    with pytest.raises(Rejection) as refused:
        await sending
    assert refused.value.retry_after
    await intake.take(Signal.TRACES, Transport.HTTP, LARGE, (), json=True)
    assert [payload.items for payload in taken] == [len(SPANS)]
    assert not set(begun) & set(children())


async def test_what_holds_too_much_is_refused_before_anything_decodes_it() -> None:
    async def sink(_: Payload, __: ExportRequest) -> None:
        pytest.fail("taken")

    before = children()
    intake = Intake(sink, bulk=BulkLimits(objects=len(SPANS)))
    with pytest.raises(TooMany):
        await intake.take(Signal.TRACES, Transport.HTTP, LARGE, (), json=True)
    assert children() == before
