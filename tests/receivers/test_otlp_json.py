"""OTLP's JSON: against protobuf's own mapping where they agree, and by hand where OTLP differs."""

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.receivers import Rejection, decode_json, decode_protobuf
from otel_agent_eval.receivers.errors import Undecodable
from otel_agent_eval.receivers.otlp_json import _is_repeated
from otel_agent_eval.signals import REQUEST_TYPES, Signal

ID_FIELDS = {"trace_id", "span_id", "parent_span_id"}


def with_span(**fields: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}).encode()


def span_of(body: bytes) -> Any:
    return decode_json(Signal.TRACES, body).resource_spans[0].scope_spans[0].spans[0]


def attribute(value: dict[str, Any]) -> Any:
    return span_of(with_span(attributes=[{"key": "k", "value": value}])).attributes[0].value


def test_specification_example_is_read_whole() -> None:
    span = span_of(
        with_span(
            traceId="5B8EFFF798038103D269B633813FC60C",
            spanId="EEE19B7EC3C1B174",
            parentSpanId="eee19b7ec3c1b173",
            name="I'm a server span",
            startTimeUnixNano="1544712660000000000",
            endTimeUnixNano=1544712661000000000,
            kind=2,
            attributes=[{"key": "my.span.attr", "value": {"stringValue": "some value"}}],
            links=[{"traceId": "ab" * 16, "spanId": "cd" * 8}],
        )
    )
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert (span.span_id.hex(), span.parent_span_id.hex()) == ("eee19b7ec3c1b174", "eee19b7ec3c1b173")
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1544712660000000000, 1544712661000000000)
    assert (span.kind, span.attributes[0].value.string_value) == (2, "some value")
    assert (span.links[0].trace_id.hex(), span.links[0].span_id.hex()) == ("ab" * 16, "cd" * 8)


def test_ids_of_log_records_and_exemplars_are_hex_too() -> None:
    ids = {"traceId": "ab" * 16, "spanId": "cd" * 8}
    logs = decode_json(Signal.LOGS, json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [ids]}]}]}).encode())
    assert logs.resource_logs[0].scope_logs[0].log_records[0].trace_id.hex() == "ab" * 16
    points = {"gauge": {"dataPoints": [{"asInt": "-5", "exemplars": [ids | {"asDouble": 1}]}]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [points]}]}]}).encode()
    point = decode_json(Signal.METRICS, body).resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    assert (point.as_int, point.exemplars[0].span_id.hex()) == (-5, "cd" * 8)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ({"intValue": "9223372036854775807"}, "int_value", 2**63 - 1),
        ({"intValue": -1}, "int_value", -1),
        ({"intValue": 3.0}, "int_value", 3),
        ({"doubleValue": 1}, "double_value", 1.0),
        ({"doubleValue": "Infinity"}, "double_value", float("inf")),
        ({"boolValue": False}, "bool_value", False),
        ({"bytesValue": "AP8="}, "bytes_value", b"\x00\xff"),
        ({"bytesValue": "AP8"}, "bytes_value", b"\x00\xff"),
        ({"bytesValue": "-_8="}, "bytes_value", b"\xfb\xff"),
        ({"stringValue": "", "intValue": None}, "string_value", ""),
    ],
)
def test_values_are_read_in_every_form(value: dict[str, Any], kind: str, expected: object) -> None:
    read = attribute(value)
    assert read.WhichOneof("value") == kind
    assert getattr(read, kind) == expected


def test_unknown_fields_and_nulls_are_ignored() -> None:
    span = span_of(with_span(name="n", novelty={"deep": [1]}, status=None, links=None))
    assert span.name == "n"
    assert not span.HasField("status")


def test_original_field_names_and_enum_names_are_understood_though_not_required() -> None:
    span = span_of(with_span(trace_id="ab" * 16, kind="SPAN_KIND_CLIENT"))
    assert (span.trace_id.hex(), span.kind) == ("ab" * 16, 3)


def test_enum_value_of_a_later_version_is_kept() -> None:
    assert span_of(with_span(kind=77)).kind == 77


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"1", b"null", b"{", b"\xff\xfe", b'{"resourceSpans": {}}', b'{"resourceSpans": [null]}',
        b'{"resourceSpans": [[]]}', with_span(traceId="xyz"), with_span(traceId="abc"), with_span(traceId=5),
        with_span(traceId=base64.b64encode(b"t" * 16).decode()), with_span(name=5), with_span(name=["x"]),
        with_span(kind=2**40), with_span(kind="NONE"), with_span(kind=True), with_span(kind=2.5),
        with_span(startTimeUnixNano=-1),
        with_span(startTimeUnixNano="1e9"), with_span(startTimeUnixNano="9" * 5000), with_span(startTimeUnixNano=1.5),
        with_span(startTimeUnixNano=True), with_span(attributes={}),
        with_span(attributes=[{"key": "k", "value": {"boolValue": "true"}}]),
        with_span(attributes=[{"key": "k", "value": {"doubleValue": "much"}}]),
        with_span(attributes=[{"key": "k", "value": {"doubleValue": True}}]),
        with_span(attributes=[{"key": "k", "value": {"bytesValue": "%%"}}]),
        b"9" * 5000, b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"flags": ' + b"9" * 5000 + b"}]}]}]}",
    ],
)  # fmt: skip
def test_what_is_not_otlp_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_json(Signal.TRACES, body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_bottomless_nesting_is_a_bad_request(opening: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_json(Signal.TRACES, opening * 200_000)


def nested(levels: int) -> bytes:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return with_span(attributes=[{"key": "k", "value": value}])


def test_nesting_is_taken_exactly_as_deep_as_protobuf_takes_it() -> None:
    for levels in range(40, 60):
        try:
            body = decode_json(Signal.TRACES, nested(levels)).SerializeToString()
        except Undecodable:
            assert levels > 45
            with pytest.raises(Undecodable):
                decode_protobuf(Signal.TRACES, binary_nested(levels))
        else:
            decode_protobuf(Signal.TRACES, body)


def binary_nested(levels: int) -> bytes:
    def field(number: int, content: bytes) -> bytes:
        size, length = b"", len(content)
        while length > 127:
            size += bytes([length & 127 | 128])
            length >>= 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    value = field(1, b"x")
    for _ in range(levels):
        value = field(5, field(1, value))
    for number in (2, 9, 2, 2, 1):  # KeyValue.value, Span.attributes, ScopeSpans.spans, ResourceSpans.scope_spans, …
        value = field(number, value)
    return value


def messages(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Build arguments for protobuf's constructor of any message type."""
    fields = {}
    for field in descriptor.fields:
        if field.message_type is not None:
            if depth > 6:
                continue
            value = st.deferred(lambda nested=field.message_type: messages(nested, depth + 1))
        else:
            value = SCALARS[field.cpp_type] if field.type != FieldDescriptor.TYPE_BYTES else st.binary(max_size=8)
        fields[field.name] = st.lists(value, max_size=2) if _is_repeated(field) else value
    return st.fixed_dictionaries({}, optional=fields)


SCALARS = {
    FieldDescriptor.CPPTYPE_STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(allow_nan=False, width=32),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 9),
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}


def hex_ids(message: Message, document: dict[str, Any]) -> None:
    """Turn the ids in protobuf's own JSON of a message into OTLP's."""
    for field, value in message.ListFields():
        nested = document[field.json_name]
        if field.name in ID_FIELDS:
            document[field.json_name] = value.hex()
        elif field.message_type is not None and _is_repeated(field):
            for one, of_it in zip(value, nested, strict=True):
                hex_ids(one, of_it)
        elif field.message_type is not None:
            hex_ids(value, nested)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(Signal)), st.data())
def test_whatever_protobuf_writes_as_json_is_read_back(signal: Signal, data: st.DataObject) -> None:
    message = REQUEST_TYPES[signal](**data.draw(messages(REQUEST_TYPES[signal].DESCRIPTOR)))
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    hex_ids(message, document)
    assert decode_json(signal, json.dumps(document).encode()) == message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "attributes",
                    "key",
                    "value",
                    "arrayValue",
                    "values",
                    "traceId",
                    "kind",
                    "name",
                    "status",
                    "events",
                    "resourceLogs",
                    "scopeLogs",
                    "logRecords",
                    "body",
                    "resourceMetrics",
                    "scopeMetrics",
                    "metrics",
                    "sum",
                    "dataPoints",
                    "asInt",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Signal)), JSON_VALUES)
def test_any_json_is_read_or_rejected_and_what_is_read_is_otlp(signal: Signal, document: object) -> None:
    try:
        message = decode_json(signal, json.dumps(document).encode())
    except Rejection:
        return
    decode_protobuf(signal, message.SerializeToString())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Signal)), st.binary(max_size=60))
def test_any_bytes_are_read_or_rejected(signal: Signal, body: bytes) -> None:
    for decode in (decode_json, decode_protobuf):
        try:
            decode(signal, body)
        except Undecodable as error:
            assert error.status().details  # noqa: PT017 (either outcome is right)


def test_message_of_an_empty_object_is_empty() -> None:
    assert decode_json(Signal.TRACES, b"{}") == ExportTraceServiceRequest()


@pytest.mark.parametrize(("written", "read"), [("cut \\ud83d", "cut \ufffd"), ("\\udd41x\\ud83d\\ude42", "\ufffdx🙂")])
def test_half_of_an_emoji_costs_itself_and_not_the_request(written: str, read: str) -> None:
    item = with_span(name="?", attributes=[{"key": "k", "value": {"stringValue": "?"}}]).replace(b"?", written.encode())
    span = decode_json(Signal.TRACES, item).resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.attributes[0].value.string_value) == (read, read)
