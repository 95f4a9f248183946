"""Exporters that say who they are, and follow their files, against real servers."""

import asyncio
import base64
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from support.certificates import Authority
from support.otlp_sink import Answer, OtlpSink, Tls

from otel_agent_eval import auth
from otel_agent_eval.exporters import (
    ClientTls,
    Exporter,
    ExportError,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    Retryable,
    signal_urls,
)
from otel_agent_eval.exporters.connections import explained
from otel_agent_eval.signals import Payload, Signal

PAYLOAD = Payload(Signal.TRACES, b"\n\0", 1)
TRANSPORTS = pytest.mark.parametrize("transport", ["grpc", "http"])
SECRET = "s3cret-t0ken"
SOON = 0.05


def make(transport: str, sink: OtlpSink, **options: Any) -> Exporter:
    if transport == "http":
        return OtlpHttpExporter("otlphttp/test", signal_urls(sink.http_endpoint), **options)
    return OtlpGrpcExporter("otlp/test", sink.grpc_endpoint, insecure="tls" not in options, **options)


def presented(sink: OtlpSink) -> list[str]:
    return [request.headers.get("authorization", "") for request in sink.requests()]


@TRANSPORTS
async def test_a_token_is_sent_and_follows_its_file(otlp_sink: OtlpSink, tmp_path: Path, transport: str) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    exporter = make(transport, otlp_sink, credentials=auth.bearer_credentials(auth.bearer_tokens([], file)))
    await exporter.export(PAYLOAD)
    file.write_text("second\n")
    await asyncio.sleep(1.1)  # files are looked at once a second
    await exporter.export(PAYLOAD)
    file.write_text("not a token\n")
    await asyncio.sleep(1.1)
    await exporter.export(PAYLOAD)
    await exporter.close()
    assert presented(otlp_sink) == ["Bearer first", "Bearer second", "Bearer second"]


@TRANSPORTS
async def test_a_user_is_sent_with_its_password(otlp_sink: OtlpSink, transport: str) -> None:
    credentials = auth.basic_credentials(auth.secret("gateway", None), auth.secret(SECRET, None))
    exporter = make(transport, otlp_sink, credentials=credentials)
    await exporter.export(PAYLOAD)
    await exporter.close()
    assert presented(otlp_sink) == [f"Basic {base64.b64encode(f'gateway:{SECRET}'.encode()).decode()}"]


@TRANSPORTS
async def test_a_refused_secret_is_in_no_message(
    otlp_sink: OtlpSink, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "otel_agent_eval")
    otlp_sink.answer(Answer(401, grpc=StatusCode.UNAUTHENTICATED))
    exporter = make(transport, otlp_sink, credentials=auth.bearer_credentials(auth.bearer_tokens([SECRET], None)))
    with pytest.raises(ExportError) as raised:
        await exporter.export(PAYLOAD)
    await exporter.close()
    assert SECRET not in f"{raised.value!r} {exporter!r} {caplog.text}"


@pytest.fixture
def strict_sink(tmp_path: Path) -> Iterator[tuple[OtlpSink, Authority]]:
    """A backend that wants certificates of its authority."""
    authority = Authority(tmp_path)
    server = authority.issue("server")
    with OtlpSink(tls=Tls(server.cert, server.key, client_ca=authority.cert)) as sink:
        yield sink, authority


@TRANSPORTS
async def test_a_renewed_client_certificate_is_used_without_a_restart(
    strict_sink: tuple[OtlpSink, Authority], tmp_path: Path, transport: str
) -> None:
    sink, authority = strict_sink
    used, good = Authority(tmp_path, "stranger").issue("used"), authority.issue("good")
    tls = ClientTls(ca_file=authority.cert, cert_file=used.cert, key_file=used.key, reload_interval=SOON)
    exporter = make(transport, sink, tls=tls)
    with pytest.raises(Retryable):
        await exporter.export(PAYLOAD)
    shutil.copy(good.cert, used.cert)
    await asyncio.sleep(2 * SOON)
    with pytest.raises(Retryable):  # a certificate without its key
        await exporter.export(PAYLOAD)
    shutil.copy(good.key, used.key)
    await asyncio.sleep(2 * SOON)
    await exporter.export(PAYLOAD)
    await exporter.close()
    assert len(sink.requests()) == 1


def test_a_certificate_that_is_not_accepted_is_said_in_words() -> None:
    said = explained("SSLError", "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)")
    assert said == "SSLError (it does not accept our certificate: see tls.cert_file)"


@TRANSPORTS
async def test_a_changed_authority_is_trusted_without_a_restart(
    strict_sink: tuple[OtlpSink, Authority], tmp_path: Path, transport: str
) -> None:
    sink, authority = strict_sink
    client = authority.issue("client")
    trusted = tmp_path / "trusted.pem"
    shutil.copy(Authority(tmp_path, "other").cert, trusted)
    tls = ClientTls(ca_file=trusted, cert_file=client.cert, key_file=client.key, reload_interval=SOON)
    exporter = make(transport, sink, tls=tls)
    with pytest.raises(Retryable):
        await exporter.export(PAYLOAD)
    shutil.copy(authority.cert, trusted)
    await asyncio.sleep(2 * SOON)
    await exporter.export(PAYLOAD)
    await exporter.close()
    assert len(sink.requests()) == 1


@TRANSPORTS
async def test_requests_under_way_end_while_certificates_change(
    strict_sink: tuple[OtlpSink, Authority], transport: str
) -> None:
    sink, authority = strict_sink
    client = authority.issue("client")
    tls = ClientTls(ca_file=authority.cert, cert_file=client.cert, key_file=client.key, reload_interval=SOON)
    exporter = make(transport, sink, tls=tls)
    await exporter.export(PAYLOAD)
    sink.answer(Answer(delay=1), times=1)
    slow = asyncio.create_task(exporter.export(PAYLOAD))
    await asyncio.sleep(0.3)
    renewed = authority.issue("renewed")
    shutil.copy(renewed.cert, client.cert)
    shutil.copy(renewed.key, client.key)
    await asyncio.sleep(2 * SOON)
    await exporter.export(PAYLOAD)
    assert await slow == 0
    await exporter.close()
    assert len(sink.requests()) == 3
