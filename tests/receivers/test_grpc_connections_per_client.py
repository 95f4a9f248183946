"""How many connections of a client a gRPC receiver holds: real senders and raw sockets."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from receivers.conftest import Kept
from receivers.test_hostile_connections import connected, end_of
from receivers.test_otlp_grpc import method
from receivers.test_otlp_http import BODY
from receivers.test_secured_receivers import listening
from support.certificates import Authority

from otel_agent_eval import accepted
from otel_agent_eval.receivers import GrpcLimits, Intake, ListenError, OtlpGrpcReceiver, ServerTls
from otel_agent_eval.signals import Signal

TWO = GrpcLimits(connections_per_client=2)
LOOKED = 1.5
"""Seconds in which connections were surely looked at."""
OWN = (("grpc.use_local_subchannel_pool", 1),)
"""A connection for each channel."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "_LOOK_EVERY", 0.2)


def of_this_process(port: int) -> int:
    """Return how many connections of this process have the port at their own end."""
    found: dict[int, int] = {}
    for path in Path("/proc/self/fd").iterdir():
        if not path.is_socket():
            continue
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(path.name))) as one:
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.getpeername():
                found[os.fstat(one.fileno()).st_ino] = one.getsockname()[1]
    return list(found.values()).count(port)


async def until(fulfilled: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not fulfilled():  # noqa: ASYNC110 (what others do to sockets is no event of ours)
            await asyncio.sleep(0.05)


async def answers(channel: grpc.aio.Channel) -> str:
    try:
        await channel.unary_unary(method(Signal.TRACES))(BODY, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_the_newest_of_a_client_are_closed_and_all_others_served(
    kept: Kept, authority: Authority, caplog: pytest.LogCaptureFixture, encrypted: bool
) -> None:
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key) if encrypted else None
    credentials = grpc.ssl_channel_credentials(authority.cert.read_bytes())

    def channel(endpoint: str) -> grpc.aio.Channel:
        return (
            grpc.aio.secure_channel(endpoint, credentials, OWN)
            if encrypted
            else grpc.aio.insecure_channel(endpoint, OWN)
        )

    async with listening("grpc", kept, tls=tls, limits=TWO) as endpoint, contextlib.AsyncExitStack() as stack:
        port = int(endpoint.split(":")[1])
        first, second = [await stack.enter_async_context(channel(endpoint)) for _ in range(2)]
        under_way = [one.stream_unary(method(Signal.TRACES))() for one in (first, second)]
        await until(lambda: of_this_process(port) == 2)
        await asyncio.sleep(LOOKED)
        third = await stack.enter_async_context(channel(endpoint))
        call = third.stream_unary(method(Signal.TRACES))()
        other, _ = await stack.enter_async_context(connected(endpoint, "127.0.0.2"))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asyncio.wait_for(call, 20)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(LOOKED)
        assert not other.at_eof()
        for one in under_way:
            await one.write(BODY)
            await one.done_writing()
            assert await one == b""
        await first.close()
        del one, under_way  # a call keeps its connection open
        await until(lambda: of_this_process(port) == 2)
        late = third.stream_unary(method(Signal.TRACES))()
        await asyncio.sleep(LOOKED)
        await late.write(BODY)
        await late.done_writing()
        assert await late == b""
    warnings = [vars(record) for record in caplog.records if "too many" in record.message]
    assert [(one["client"], one["times"]) for one in warnings] == [("127.0.0.1", 1)]


async def test_connections_that_say_nothing_are_closed_and_their_descriptors_given_back(kept: Kept) -> None:
    limits = GrpcLimits(connections=50, connections_per_client=5)
    async with listening("grpc", kept, limits=limits) as endpoint:
        port = int(endpoint.split(":")[1])
        for _ in range(3):
            async with contextlib.AsyncExitStack() as stack:
                crowd = [await stack.enter_async_context(connected(endpoint)) for _ in range(40)]
                ended = [asyncio.create_task(end_of(reader)) for reader, _ in crowd]
                await until(lambda ended=ended: sum(one.done() for one in ended) >= 35)
                await until(lambda: of_this_process(port) == 5)
                assert sum(one.done() for one in ended) == 35
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", OWN) as channel:
                    assert await answers(channel) == "OK"  # until the next look
                for one in ended:
                    one.cancel()
            await until(lambda: of_this_process(port) == 0)


async def test_clients_of_both_families_are_told_apart_by_address(kept: Kept) -> None:
    """gRPC listens on both, and sees IPv4 in IPv6's form."""
    receiver = OtlpGrpcReceiver(Intake(kept), "0.0.0.0:0", limits=TWO)
    await receiver.start()
    port = receiver.endpoint.split(":")[1]
    try:
        async with contextlib.AsyncExitStack() as stack:
            made = [
                (await stack.enter_async_context(connected(f"127.0.0.1:{port}", source)))[0]
                for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3")
                for _ in range(3)
            ]
            await asyncio.sleep(LOOKED)
            tasks = [asyncio.create_task(end_of(reader)) for reader in made]
            await asyncio.wait(tasks, timeout=0.5)
            assert [sum(task.done() for task in tasks[first : first + 3]) for first in (0, 3, 6)] == [1, 1, 1]
            for task in tasks:
                task.cancel()
    finally:
        await receiver.stop(0)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("host", ["[::1]", "[::]", "localhost"])
async def test_addresses_are_told_apart_however_they_are_listened_on(kept: Kept, host: str) -> None:
    receiver = OtlpGrpcReceiver(Intake(kept), f"{host}:0", limits=TWO)
    await receiver.start()
    port = int(receiver.endpoint.rpartition(":")[2])
    families = {"[::1]": ["::1"], "[::]": ["::1", "127.0.0.1"], "localhost": ["127.0.0.1"]}[host]
    try:
        async with contextlib.AsyncExitStack() as stack:
            for address in families:
                for _ in range(4):
                    stack.callback(socket.create_connection((address, port)).close)
            await until(lambda: of_this_process(port) == 2 * len(families))
            await asyncio.sleep(LOOKED)
            assert of_this_process(port) == 2 * len(families)
    finally:
        await receiver.stop(0)


async def test_other_sockets_of_the_process_are_left_alone(kept: Kept) -> None:
    """Among them some with the same port, at another address; and all that senders in this process hold."""
    async with listening("grpc", kept, limits=TWO) as endpoint, contextlib.AsyncExitStack() as stack:
        port = int(endpoint.split(":")[1])
        taken: list[asyncio.StreamReader] = []
        server = await asyncio.start_server(lambda reader, _: taken.append(reader), "127.0.0.2", port)
        await stack.enter_async_context(server)
        left, right = socket.socketpair()
        stack.callback(left.close)
        stack.callback(right.close)
        made = [await stack.enter_async_context(connected(f"127.0.0.2:{port}")) for _ in range(5)]
        crowd = [await stack.enter_async_context(connected(endpoint)) for _ in range(4)]
        ended = [asyncio.create_task(end_of(reader)) for reader, _ in crowd]
        await until(lambda: sum(task.done() for task in ended) == 2)
        await asyncio.sleep(LOOKED)
        assert not any(reader.at_eof() for reader, _ in made)
        assert not any(reader.at_eof() for reader in taken)
        assert len(taken) == 5
        left.send(b"x")
        assert right.recv(1) == b"x"
        for task in ended:
            task.cancel()


async def test_without_a_limit_nobody_is_counted(kept: Kept) -> None:
    async with listening("grpc", kept) as endpoint, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(endpoint)) for _ in range(20)]
        await asyncio.sleep(LOOKED)
        assert of_this_process(int(endpoint.split(":")[1])) == 20
        assert not any(reader.at_eof() for reader, _ in made)


async def test_a_system_that_shows_no_open_files_is_told(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepted, "_DESCRIPTORS", tmp_path / "fd")
    receiver = OtlpGrpcReceiver(Intake(kept), "127.0.0.1:0", limits=TWO, key="receivers.otlp.protocols.grpc.endpoint")
    with pytest.raises(ListenError, match=r"max_connections_per_client, beside receivers\.otlp\.protocols\.grpc"):
        await receiver.start()


async def test_the_watch_goes_on_after_no_descriptor_was_left(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening("grpc", kept, limits=TWO) as endpoint, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(endpoint)) for _ in range(3)]

        def none_left(_: object) -> list[str]:
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr(accepted.os, "listdir", none_left)
            await until(lambda: any("cannot be counted" in record.message for record in caplog.records))
        ended = [asyncio.create_task(end_of(reader)) for reader, _ in made]
        await until(lambda: sum(task.done() for task in ended) == 1)
        for task in ended:
            task.cancel()


def test_a_descriptor_that_was_given_to_another_socket_is_noticed() -> None:
    left, right = socket.socketpair()
    with left, right:
        found = accepted._inode(left.fileno())
        assert found is not None
        same = accepted._duplicate(left.fileno(), found)
        assert same is not None
        with same:
            assert accepted._inode(same.fileno()) == found
        os.dup2(right.fileno(), left.fileno())
        assert accepted._duplicate(left.fileno(), found) is None
