"""The oldest version of TLS that is spoken: receivers, pages and destinations, against peers that know one version."""

import asyncio
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from receivers.conftest import Kept
from receivers.test_secured_receivers import SOON, listening, replace
from starlette.responses import PlainTextResponse
from support.certificates import Authority
from support.otlp_sink import OtlpSink, Tls

from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.exporters import ClientTls, OtlpHttpExporter, Retryable, signal_urls
from otel_agent_eval.receivers import ServerTls
from otel_agent_eval.signals import Payload, Signal

OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = (OLD, NEW)
PAGE = (Path(__file__).parents[2] / "docs/security.md").read_text("utf-8")


def spoken(endpoint: str, authority: Path) -> list[str | None]:
    """Return the versions that a server speaks."""
    found = []
    for version in VERSIONS:
        context = ssl.create_default_context(cafile=authority)
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        host, port = endpoint.split(":")
        try:
            with context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=host) as sock:
                found.append(sock.version())
        except OSError:
            continue
    return found


@pytest.mark.parametrize(("oldest", "expected"), [(OLD, ["TLSv1.2", "TLSv1.3"]), (NEW, ["TLSv1.3"])])
async def test_an_http_receiver_speaks_nothing_older_even_with_newer_certificates(
    kept: Kept, authority: Authority, oldest: ssl.TLSVersion, expected: list[str]
) -> None:
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key, min_version=oldest, reload_interval=SOON)
    async with listening("http", kept, tls=tls) as endpoint:
        assert await asyncio.to_thread(spoken, endpoint, authority.cert) == expected
        replace(pair, authority.issue("newer"))
        await asyncio.sleep(2 * SOON)
        assert await asyncio.to_thread(spoken, endpoint, authority.cert) == expected


async def test_pages_speak_nothing_older(authority: Authority) -> None:
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key, min_version=NEW)
    server = AsgiServer(PlainTextResponse("page"), "127.0.0.1:0", "test", tls)
    await server.start()
    try:
        assert await asyncio.to_thread(spoken, server.endpoint, authority.cert) == ["TLSv1.3"]
    finally:
        await server.stop(0)


@pytest.mark.parametrize("newest", VERSIONS)
async def test_a_destination_that_speaks_nothing_newer_gets_nothing(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    pair = authority.issue("server")
    with OtlpSink(tls=Tls(pair.cert, pair.key, newest=newest)) as sink:
        tls = ClientTls(ca_file=authority.cert, min_version=NEW)
        exporter = OtlpHttpExporter("otlphttp/test", signal_urls(sink.http_endpoint), tls=tls)
        try:
            if newest is NEW:
                await exporter.export(Payload(Signal.TRACES, b"\n\0", 1))
            else:
                with pytest.raises(Retryable, match=r"no version of TLS that we do: see tls\.min_version"):
                    await exporter.export(Payload(Signal.TRACES, b"\n\0", 1))
        finally:
            await exporter.close()
        assert len(sink.requests()) == (newest is NEW)


@contextmanager
def peer(certificate: ServerTls, version: ssl.TLSVersion) -> Iterator[tuple[str, list[str]]]:
    """Serve one handshake in one version of TLS; give the address, and what came of it."""
    context = certificate.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    outcome: list[str] = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        try:
            with context.wrap_socket(connection, server_side=True) as sock:
                outcome.append(str(sock.version()))
        except OSError:
            outcome.append("refused")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", outcome
        thread.join(10)


GATEWAY = """
    import asyncio, sys
    from pathlib import Path
    from otel_agent_eval.exporters import ClientTls, ExportError, OtlpGrpcExporter
    from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver, ServerTls
    from otel_agent_eval.signals import Payload, Signal

    async def take(payload, request): ...

    async def main(cert, key, authority, *peers):
        tls = ServerTls(cert_file=Path(cert), key_file=Path(key))
        receiver = OtlpGrpcReceiver(Intake(take), "127.0.0.1:0", tls=tls)
        await receiver.start()
        for peer in peers:
            exporter = OtlpGrpcExporter("otlp", peer, tls=ClientTls(ca_file=Path(authority)))
            try:
                await exporter.export(Payload(Signal.TRACES, b"", 0))
            except ExportError:
                pass
            await exporter.close()
        print(receiver.endpoint, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await receiver.stop(0)

    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("restricted", [False, True], ids=["as it comes", "as the page says"])
def test_grpc_speaks_nothing_older_with_what_the_page_puts_into_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, restricted: bool
) -> None:
    """In a process of its own: gRPC reads it once. What gRPC offers for 1.2 then is good for nobody."""
    found = re.search(r"(GRPC_SSL_CIPHER_SUITES)=(\S+)", PAGE)
    assert found
    if restricted:
        monkeypatch.setenv(found[1], found[2])
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key)
    with peer(tls, OLD) as (old, of_old), peer(tls, NEW) as (new, of_new):
        arguments = [sys.executable, "-c", textwrap.dedent(GATEWAY), pair.cert, pair.key, authority.cert, old, new]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as gateway:
            assert gateway.stdin
            assert gateway.stdout
            endpoint = gateway.stdout.readline().strip()
            versions = spoken(endpoint, authority.cert)
            gateway.stdin.close()
    assert versions == (["TLSv1.3"] if restricted else ["TLSv1.2", "TLSv1.3"])
    assert (of_old, of_new) == (["refused"] if restricted else ["TLSv1.2"], ["TLSv1.3"])
