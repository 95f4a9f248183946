"""The specification's tables of what to send again, entry by entry."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.exporters import ExportError, Oversized, Permanent, Retryable, Unsupported
from otel_agent_eval.exporters.answers import parse_retry_after, read_grpc_error, read_http_error, read_response
from otel_agent_eval.signals import RESPONSE_TYPES, Signal

RETRYABLE_CODES = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}


def retry_info(seconds: float) -> bytes:
    detail = AnyMessage()
    duration = Duration()
    duration.FromMilliseconds(int(seconds * 1000))
    detail.Pack(RetryInfo(retry_delay=duration))
    return Status(code=14, details=[detail]).SerializeToString()


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_grpc_code_is_read_by_the_table(code: grpc.StatusCode) -> None:
    error = read_grpc_error(code, None)
    expected: type[ExportError] = Permanent
    if code.name in RETRYABLE_CODES:
        expected = Retryable
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        expected = Unsupported
    assert type(error) is expected
    assert error.kind == code.name


def test_resource_exhausted_is_retryable_only_with_retry_info() -> None:
    assert isinstance(read_grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, None), Permanent)
    error = read_grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_info(0))
    assert isinstance(error, Retryable)
    assert error.retry_after == 0.0


@pytest.mark.parametrize(
    ("details", "expected"), [(retry_info(2.5), 2.5), (b"\xff", None), (b"", None), ("text", None)]
)
def test_unavailable_waits_as_retry_info_says(details: bytes, expected: float | None) -> None:
    error = read_grpc_error(grpc.StatusCode.UNAVAILABLE, details)
    assert isinstance(error, Retryable)
    assert error.retry_after == expected


def test_retry_info_that_is_broken_or_negative_asks_for_nothing() -> None:
    broken = Status(details=[AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff")])
    error = read_grpc_error(grpc.StatusCode.UNAVAILABLE, broken.SerializeToString())
    assert isinstance(error, Retryable)
    assert error.retry_after is None
    error = read_grpc_error(grpc.StatusCode.UNAVAILABLE, retry_info(-5))
    assert isinstance(error, Retryable)
    assert error.retry_after == 0.0


@pytest.mark.parametrize("status", range(300, 600))
def test_every_http_status_is_read_by_the_table(status: int) -> None:
    error = read_http_error(status, {"retry-after": "7"})
    if status in {429, 502, 503, 504}:
        assert isinstance(error, Retryable)
        assert error.retry_after == 7.0
    else:
        others = dict.fromkeys((404, 405, 501), Unsupported) | {413: Oversized}
        assert type(error) is others.get(status, Permanent)


@pytest.mark.parametrize(
    "message",
    [
        "grpc: received message larger than max (5000000 vs. 4194304)",
        "CLIENT: Received message larger than max (10 vs. 4)",
        "request too large",
    ],
)
def test_too_large_a_message_is_told_from_a_quota_by_its_words(message: str) -> None:
    assert type(read_grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, None, message)) is Oversized
    assert type(read_grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, None, "quota")) is Permanent


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: float | None) -> None:
    assert parse_retry_after(value, now=1445412480.0) == expected


@given(st.text(max_size=60))
def test_any_retry_after_is_read(value: str) -> None:
    seconds = parse_retry_after(value, now=0.0)
    assert seconds is None or seconds >= 0.0


def test_partial_success_is_read_in_protobuf_and_json() -> None:
    response = RESPONSE_TYPES[Signal.LOGS]()
    response.partial_success.rejected_log_records = 3
    response.partial_success.error_message = "too old"
    assert read_response(Signal.LOGS, response.SerializeToString()) == (3, True)
    body = b'{"partialSuccess": {"rejectedDataPoints": "2"}, "later": 1}'
    assert read_response(Signal.METRICS, body, "application/json; charset=utf-8") == (2, False)
    assert read_response(Signal.TRACES, b"", "application/json") == (0, False)


def test_less_than_nothing_cannot_be_rejected() -> None:
    body = b'{"partialSuccess": {"rejectedSpans": "-3"}}'
    assert read_response(Signal.TRACES, body, "application/json") == (0, False)


@given(
    st.sampled_from(list(Signal)),
    st.binary(),
    st.sampled_from(["application/json", "application/x-protobuf", "text/html"]),
)
def test_any_answer_to_a_success_is_a_success(signal: Signal, body: bytes, content_type: str) -> None:
    rejected, _ = read_response(signal, body, content_type)
    assert rejected >= 0
