"""OTLP's rules for receivers, by requests made by hand to a running gateway. docs/conformance.md lists all rules."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import NamedTuple

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.gateway import RunningGateway, configuration, gateway
from support.otlp_sink import SERVICES, OtlpSink

from otel_agent_eval.signals import Signal

TRACE, SPAN = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Wired(NamedTuple):
    """A gateway and what it forwards to."""

    gateway: RunningGateway
    sink: OtlpSink

    def arrived(self, name: str) -> Span:
        """Wait for the span of a name; it arrives once."""
        self.sink.wait_until(lambda: any(span.name == name for span in self.sink.spans()), 20, lambda: name)
        (found,) = (span for span in self.sink.spans() if span.name == name)
        return found

    def exchange(self, *parts: bytes) -> bytes:
        """Send bytes to the HTTP port, each part once something was answered to the one before; read to the end."""
        host, port = self.gateway.http_endpoint.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            answers = b""
            for at, part in enumerate(parts):
                answers += connection.recv(1 << 16) if at else b""
                connection.sendall(part)
            while data := connection.recv(1 << 16):
                answers += data
        return answers


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with OtlpSink() as sink:
        config = configuration({"otlp/sink": {"endpoint": sink.grpc_endpoint, "tls": {"insecure": True}}})
        with gateway(config, tmp_path_factory.mktemp("gateway")) as running:
            yield Wired(running, sink)


def body(name: str) -> bytes:
    """Make a request with one span."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=name)
    span.trace_id, span.span_id = bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    return request.SerializeToString()


def head(*fields: str, target: str = "/v1/traces", method: str = "POST", version: str = "1.1") -> bytes:
    """Make the head of a request."""
    lines = (f"{method} {target} HTTP/{version}", "Host: gateway", f"Content-Type: {PROTOBUF}", *fields)
    return "\r\n".join((*lines, "", "")).encode()


def post(wired: Wired, content: bytes, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{wired.gateway.http_endpoint}/v1/traces",
        content=content,
        headers={"content-type": PROTOBUF, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


def test_requests_one_behind_the_other_on_a_connection_are_answered_in_order(wired: Wired) -> None:
    first, second = body("first"), body("second")
    answers = wired.exchange(
        head(f"Content-Length: {len(first)}")
        + first
        + head(f"Content-Length: {len(second)}", "Connection: close")
        + second
    )
    assert answers.count(b"HTTP/1.1 200 ") == 2
    wired.arrived("first")
    wired.arrived("second")


def test_body_in_chunks_with_extensions_and_trailers_is_read(wired: Wired) -> None:
    whole = body("chunks")
    chunks = b"".join(b"%x;part=1\r\n%b\r\n" % (len(part), part) for part in (whole[:3], whole[3:]))
    answers = wired.exchange(
        head("Transfer-Encoding: chunked", "Connection: close") + chunks + b"0\r\nX-End: 1\r\n\r\n"
    )
    assert answers.startswith(b"HTTP/1.1 200 ")
    wired.arrived("chunks")


def test_sender_that_waits_for_100_continue_is_told_to_go_on(wired: Wired) -> None:
    whole = body("expected")
    fields = (f"Content-Length: {len(whole)}", "Expect: 100-continue", "Connection: close")
    answers = wired.exchange(head(*fields), whole)
    assert answers.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 " in answers
    wired.arrived("expected")


def test_sender_of_http_1_0_is_answered_and_the_connection_closed(wired: Wired) -> None:
    whole = body("old")
    answers = wired.exchange(head(f"Content-Length: {len(whole)}", version="1.0") + whole)
    assert b" 200 " in answers.partition(b"\r\n")[0]
    wired.arrived("old")


def test_query_behind_the_path_changes_nothing(wired: Wired) -> None:
    whole = body("query")
    target = "/v1/traces?api-key=1"
    answers = wired.exchange(head(f"Content-Length: {len(whole)}", "Connection: close", target=target) + whole)
    assert answers.startswith(b"HTTP/1.1 200 ")
    wired.arrived("query")


@pytest.mark.parametrize("method", ["HEAD", "GET", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
def test_only_post_is_served(wired: Wired, method: str) -> None:
    answers = wired.exchange(head("Content-Length: 0", "Connection: close", method=method))
    assert answers.startswith(b"HTTP/1.1 405 ")
    assert b"allow: post" in answers.lower()


@pytest.mark.parametrize(
    "target", ["/v1/traces/", "//v1/traces", "/v1/Traces", "/v1/traces%2f", "/v1development/profiles"]
)
def test_other_paths_are_404_and_never_a_redirect(wired: Wired, target: str) -> None:
    assert wired.exchange(head("Content-Length: 0", "Connection: close", target=target)).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "bad",
    [
        b"POST /v1/traces\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        head("Content-Length: ten"),
        head("Content-Length: -1"),
        head("Content-Length: 3", "Content-Length: 4"),
        head("Transfer-Encoding: chunked") + b"zz\r\n",
    ],
    ids=["no version", "TLS", "length in words", "negative length", "two lengths", "no chunk"],
)
def test_what_is_no_http_is_refused_and_harms_nobody(wired: Wired, bad: bytes) -> None:
    answers = wired.exchange(bad)
    assert answers == b"" or b" 400 " in answers.partition(b"\r\n")[0]
    assert post(wired, b"").status_code == 200


def test_json_has_hex_ids_numbers_of_enums_and_long_integers_in_both_forms(wired: Wired) -> None:
    span = {
        "name": "json",
        "traceId": TRACE.lower(),
        "spanId": SPAN,
        "kind": 3,
        "startTimeUnixNano": "1800000000000000001",
        "endTimeUnixNano": 1800000000000000002,
        "status": {"code": 2, "later": {"field": [1]}},
        "attributes": [{"key": "n", "value": {"intValue": "-9223372036854775808"}}],
        "aFieldOfALaterVersion": {"deep": [None]},
    }
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}], "unknown": 1}
    zipped = gzip.compress(json.dumps(document).encode())
    answer = post(wired, zipped, content_type=f"{JSON}; charset=UTF-8", content_encoding="GZIP")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, JSON)
    arrived = wired.arrived("json")
    assert (arrived.trace_id.hex(), arrived.span_id.hex()) == (TRACE.lower(), SPAN.lower())
    assert (arrived.kind, arrived.status.code) == (3, 2)
    assert (arrived.start_time_unix_nano, arrived.end_time_unix_nano) == (1800000000000000001, 1800000000000000002)
    assert arrived.attributes[0].value.int_value == -(2**63)


def test_index_into_a_table_of_strings_travels_on_and_is_read_as_nothing(wired: Wired) -> None:
    request = ExportTraceServiceRequest.FromString(body("index"))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    span.attributes.add(key="gen_ai.output.messages").value.string_value_strindex = 7
    assert post(wired, request.SerializeToString()).status_code == 200
    assert wired.arrived("index").attributes[1].value.string_value_strindex == 7


@pytest.mark.parametrize(
    ("compression", "code"),
    [
        (grpc.Compression.NoCompression, grpc.StatusCode.OK),
        (grpc.Compression.Gzip, grpc.StatusCode.OK),
        (grpc.Compression.Deflate, grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_grpc_takes_gzip_and_says_of_other_compressions_that_it_does_not(
    wired: Wired, compression: grpc.Compression, code: grpc.StatusCode
) -> None:
    with grpc.insecure_channel(wired.gateway.grpc_endpoint, compression=compression) as channel:
        export = channel.unary_unary(f"/{SERVICES[Signal.TRACES]}/Export", None, None)
        metadata = (("user-agent", "a sender"), ("x-unknown-bin", b"\xff"))
        name = f"grpc {compression.name}" * 50
        if code is grpc.StatusCode.OK:
            assert export(body(name), timeout=20, metadata=metadata) == b""
            wired.arrived(name)
            return
        with pytest.raises(grpc.RpcError) as refused:
            export(body(name), timeout=20, metadata=metadata)
        assert refused.value.code() is code
