"""Telemetry of the gateway's own is sent in time, waits for its backend within bounds, and what is dropped is said."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from live_gateway import arrived
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from service_samples import span, traces
from support.certificates import Authority
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink, Tls
from support.processes import free_port, wait_until

from otel_agent_eval.config.own_telemetry import OwnProcessor
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.service import own_telemetry
from otel_agent_eval.service.own_telemetry import OwnTelemetry
from otel_agent_eval.signals import Payload, Signal

OFTEN = 0.02
SAID = "traces of the gateway's own cannot be sent"
LEFT = "stopped before all traces of the gateway's own were sent"


def pack(spans: Sequence[Span]) -> Payload:
    return Payload(Signal.TRACES, traces(*spans).SerializeToString(), len(spans))


def telemetry(*endpoints: str, every: float = OFTEN, **otlp: Any) -> OwnTelemetry[Span]:
    processors = [
        OwnProcessor.model_validate({"batch": {"exporter": {"otlp": {"endpoint": endpoint, **otlp}}}})
        for endpoint in endpoints
    ]
    return OwnTelemetry(processors, Signal.TRACES, pack, every=every)


def numbers(record: logging.LogRecord) -> tuple[object, ...]:
    return tuple(vars(record)[field] for field in ("error", "waiting", "dropped"))


async def test_what_a_backend_cannot_take_now_is_sent_again_until_it_does(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    otlp_sink.answer(UNAVAILABLE, times=3)
    sent = [span() for _ in range(1_300)]
    own = telemetry(otlp_sink.http_endpoint)
    for item in sent:
        own.add(item)
    own.start()
    await arrived(otlp_sink, Signal.TRACES, len(sent))
    await own.stop()
    assert [item.span_id for item in otlp_sink.spans()] == [item.span_id for item in sent]
    assert [len(request.message.resource_spans) for request in otlp_sink.accepted(Signal.TRACES)] == [1, 1, 1]
    (warning,) = (record for record in caplog.records if record.message == SAID)
    assert numbers(warning) == ("HTTP 503", 1_300, 0)


async def test_what_a_backend_never_takes_is_dropped_and_said(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    otlp_sink.answer(Answer(http=400), times=1)
    own = telemetry(otlp_sink.http_endpoint, every=60)
    for _ in range(600):
        own.add(span())
    own.start()
    await own.stop()
    assert len(otlp_sink.spans()) == 88
    (warning,) = (record for record in caplog.records if record.message == SAID)
    assert numbers(warning) == ("HTTP 400", 0, 512)


async def test_what_was_dropped_once_is_said_once(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_telemetry, "Seldom", partial(Seldom, every=0.0))  # not once a minute: each time
    otlp_sink.answer(Answer(http=400), times=1)
    own = telemetry(otlp_sink.http_endpoint)
    own.add(span())
    own.start()
    await asyncio.to_thread(otlp_sink.wait_requests, 1)
    for count in range(1, 4):
        own.add(span())
        await arrived(otlp_sink, Signal.TRACES, count)
    await own.stop()
    assert [numbers(record) for record in caplog.records if record.message == SAID] == [("HTTP 400", 0, 1)]


async def test_a_dead_endpoint_bounds_what_waits_and_holds_up_no_other(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    own = telemetry(f"http://127.0.0.1:{free_port()}", otlp_sink.http_endpoint, every=60)
    for _ in range(2_048 + 5):
        own.add(span())
    own.start()
    await asyncio.wait_for(own.stop(), 30)
    assert len(otlp_sink.spans()) == 2_048
    first, second = (numbers(record) for record in caplog.records if record.message == SAID)
    assert first[1:] == (2_048, 5)
    assert second == ("too many", 0, 5)
    assert caplog.records[-1].message == LEFT


async def test_a_stop_does_not_wait_until_a_request_is_given_up(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    otlp_sink.answer(Answer(delay=30))
    own = telemetry(otlp_sink.http_endpoint)
    own.add(span())
    own.start()
    await asyncio.to_thread(otlp_sink.wait_requests, 1)
    await own.stop()
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [LEFT]  # a request that was given up would have been said


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_backend_with_a_certificate_of_the_house_is_trusted_as_told_and_told_who_sends(
    protocol: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    files = {"ca_file": authority.cert, "cert_file": client.cert, "key_file": client.key}
    with OtlpSink(tls=Tls(server.cert, server.key, authority.cert)) as sink:
        endpoint = f"https://{sink.grpc_endpoint}" if protocol == "grpc" else sink.http_endpoint
        for tls in ({}, {"ca_file": authority.cert}):
            caplog.clear()
            own = telemetry(endpoint, protocol=protocol, tls=tls)
            own.add(span())
            own.start()
            await asyncio.to_thread(wait_until, lambda: SAID in caplog.messages, 30, SAID)
            await own.stop()
            assert not sink.spans()
        own = telemetry(endpoint, protocol=protocol, tls=files)
        own.add(span())
        own.start()
        await arrived(sink, Signal.TRACES, 1)
        await own.stop()
