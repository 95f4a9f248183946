"""Texts that are not UTF-8 are repaired, and cost nothing but themselves."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers import Rejection
from otel_agent_eval.receivers.decode import decode_repaired, parse
from otel_agent_eval.receivers.utf8 import with_valid_texts
from otel_agent_eval.signals import Signal

TYPE = ExportTraceServiceRequest.DESCRIPTOR


def request(value: bytes, key: str = "a.key") -> bytes:
    """Serialise a request whose span has an attribute with these bytes as its text."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    span = resource.scope_spans.add().spans.add(
        trace_id=bytes(range(128, 144)), span_id=bytes(range(248, 256)), start_time_unix_nano=2**64 - 1, name="größe"
    )
    span.attributes.add(key=key).value.string_value = "X" * len(value)
    span.attributes.add(key="bytes").value.bytes_value = b"\xff\xfe"
    span.attributes.add(key="double").value.double_value = -1.5
    made.MergeFromString(b"\x9a\x3f\x02\xff\xff")  # a field unknown so far is nobody's text
    body = made.SerializeToString()
    assert body.count(b"X" * len(value)) == 1 or not value
    return body.replace(b"X" * len(value), value)


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        (b"Gr\xfc\xdfe", "Gr??e"),
        ("größe".encode()[:3], "gr?"),
        (b"\xed\xa0\x80 surrogate", "??? surrogate"),
        (b"\xf8\x88\x80\x80\x80", "?????"),
        (b"nul \x00 is a text", "nul \x00 is a text"),
    ],
)
def test_broken_bytes_become_question_marks_and_all_else_stays(broken: bytes, repaired: str) -> None:
    body, message = decode_repaired(Signal.TRACES, request(broken))
    assert isinstance(message, ExportTraceServiceRequest)
    assert message.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.string_value == repaired
    assert body == request(repaired.encode())


def test_broken_names_and_keys_are_repaired_too() -> None:
    body = request(b"fine").replace("größe".encode(), b"gr\xff\xfe\xff\xfee").replace(b"a.key", b"a.\xffey")
    assert parse(Signal.TRACES, body) is None
    _, message = decode_repaired(Signal.TRACES, body)
    assert isinstance(message, ExportTraceServiceRequest)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.attributes[0].key) == ("gr????e", "a.?ey")


@given(st.binary(min_size=1))
def test_any_bytes_as_text_are_accepted_at_the_same_length(value: bytes) -> None:
    body = request(value)
    assert len(decode_repaired(Signal.TRACES, body)[0]) == len(body)


@given(st.text(min_size=1))
def test_valid_requests_are_not_touched(text: str) -> None:
    body = request(text.encode())
    assert with_valid_texts(TYPE, body) == body


@given(st.binary())
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    if parse(Signal.TRACES, body) is None:
        try:
            decode_repaired(Signal.TRACES, body)
        except Rejection as rejection:
            assert "protobuf" in rejection.message  # noqa: PT017 (some of it can be repaired)


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_request_that_is_cut_off_stays_malformed(cut: int) -> None:
    with pytest.raises(Rejection, match="protobuf"):
        decode_repaired(Signal.TRACES, request(b"Gr\xfc\xdfe")[:-cut])


def test_megabytes_of_broken_bytes_take_no_time() -> None:
    began = time.perf_counter()
    decode_repaired(Signal.TRACES, request(b"\xff" * (4 << 20)))
    assert time.perf_counter() - began < 5
