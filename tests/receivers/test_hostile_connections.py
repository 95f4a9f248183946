"""Connections that are slow, silent or too many, by raw sockets; a good sender beside them is always answered."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from receivers.conftest import LIMIT, Kept
from receivers.test_otlp_grpc import details, method
from receivers.test_otlp_http import BODY, PROTOBUF
from receivers.test_secured_receivers import listening
from starlette.responses import PlainTextResponse
from support.certificates import Authority

from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.connections import ConnectionLimits
from otel_agent_eval.receivers import Cause, GrpcLimits, HttpLimits, Intake, OtlpHttpReceiver, ServerTls
from otel_agent_eval.signals import Signal

HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
QUICK = HttpLimits(header_timeout=0.3, read_timeout=0.5, idle_timeout=1)


@asynccontextmanager
async def connected(
    endpoint: str, source: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = endpoint.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Return what a server says until it closes the connection, be it by a reset."""
    said = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            while part := await reader.read(1 << 16):
                said += part
    return said


async def accepted(endpoint: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"http://{endpoint}/v1/traces", content=BODY, headers=PROTOBUF)).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"POST", HEAD, HEAD + b"x-long: "])
async def test_a_request_that_does_not_begin_is_closed(kept: Kept, begun: bytes) -> None:
    async with listening("http", kept, limits=QUICK) as endpoint, connected(endpoint) as (reader, writer):
        writer.write(begun)
        assert await accepted(endpoint)
        assert await end_of(reader) == b""
        assert await accepted(endpoint)


async def test_a_head_that_drips_is_closed(kept: Kept) -> None:
    async with listening("http", kept, limits=QUICK) as endpoint, connected(endpoint) as (reader, writer):
        ended = asyncio.create_task(end_of(reader))
        writer.write(HEAD)
        for _ in range(200):
            if ended.done():
                break
            writer.write(b"x: y\r\n")
            await asyncio.sleep(0.05)
        assert ended.done()
        await ended


async def test_a_second_request_that_does_not_begin_is_closed(kept: Kept) -> None:
    async with listening("http", kept, limits=QUICK) as endpoint, connected(endpoint) as (reader, writer):
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"POST /v1/tra")
        assert await end_of(reader) == b""


async def test_a_slow_body_is_not_a_slow_head(kept: Kept) -> None:
    """Bodies have a timeout of their own."""
    limits = HttpLimits(header_timeout=0.2, read_timeout=30)
    async with listening("http", kept, limits=limits) as endpoint, connected(endpoint) as (reader, writer):
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BODY))
        for byte in BODY[:25]:
            await asyncio.sleep(0.1)
            writer.write(bytes([byte]))
        writer.write(BODY[25:])
        assert b" 200 " in await reader.readuntil(b"\r\n")
    assert len(kept.payloads) == 1


async def test_an_idle_connection_is_closed(kept: Kept) -> None:
    async with listening("http", kept, limits=QUICK) as endpoint, connected(endpoint) as (reader, writer):
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
        assert b" 200 " in await end_of(reader)


async def test_who_does_not_read_a_long_answer_is_closed_and_who_reads_gets_all() -> None:
    size = 32 << 20
    page = PlainTextResponse("x" * size)
    server = AsgiServer(page, "127.0.0.1:0", "test", limits=ConnectionLimits(idle_timeout=1))
    await server.start()
    try:
        async with connected(server.endpoint) as (deaf, writer), httpx.AsyncClient(trust_env=False) as reader:
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert len((await reader.get(f"http://{server.endpoint}/")).content) == size
            await asyncio.sleep(3)
            assert len(await end_of(deaf)) < size
    finally:
        await server.stop(0)


async def test_silence_in_the_handshake_is_closed(kept: Kept, authority: Authority) -> None:
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key)
    for protocol, limits in (("http", QUICK), ("grpc", GrpcLimits(handshake_timeout=0.3))):
        async with listening(protocol, kept, tls=tls, limits=limits) as endpoint, connected(endpoint) as (reader, _):
            assert await end_of(reader) == b""


@pytest.mark.parametrize("each", [True, False], ids=["of one client", "altogether"])
async def test_handshakes_that_do_not_end_count_among_the_connections(
    kept: Kept, authority: Authority, caplog: pytest.LogCaptureFixture, each: bool
) -> None:
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key)
    limits = HttpLimits(connections=10_000 if each else 5, connections_per_client=5 if each else None)
    async with listening("http", kept, tls=tls, limits=limits) as endpoint, contextlib.AsyncExitStack() as stack:
        good, _ = await stack.enter_async_context(connected(endpoint, "127.0.0.2"))
        await asyncio.sleep(2.5)  # it was there before
        made = [await stack.enter_async_context(connected(endpoint)) for _ in range(30)]
        ends = [asyncio.create_task(end_of(reader)) for reader, _ in made]
        done, waiting = await asyncio.wait(ends, timeout=4)
        assert (len(done), len(waiting)) == ((25, 5) if each else (26, 4))
        assert not good.at_eof()
        for task in waiting:
            task.cancel()
    assert len([record for record in caplog.records if "too many" in record.message]) == 1


@pytest.mark.parametrize("each", [True, False], ids=["of one client", "altogether"])
async def test_connections_beyond_the_limit_are_closed_and_told_once(
    kept: Kept, caplog: pytest.LogCaptureFixture, each: bool
) -> None:
    limits = HttpLimits(connections=10_000 if each else 5, connections_per_client=5 if each else None)
    async with listening("http", kept, limits=limits) as endpoint, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(endpoint)) for _ in range(8)]
        ends = [asyncio.create_task(end_of(reader)) for reader, _ in made]
        done, waiting = await asyncio.wait(ends, timeout=0.5)
        assert (len(done), len(waiting)) == (3, 5)
        async with connected(endpoint, "127.0.0.2") as (reader, writer):
            writer.write(HEAD + b"content-length: 0\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(12), 5) if each else await end_of(reader)
            assert answer == (b"HTTP/1.1 200" if each else b"")
        made[0][1].close()
        await ends[0] if ends[0] in waiting else None
        for task in ends:
            task.cancel()
    refusals = [record for record in caplog.records if "too many" in record.message]
    assert len(refusals) == 1


async def test_a_connection_that_ends_makes_room(kept: Kept) -> None:
    async with listening("http", kept, limits=HttpLimits(connections=1)) as endpoint:
        for _ in range(3):
            assert await accepted(endpoint)
            await asyncio.sleep(0.1)


async def test_bodies_that_are_buffered_are_bounded_altogether(kept: Kept) -> None:
    limits = HttpLimits(buffered_bytes=2 << 20)
    receiver = OtlpHttpReceiver(Intake(kept, max_bytes=LIMIT, observe=kept.observe), "127.0.0.1:0", limits=limits)
    await receiver.start()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):  # each almost sends what is allowed
            _, writer = await stack.enter_async_context(connected(receiver.endpoint))
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % LIMIT + bytes(LIMIT * 3 // 5))
            await writer.drain()
        await asyncio.sleep(0.3)
        reader, writer = await stack.enter_async_context(connected(receiver.endpoint))
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % LIMIT + bytes(LIMIT * 3 // 5))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1" in head
    await asyncio.sleep(0.3)
    assert await accepted(receiver.endpoint)
    assert receiver._buffered == 0
    await receiver.stop(0)


async def test_a_request_that_drips_over_grpc_is_asked_to_come_again(kept: Kept) -> None:
    limits = GrpcLimits(read_timeout=0.4)
    async with listening("grpc", kept, limits=limits) as endpoint, grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.stream_unary(method(Signal.TRACES))()  # begun, with nothing sent
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asyncio.wait_for(call, 10)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert details(raised.value).details[0].Unpack(RetryInfo())
        assert await channel.unary_unary(method(Signal.TRACES))(BODY) == b""
    assert [cause for *_, cause in kept.observed] == [Cause.SLOW, None]


async def test_a_call_without_a_request_is_malformed(kept: Kept) -> None:
    async with listening("grpc", kept) as endpoint, grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.stream_unary(method(Signal.TRACES))()
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asyncio.wait_for(call, 10)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_grpc_connections_beyond_the_limit_are_closed(kept: Kept) -> None:
    async with listening("grpc", kept, limits=GrpcLimits(connections=3)) as endpoint:
        async with contextlib.AsyncExitStack() as stack:
            made = [await stack.enter_async_context(connected(endpoint)) for _ in range(6)]
            await asyncio.sleep(0.3)
            ends = [asyncio.create_task(end_of(reader)) for reader, _ in made]
            done, waiting = await asyncio.wait(ends, timeout=1.0)
            assert len(done) >= 3
            for task in waiting:
                task.cancel()
        async with grpc.aio.insecure_channel(endpoint) as channel:
            call = channel.unary_unary(method(Signal.TRACES))
            assert await call(BODY, wait_for_ready=True, timeout=20) == b""


async def test_grpc_without_a_greeting_is_closed(kept: Kept) -> None:
    limits = GrpcLimits(handshake_timeout=0.3)
    async with listening("grpc", kept, limits=limits) as endpoint, connected(endpoint) as (reader, _):
        await end_of(reader)


async def test_grpc_that_is_idle_is_asked_to_end(kept: Kept) -> None:
    limits = GrpcLimits(idle=0.3)
    async with listening("grpc", kept, limits=limits) as endpoint, grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(method(Signal.TRACES))
        await call(BODY)
        await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), 10)
        await call(BODY)  # a client connects again by itself
    assert len(kept.payloads) == 2


async def test_pings_without_end_are_abuse(kept: Kept) -> None:
    """Raw HTTP/2: a preface, settings, and pings; gRPC says too_many_pings and closes."""
    ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)
    async with listening("grpc", kept) as endpoint, connected(endpoint) as (reader, writer):
        # all at once: what is written after a reset would keep asyncio from reading what came before it
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) + 20 * ping)
        assert b"too_many_pings" in await end_of(reader)


async def test_hundreds_of_silent_connections_do_not_keep_a_good_sender_out(kept: Kept) -> None:
    limits = HttpLimits(header_timeout=0.5)
    async with listening("http", kept, limits=limits) as endpoint:
        host, port = endpoint.split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(300)]
        try:
            for _ in range(20):
                assert await accepted(endpoint)
            await asyncio.sleep(2.5)
            ended = 0
            for one in silent:
                one.setblocking(False)  # noqa: FBT003 (socket's)
                with contextlib.suppress(BlockingIOError):
                    try:
                        ended += one.recv(1) == b""
                    except ConnectionError:
                        ended += 1
            assert ended == 300
        finally:
            for one in silent:
                one.close()
    assert len(kept.payloads) == 20
