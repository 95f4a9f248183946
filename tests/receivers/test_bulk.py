"""How many things a request may hold: what would take gigabytes is refused, what is ordinary never."""

import gzip
import json
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from receivers.conftest import Kept
from receivers.test_otlp_http import traces

from otel_agent_eval.receivers import BulkLimits, Cause, Intake, Rejection, Transport
from otel_agent_eval.receivers.bulk import check_json, check_objects
from otel_agent_eval.receivers.gunzip import gunzip
from otel_agent_eval.signals import Signal

MIB = 1 << 20
LIMIT = 100_000


def field(tag: int, content: bytes) -> bytes:
    size = bytearray()
    rest = len(content)
    while rest > 0x7F:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([tag, *size, rest]) + content


def within(*tags: int, content: bytes) -> bytes:
    for tag in reversed(tags):
        content = field(tag, content)
    return content


FLOODS = {
    "resources": b"\x0a\x00" * MIB,
    "spans": within(0x0A, 0x12, content=b"\x12\x00" * MIB),
    "attributes": within(0x0A, 0x12, 0x12, content=b"\x4a\x00" * MIB),
    "attributes with values": within(0x0A, 0x12, 0x12, content=b"\x4a\x02\x12\x00" * (MIB // 2)),
    "events": within(0x0A, 0x12, 0x12, content=b"\x5a\x00" * MIB),
    "links": within(0x0A, 0x12, 0x12, content=b"\x6a\x00" * MIB),
    "values in an array": within(0x0A, 0x12, 0x12, 0x4A, 0x12, 0x2A, content=b"\x0a\x00" * MIB),
    "hidden behind text": within(0x0A, 0x12, 0x12, content=field(0x2A, b"x" * MIB) + b"\x4a\x00" * MIB),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_empty_things_is_refused_before_it_is_made(flood: str) -> None:
    with pytest.raises(Rejection, match="request is too large: it holds more than 100000 spans, attributes") as raised:
        check_objects(Signal.TRACES, FLOODS[flood], LIMIT)
    assert raised.value.cause is Cause.TOO_LARGE
    assert raised.value.retry_after is None


def ordinary_spans() -> bytes:
    dice = random.Random(3)  # noqa: S311 (repeatable, not secret)
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(4000):
        span = scope.spans.add(name="GET /", trace_id=os.urandom(16), span_id=os.urandom(8), kind=2)
        span.start_time_unix_nano = span.end_time_unix_nano = 1_790_000_000_000_000_000 + number
        for attribute in range(10):
            span.attributes.add(key=f"http.attribute.{attribute}").value.int_value = dice.randrange(300)
    return request.SerializeToString()


def ordinary_metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for number in range(20_000):
        point = metric.gauge.data_points.add(as_int=number, time_unix_nano=number)
        for key in "abc":
            point.attributes.add(key=key).value.string_value = str(number)
    return request.SerializeToString()


def test_ordinary_telemetry_is_not_even_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_agent_eval.receivers.bulk._count", None)
    for signal, body in ((Signal.TRACES, ordinary_spans()), (Signal.METRICS, ordinary_metrics())):
        assert len(body) > MIB
        check_objects(signal, body, BulkLimits().objects)


def test_what_only_looks_like_many_things_is_counted_and_passes() -> None:
    request = traces("\n\t" * MIB, 1)  # of these bytes are the tags and lengths of tiny fields
    request.resource_spans[0].scope_spans[0].spans[0].name = "\x0a\x00" * MIB
    check_objects(Signal.TRACES, request.SerializeToString(), LIMIT)


@settings(max_examples=20)
@given(st.binary(max_size=200), st.sampled_from(list(Signal)))
def test_whatever_follows_a_flood_it_is_counted_without_an_error(data: bytes, signal: Signal) -> None:
    with pytest.raises(Rejection):
        check_objects(signal, b"\x0a\x00" * MIB + data, 10_000)


def test_json_of_many_objects_is_refused() -> None:
    body = json.dumps({"resourceSpans": [{}] * (LIMIT + 1)}).encode()
    with pytest.raises(Rejection, match="more than 100000"):
        check_json(body, LIMIT)
    check_json(body, 2 * LIMIT)


async def test_too_many_spans_are_refused_and_told(kept: Kept) -> None:
    intake = Intake(kept, bulk=BulkLimits(items=3), observe=kept.observe)
    await intake.take(Signal.TRACES, Transport.HTTP, traces(spans=3).SerializeToString(), ())
    with pytest.raises(Rejection, match="more than 3 spans, log records or data points"):
        await intake.take(Signal.TRACES, Transport.HTTP, traces(spans=4).SerializeToString(), ())
    assert kept.observed[-1] == (Signal.TRACES, Transport.HTTP, 4, Cause.TOO_LARGE)
    assert len(kept.payloads) == 1


def test_a_bomb_is_given_up_after_a_part_of_it() -> None:
    bomb = gzip.compress(bytes(64 * MIB), 9)
    with pytest.raises(Rejection, match="request is too large: it is compressed by more than 500 to 1") as raised:
        gunzip(bomb, 64 * MIB, 500)
    assert raised.value.cause is Cause.TOO_LARGE
    assert len(gunzip(bomb, 64 * MIB)) == 64 * MIB


def test_prompts_that_repeat_are_no_bomb() -> None:
    """The most that telemetry can be compressed: a long prompt in each span, nothing but ids between."""
    prompt = "You are a helpful assistant. " * 700
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(500):
        span = scope.spans.add(name="chat", trace_id=os.urandom(16), span_id=os.urandom(8))
        span.start_time_unix_nano = 1_790_000_000_000_000_000 + number
        span.attributes.add(key="gen_ai.system_instructions").value.string_value = prompt
    body = request.SerializeToString()
    assert len(body) > 8 * MIB
    assert gunzip(gzip.compress(body, 9), 64 * MIB, 500) == body
