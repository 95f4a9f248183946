"""What the rows of hostile senders send is what they say."""

import gzip
import sys
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault_bench import spans_of
from fault_rows_edge import _flood, _padded
from telemetry import plain_request

from otel_agent_eval.receivers import DEFAULT_MAX_REQUEST_BYTES
from otel_agent_eval.signals import Signal


def test_a_padded_request_has_the_size_and_the_spans_that_it_should() -> None:
    body = plain_request(Signal.TRACES, 3, seed=1)
    padded = _padded(body, 1 << 20)
    assert abs(len(padded) - (1 << 20)) < 100
    assert spans_of(padded) == spans_of(body)


def test_the_flood_is_not_too_large_and_nothing_but_spans() -> None:
    flood = _flood()
    assert (60 << 20) < len(flood) <= DEFAULT_MAX_REQUEST_BYTES
    assert len(gzip.compress(flood, 1)) < 1 << 20
    head = flood[:20].index(b"\x12\x00")
    start = flood[head : head + 2000]
    inner = b"\x12" + bytes([len(start) & 0x7F | 0x80, len(start) >> 7]) + start
    few = b"\x0a" + bytes([len(inner) & 0x7F | 0x80, len(inner) >> 7]) + inner
    assert len(ExportTraceServiceRequest.FromString(few).resource_spans[0].scope_spans[0].spans) == 1000
