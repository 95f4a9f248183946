"""Receivers with TLS and with credentials, against the SDK's own exporters and raw connections."""

import asyncio
import base64
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
import grpc
import httpx
import pytest
import uvloop
from google.rpc.status_pb2 import Status
from receivers.conftest import Kept
from receivers.test_otlp_grpc import details, method
from receivers.test_otlp_http import BODY, PROTOBUF
from receivers.test_sdk_exporters import PROTOCOLS, send
from support.certificates import Authority, Pair

from otel_agent_eval import auth
from otel_agent_eval.receivers import (
    Cause,
    ClientLimits,
    ClientMeter,
    Gate,
    Intake,
    OtlpGrpcReceiver,
    OtlpHttpReceiver,
    ServerTls,
)
from otel_agent_eval.signals import Signal

TOKEN = "s3cret-t0ken"
SOON = 0.05


@pytest.fixture(autouse=True)
def _only_our_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the HTTP library prefers these to what the SDK is told
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def listening(protocol: str, kept: Kept, **options: Any) -> AsyncIterator[str]:
    kind = OtlpGrpcReceiver if protocol == "grpc" else OtlpHttpReceiver
    receiver = kind(Intake(kept, observe=kept.observe), "127.0.0.1:0", **options)
    await receiver.start()
    try:
        yield receiver.endpoint
    finally:
        await receiver.stop(0.1)


def bearer_gate() -> Gate:
    return Gate(auth.BearerAuthenticator(auth.bearer_tokens([TOKEN], None)))


async def post(protocol: str, endpoint: str, authorization: str = "", tls: ssl.SSLContext | None = None) -> int | str:
    """Send spans; return the HTTP status or the name of gRPC's."""
    if protocol == "http":
        headers = PROTOBUF | ({"authorization": authorization} if authorization else {})
        async with httpx.AsyncClient(trust_env=False, verify=tls or False) as client:
            scheme = "https" if tls else "http"
            answer = await client.post(f"{scheme}://{endpoint}/v1/traces", content=BODY, headers=headers)
        return answer.status_code
    async with grpc.aio.insecure_channel(endpoint) as channel:
        metadata = (("authorization", authorization),) if authorization else ()
        try:
            await channel.unary_unary(method(Signal.TRACES))(BODY, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


def serial(endpoint: str, authority: Path, client: Pair | None = None) -> int:
    """Return the serial number of the certificate that a server shows."""
    context = ssl.create_default_context(cafile=authority)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    context.set_alpn_protocols(["h2"])
    with _connect(context, endpoint) as sock:
        found = sock.getpeercert()
    assert found
    return int(str(found["serialNumber"]), 16)


def _connect(context: ssl.SSLContext, endpoint: str) -> ssl.SSLSocket:
    host, port = endpoint.split(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), 5), server_hostname=host)


def replace(pair: Pair, newer: Pair) -> None:
    """Put newer files in the place of others, as certificate tools do: written beside, then renamed."""
    for old, new in ((pair.cert, newer.cert), (pair.key, newer.key)):
        copy = old.with_suffix(".new")
        shutil.copy(new, copy)
        copy.replace(old)


@PROTOCOLS
async def test_a_renewed_certificate_is_shown_without_a_restart(kept: Kept, tmp_path: Path, protocol: str) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key, reload_interval=SOON)
    async with listening(protocol, kept, tls=tls) as endpoint:
        before = await asyncio.to_thread(serial, endpoint, authority.cert)
        assert before == await asyncio.to_thread(serial, endpoint, authority.cert)
        replace(pair, authority.issue("newer"))
        await asyncio.sleep(2 * SOON)
        assert before != await asyncio.to_thread(serial, endpoint, authority.cert)


@PROTOCOLS
async def test_a_broken_certificate_leaves_the_old_one(
    kept: Kept, tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key, reload_interval=SOON)
    async with listening(protocol, kept, tls=tls) as endpoint:
        before = await asyncio.to_thread(serial, endpoint, authority.cert)
        for broken in ("not a certificate", None, authority.issue("without its key").cert.read_text()):
            pair.cert.unlink(missing_ok=True)
            if broken is not None:
                pair.cert.write_text(broken)
            await asyncio.sleep(2 * SOON)
            assert before == await asyncio.to_thread(serial, endpoint, authority.cert)
        replace(pair, authority.issue("newer"))
        await asyncio.sleep(2 * SOON)
        assert before != await asyncio.to_thread(serial, endpoint, authority.cert)
    assert [r.levelname for r in caplog.records if "cannot be used" in r.message] == ["ERROR"] * 3
    assert "PRIVATE KEY" not in caplog.text


@PROTOCOLS
async def test_clients_of_an_authority_that_is_trusted_no_more_are_not_let_in(
    kept: Kept, tmp_path: Path, protocol: str
) -> None:
    authority = Authority(tmp_path)
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    pair, clients = authority.issue("server"), tmp_path / "clients.pem"
    old_client, new_client = old.issue("old client"), new.issue("new client")
    shutil.copy(old.cert, clients)
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key, client_ca_file=clients, reload_interval=SOON)

    async def lets_in(client: Pair) -> bool:
        try:
            await asyncio.to_thread(exchange, endpoint, authority.cert, client)
        except (OSError, ssl.SSLError):
            return False
        return True

    async with listening(protocol, kept, tls=tls) as endpoint:
        assert (await lets_in(old_client), await lets_in(new_client)) == (True, False)
        shutil.copy(new.cert, clients)
        await asyncio.sleep(2 * SOON)
        assert (await lets_in(old_client), await lets_in(new_client)) == (False, True)


def exchange(endpoint: str, authority: Path, client: Pair) -> None:
    """Connect, and read a byte: with TLS 1.3 only that shows whether the client was accepted."""
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(client.cert, client.key)
    context.set_alpn_protocols(["h2"])
    with _connect(context, endpoint) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        if not sock.recv(1):
            raise ConnectionResetError


@PROTOCOLS
async def test_certificates_of_others_and_expired_ones_are_refused_while_good_senders_are_served(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server, client = authority.issue("server"), authority.issue("client")
    tls = ServerTls(cert_file=server.cert, key_file=server.key, client_ca_file=authority.cert)
    async with listening(protocol, kept, tls=tls) as endpoint:
        for bad in (stranger.issue("theirs"), authority.issue("expired", expired=True)):
            with pytest.raises(OSError):  # noqa: PT011 (a reset or an alert, as the other side was quick)
                await asyncio.to_thread(exchange, endpoint, authority.cert, bad)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://{endpoint}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.cert))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(client.cert))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(client.key))
        await asyncio.to_thread(send, protocol)
    assert len(kept.payloads) == 3


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_failed_handshakes_over_http_are_counted_and_told_with_their_reason(
    run: Callable[[Coroutine[Any, Any, None]], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server, good = authority.issue("server"), authority.issue("client")
    tls = ServerTls(cert_file=server.cert, key_file=server.key, client_ca_file=authority.cert)
    failures: list[None] = []

    async def fails(work: Callable[..., object], *arguments: object) -> None:
        """Check that the handshake fails: with TLS 1.3 a client may have sent before it knows."""
        before = len(failures)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(work, *arguments)
        async with asyncio.timeout(10):
            while len(failures) == before:  # noqa: ASYNC110 (seen from outside)
                await asyncio.sleep(0.01)

    async def main() -> None:
        receiver = OtlpHttpReceiver(
            Intake(Kept()), "127.0.0.1:0", tls=tls, key="the key", handshake_failed=lambda: failures.append(None)
        )
        await receiver.start()
        await asyncio.to_thread(probe, receiver.endpoint)
        await asyncio.to_thread(serial, receiver.endpoint, authority.cert, good)
        assert not failures
        await fails(exchange, receiver.endpoint, authority.cert, authority.issue("expired", expired=True))
        await fails(exchange, receiver.endpoint, authority.cert, stranger.issue("theirs"))
        await fails(serial, receiver.endpoint, authority.cert)
        await fails(serial, receiver.endpoint, stranger.cert, good)
        await receiver.stop(0.1)

    run(main())
    assert len(failures) == 4
    [warning] = [vars(record) for record in caplog.records if "TLS handshake failed" in record.message]  # a minute
    assert (warning["key"], warning["reason"]) == ("the key", "certificate has expired")


def probe(endpoint: str) -> None:
    """Connect and go away."""
    host, port = endpoint.split(":")
    socket.create_connection((host, int(port)), 5).close()


@PROTOCOLS
async def test_the_sdk_sends_with_a_token(kept: Kept, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    async with listening(protocol, kept, gate=bearer_gate()) as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{endpoint}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
        await asyncio.to_thread(send, protocol)
    assert len(kept.payloads) == 3


@PROTOCOLS
@pytest.mark.parametrize("authorization", ["", "Bearer wrong", f"Basic {TOKEN}"])
async def test_whoever_has_no_token_is_refused_for_good(
    kept: Kept, protocol: str, authorization: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(protocol, kept, gate=bearer_gate()) as endpoint:
        answers = [await post(protocol, endpoint, authorization) for _ in range(3)]
        assert await post(protocol, endpoint, f"Bearer {TOKEN}") in {200, "OK"}
    assert set(answers) == {401 if protocol == "http" else "UNAUTHENTICATED"}
    assert [cause for *_, cause in kept.observed] == [Cause.UNAUTHENTICATED] * 3 + [None]
    warnings = [record for record in caplog.records if "credentials" in record.message]
    assert len(warnings) == 1  # a minute
    assert vars(warnings[0])["client"] == "127.0.0.1"
    assert "wrong" not in caplog.text.replace("missing or wrong", "").replace("credentials=wrong", "")


async def test_http_says_which_credentials_it_wants(kept: Kept) -> None:
    async with listening("http", kept, gate=bearer_gate()) as endpoint, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{endpoint}/v1/traces", content=BODY, headers=PROTOBUF)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert Status.FromString(answer.content).code == 16
    assert "retry-after" not in answer.headers


@PROTOCOLS
async def test_users_send_with_their_passwords(kept: Kept, protocol: str) -> None:
    users = f"alice:{bcrypt.hashpw(b'wonder', bcrypt.gensalt(4)).decode()}"
    gate = Gate(auth.BasicAuthenticator(auth.htpasswd_users(users, None)))
    async with listening(protocol, kept, gate=gate) as endpoint:
        for credentials, good in (("alice:wonder", True), ("alice:wrong", False), ("bob:wonder", False)):
            header = f"Basic {base64.b64encode(credentials.encode()).decode()}"
            answer = await post(protocol, endpoint, header)
            assert answer in ({200, "OK"} if good else {401, "UNAUTHENTICATED"})
    assert len(kept.payloads) == 1


async def test_a_large_body_without_credentials_is_neither_kept_nor_a_reset(kept: Kept) -> None:
    async with listening("http", kept, gate=bearer_gate()) as endpoint, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{endpoint}/v1/traces", content=bytes(30 << 20), headers=PROTOBUF)
    assert answer.status_code == 401


async def test_a_body_that_waits_to_be_asked_for_is_not_asked_for(kept: Kept) -> None:
    async with listening("http", kept, gate=bearer_gate()) as endpoint:
        host, port = endpoint.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_grpc_asks_for_credentials_before_the_request_has_come(kept: Kept) -> None:
    async with listening("grpc", kept, gate=bearer_gate()) as endpoint, grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.stream_unary(method(Signal.TRACES))()  # begun, with nothing sent
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asyncio.wait_for(call, 5)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


@PROTOCOLS
async def test_a_client_that_sends_too_much_is_told_when_to_come_back(kept: Kept, protocol: str) -> None:
    gate = Gate(meter=ClientMeter(ClientLimits(requests_per_second=0.1)))
    async with listening(protocol, kept, gate=gate) as endpoint:
        answers = [await post(protocol, endpoint) for _ in range(4)]
    assert answers[0] in {200, "OK"}
    assert answers[-1] in {429, "UNAVAILABLE"}
    assert kept.observed[-1][-1] is Cause.THROTTLED


async def test_both_protocols_say_how_long_to_wait(kept: Kept) -> None:
    gate = Gate(meter=ClientMeter(ClientLimits(bytes_per_second=1024)))
    gate.charge("127.0.0.1", 20 * 1024)
    async with listening("http", kept, gate=gate) as endpoint, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://{endpoint}/v1/traces", content=BODY, headers=PROTOBUF)
        assert 9 <= int(answer.headers["retry-after"]) <= 10
    async with listening("grpc", kept, gate=gate) as endpoint, grpc.aio.insecure_channel(endpoint) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(method(Signal.TRACES))(BODY)
        assert "RetryInfo" in details(raised.value).details[0].type_url


@PROTOCOLS
async def test_what_a_client_sent_is_charged_after_decompression(kept: Kept, protocol: str) -> None:
    charged: list[tuple[str, int]] = []

    class Charges(Gate):
        def charge(self, client: str, size: int) -> None:
            charged.append((client, size))

    async with listening(protocol, kept, gate=Charges()) as endpoint:
        await post(protocol, endpoint)
    assert charged == [("127.0.0.1", len(BODY))]
