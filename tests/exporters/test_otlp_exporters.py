"""The OTLP exporters against real servers."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.certificates import Authority
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink, Tls

from otel_agent_eval.exporters import (
    ClientTls,
    Exporter,
    ExportError,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    Permanent,
    Retryable,
    Unsupported,
    signal_urls,
)
from otel_agent_eval.exporters.connections import explained
from otel_agent_eval.signals import Payload, Signal

UNKNOWN_FIELD = bytes.fromhex("a20603616263")  # field 100, length-delimited, "abc"
PAYLOAD = Payload(Signal.TRACES, b"\n\0" + UNKNOWN_FIELD, 1)
TRANSPORTS = pytest.mark.parametrize("transport", ["grpc", "http"])


def make(transport: str, sink: OtlpSink, **options: Any) -> Exporter:
    if transport == "http":
        return OtlpHttpExporter("otlphttp/test", signal_urls(sink.http_endpoint), **options)
    options.setdefault("insecure", "tls" not in options)
    return OtlpGrpcExporter("otlp/test", sink.grpc_endpoint, **options)


@TRANSPORTS
@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("signal", list(Signal))
async def test_bytes_arrive_as_they_left(otlp_sink: OtlpSink, transport: str, gzip: bool, signal: Signal) -> None:
    exporter = make(transport, otlp_sink, gzip=gzip)
    body = (b"\n\0" * 50_000) + UNKNOWN_FIELD
    assert await exporter.export(Payload(signal, body, 1)) == 0
    await exporter.close()
    (received,) = otlp_sink.requests()
    assert (received.signal, received.transport, received.body) == (signal, transport, body)
    if transport == "http":
        assert received.headers.get("content-encoding") == ("gzip" if gzip else None)
        assert received.headers["content-type"] == "application/x-protobuf"
    assert received.headers["user-agent"].startswith("otel-agent-eval/")


@TRANSPORTS
async def test_headers_are_sent_and_metadata_overrides_them(otlp_sink: OtlpSink, transport: str) -> None:
    exporter = make(transport, otlp_sink, headers={"Authorization": "Bearer t", "X-Scope-OrgID": "default"})
    await exporter.export(PAYLOAD)
    await exporter.export(Payload(Signal.TRACES, b"\n\0", 1, {"x-scope-orgid": "team-a"}))
    await exporter.close()
    first, second = otlp_sink.requests()
    assert (first.headers["authorization"], first.headers["x-scope-orgid"]) == ("Bearer t", "default")
    assert (second.headers["authorization"], second.headers["x-scope-orgid"]) == ("Bearer t", "team-a")


@TRANSPORTS
@pytest.mark.parametrize(
    ("answer", "expected", "retry_after"),
    [
        (UNAVAILABLE, Retryable, None),
        (Answer(429, grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after="2", retry_info=2.0), Retryable, 2.0),
        (Answer(502, grpc.StatusCode.ABORTED), Retryable, None),
        (Answer(400, grpc.StatusCode.INVALID_ARGUMENT), Permanent, None),
        (Answer(403, grpc.StatusCode.RESOURCE_EXHAUSTED), Permanent, None),
        (Answer(401, grpc.StatusCode.UNAUTHENTICATED), Permanent, None),
        (Answer(500, grpc.StatusCode.INTERNAL), Permanent, None),
        (Answer(301, grpc.StatusCode.UNKNOWN), Permanent, None),
        (Answer(404, grpc.StatusCode.UNIMPLEMENTED), Unsupported, None),
    ],
)
async def test_answers_are_read_by_the_specification(
    otlp_sink: OtlpSink, transport: str, answer: Answer, expected: type[ExportError], retry_after: float | None
) -> None:
    exporter = make(transport, otlp_sink)
    otlp_sink.answer(answer)
    with pytest.raises(ExportError) as raised:
        await exporter.export(PAYLOAD)
    await exporter.close()
    assert type(raised.value) is expected
    if isinstance(raised.value, Retryable):
        assert raised.value.retry_after == retry_after
    assert len(otlp_sink.requests()) == 1  # trying again is not the exporter's business


@TRANSPORTS
async def test_partial_success_is_counted_and_warned_of_once(
    otlp_sink: OtlpSink, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = make(transport, otlp_sink)
    otlp_sink.answer(Answer(rejected=3, message="span 'my secret' is too old"))
    assert [await exporter.export(PAYLOAD) for _ in range(3)] == [3, 3, 3]
    await exporter.close()
    assert [vars(record)["rejected"] for record in caplog.records if record.levelname == "WARNING"] == [3]
    assert "secret" not in caplog.text


@TRANSPORTS
async def test_nobody_listening_is_retryable_and_found_again_when_back(transport: str) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    endpoint = f"127.0.0.1:{port}"
    exporter: Exporter = (
        OtlpGrpcExporter("g", endpoint, insecure=True)
        if transport == "grpc"
        else OtlpHttpExporter("h", signal_urls(f"http://{endpoint}"))
    )
    with pytest.raises(Retryable, match="nothing listens there"):
        await exporter.export(PAYLOAD)
    with OtlpSink(**{f"{transport}_port": port}) as sink:
        for _ in range(50):
            try:
                await exporter.export(PAYLOAD)
                break
            except Retryable:
                await asyncio.sleep(0.1)
        assert len(sink.requests()) == 1
        await exporter.close()


@TRANSPORTS
async def test_slow_answer_is_retryable_after_the_timeout(otlp_sink: OtlpSink, transport: str) -> None:
    exporter = make(transport, otlp_sink, timeout=0.2)
    otlp_sink.answer(Answer(delay=1.0))
    with pytest.raises(Retryable):
        await exporter.export(PAYLOAD)
    await exporter.close()


async def test_connection_broken_in_the_middle_is_retryable(otlp_sink: OtlpSink) -> None:
    exporter = make("http", otlp_sink)
    otlp_sink.answer(Answer(reset=True))
    with pytest.raises(Retryable):
        await exporter.export(PAYLOAD)
    await exporter.close()


@pytest.fixture
def secure_sink(authority: Authority) -> Iterator[OtlpSink]:
    server = authority.issue("sink")
    with OtlpSink(tls=Tls(server.cert, server.key, client_ca=authority.cert)) as sink:
        yield sink


@TRANSPORTS
async def test_tls_with_a_client_certificate(secure_sink: OtlpSink, authority: Authority, transport: str) -> None:
    client = authority.issue("client")
    tls = ClientTls(ca_file=authority.cert, cert_file=client.cert, key_file=client.key)
    exporter = make(transport, secure_sink, tls=tls)
    await exporter.export(PAYLOAD)
    await exporter.close()
    assert secure_sink.requests()[0].body == PAYLOAD.body


@TRANSPORTS
async def test_server_that_is_not_trusted_gets_nothing(
    secure_sink: OtlpSink, tmp_path: Path, authority: Authority, transport: str
) -> None:
    client = authority.issue("client")
    other = Authority(tmp_path, "other")
    exporter = make(
        transport, secure_sink, tls=ClientTls(ca_file=other.cert, cert_file=client.cert, key_file=client.key)
    )
    with pytest.raises(Retryable):
        await exporter.export(PAYLOAD)
    await exporter.close()
    assert secure_sink.requests() == []


@TRANSPORTS
async def test_tls_file_that_cannot_be_read_is_named(otlp_sink: OtlpSink, tmp_path: Path, transport: str) -> None:
    with pytest.raises(ValueError, match=r"missing\.pem"):
        make(transport, otlp_sink, tls=ClientTls(ca_file=tmp_path / "missing.pem"))


async def test_signals_have_urls_of_their_own_and_others_are_not_carried(otlp_sink: OtlpSink) -> None:
    exporter = OtlpHttpExporter("h", {Signal.LOGS: f"{otlp_sink.http_endpoint}/v1/logs"})
    assert exporter.signals == {Signal.LOGS}
    await exporter.export(Payload(Signal.LOGS, b"\n\0", 1))
    with pytest.raises(Unsupported):
        await exporter.export(PAYLOAD)
    await exporter.close()


@pytest.mark.parametrize("endpoint", ["http://h:4318", "http://h:4318/"])
def test_base_endpoint_gets_a_path_for_each_signal(endpoint: str) -> None:
    assert signal_urls(endpoint)[Signal.METRICS] == "http://h:4318/v1/metrics"
    assert signal_urls("https://h/otlp")[Signal.TRACES] == "https://h/otlp/v1/traces"


@pytest.mark.parametrize("url", ["h:4318", "ftp://h", "http://", ""])
def test_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http or https URL"):
        OtlpHttpExporter("h", {Signal.TRACES: url})


@TRANSPORTS
async def test_header_that_cannot_be_sent_is_permanent(otlp_sink: OtlpSink, transport: str) -> None:
    exporter = make(transport, otlp_sink)
    with pytest.raises(Permanent):
        await exporter.export(Payload(Signal.TRACES, b"\n\0", 1, {"x-scope-orgid": "line\nbreak"}))
    await exporter.export(PAYLOAD)
    await exporter.close()


@TRANSPORTS
@pytest.mark.parametrize("header", [("x y", "v"), ("", "v"), ("x", "v\n"), ("x", "é")])
async def test_configured_header_that_cannot_be_sent_is_named(
    otlp_sink: OtlpSink, transport: str, header: tuple[str, str]
) -> None:
    with pytest.raises(ValueError, match=f"header '{header[0]}' cannot be sent"):
        make(transport, otlp_sink, headers=dict([header]))


async def test_endless_answer_is_not_read_to_its_end() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\r\n")
        try:
            for _ in range(2000):
                writer.write(b"\n" * (1 << 16))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    exporter = OtlpHttpExporter("h", signal_urls(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    assert await exporter.export(PAYLOAD) == 0
    await exporter.close()
    server.close()


async def test_wrong_kind_of_port_is_named(otlp_sink: OtlpSink) -> None:
    grpc_port, http_port = otlp_sink.grpc_endpoint, otlp_sink.http_endpoint.removeprefix("http://")
    wrong: dict[str, Exporter] = {
        "it speaks no HTTP/1": OtlpHttpExporter("h", signal_urls(f"http://{grpc_port}")),
        "it speaks no gRPC": OtlpGrpcExporter("g", http_port, insecure=True),
        "TLS handshake failed.*tls.insecure": OtlpGrpcExporter("g", grpc_port),
        "TLS handshake failed.*http://": OtlpHttpExporter("h", signal_urls(f"https://{http_port}")),
        "its name cannot be resolved": OtlpHttpExporter("h", signal_urls("http://nowhere.invalid")),
        "name cannot be resolved": OtlpGrpcExporter("g", "nowhere.invalid:4317", insecure=True),
    }
    for said, exporter in wrong.items():
        with pytest.raises(Retryable, match=said):
            await exporter.export(PAYLOAD)
        await exporter.close()


def test_of_a_message_nothing_is_passed_on_but_what_is_known_about_connections() -> None:
    assert explained("UNAVAILABLE", "no room for 'my secret'") == "UNAVAILABLE"
    assert explained("UNAVAILABLE", "my secret: Connection refused") == "UNAVAILABLE (nothing listens there)"
