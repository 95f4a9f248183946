"""Who reads the gateway's pages slowly, or holds many connections, costs little; probes get in beside them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from receivers.test_hostile_connections import connected, end_of
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.connections import ConnectionLimits
from otel_agent_eval.service.admin import LIMITS, admin_app

PAGE = 16 << 20
"""Bytes: much more than a system takes of what nobody reads."""
Metrics = Callable[[str], Awaitable[tuple[bytes, str]]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def large(_: str) -> tuple[bytes, str]:
    return b"x" * PAGE, "text/plain"


def pages(metrics: Metrics = large) -> Starlette:
    never: Any = None  # the status page is not asked for
    return admin_app(lambda: "", metrics, never, never)


@asynccontextmanager
async def serving(app: Any, limits: ConnectionLimits = LIMITS) -> AsyncIterator[AsgiServer]:
    server = AsgiServer(app, "127.0.0.1:0", "test", limits=limits)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


def ask(connection: Connection, path: str = "/metrics", times: int = 1) -> None:
    connection[1].write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode() * times)


async def probe(endpoint: str, source: str = "127.0.0.1") -> str:
    async with connected(endpoint, source) as (reader, writer):
        ask((reader, writer), "/healthz")
        return (await asyncio.wait_for(reader.readline(), 10)).decode().strip()


async def closed(connections: list[Connection]) -> list[bool]:
    """Say which of the connections the server has closed."""
    ends = [asyncio.create_task(end_of(reader)) for reader, _ in connections]
    await asyncio.wait(ends, timeout=1)
    found = [end.done() for end in ends]
    for end in ends:
        end.cancel()
    return found


@pytest.mark.parametrize(
    ("limits", "sources"),
    [
        (ConnectionLimits(connections_per_client=3, make_room=True), ("127.0.0.1",)),
        (ConnectionLimits(connections=3, make_room=True), ("127.0.0.1", "127.0.0.2", "127.0.0.3")),
    ],
    ids=["of one client", "altogether"],
)
async def test_a_probe_takes_the_place_of_who_said_nothing_for_longest(
    limits: ConnectionLimits, sources: tuple[str, ...]
) -> None:
    async with serving(pages(), limits) as server, contextlib.AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(connected(server.endpoint, sources[number % len(sources)]))
            for number in range(3)
        ]
        for connection in (silent[0], silent[2], silent[1]):
            await asyncio.sleep(0.05)
            ask(connection, "/healthz")
            await connection[0].readuntil(b"ok\n")
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        assert await closed(silent) == [True, False, False]
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"  # in the place of the first probe
        assert await closed(silent) == [True, False, False]


async def test_who_is_being_answered_keeps_its_place() -> None:
    goes_on = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await goes_on.wait()
        await PlainTextResponse("late")(scope, receive, send)

    limits = ConnectionLimits(connections=2, make_room=True)
    async with serving(waits, limits) as server, contextlib.AsyncExitStack() as stack:
        served = [await stack.enter_async_context(connected(server.endpoint)) for _ in range(2)]
        for connection in served:
            ask(connection)
        await asyncio.sleep(0.3)
        refused = await stack.enter_async_context(connected(server.endpoint))
        assert await closed([refused]) == [True]
        goes_on.set()
        for reader, _ in served:
            assert (await asyncio.wait_for(reader.readuntil(b"late"), 10)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("asked", [1, 3], ids=["once", "and again before it reads"])
async def test_answers_that_nobody_reads_are_bounded_altogether(asked: int) -> None:
    """Who reads gets everything, though it is more than all together may have."""
    limits = ConnectionLimits(unread_bytes=PAGE // 4)
    async with serving(pages(), limits) as server, contextlib.AsyncExitStack() as stack:
        deaf = []
        for _ in range(12):
            deaf.append(await stack.enter_async_context(connected(server.endpoint)))
            deaf[-1][1].transport.pause_reading()  # type: ignore[attr-defined]  # of a TCP connection
            ask(deaf[-1], times=asked)
            await asyncio.sleep(0.05)
        async with connected(server.endpoint) as reads:
            ask(reads)
            head = await asyncio.wait_for(reads[0].readuntil(b"\r\n\r\n"), 10)
            assert f"content-length: {PAGE}".encode() in head
            assert await asyncio.wait_for(reads[0].readexactly(PAGE), 10) == b"x" * PAGE
        await asyncio.sleep(0.2)
        assert server._server is not None
        waiting = [one for one in server._server._book._open if one.unread_since is not None]
        assert len(waiting) <= 1
        for _, writer in deaf:
            writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert sum(await closed(deaf)) == 12


async def test_probes_get_in_beside_hundreds_of_deaf_readers_at_the_same_address() -> None:
    async with serving(pages()) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            deaf = await stack.enter_async_context(connected(server.endpoint))
            deaf[1].transport.pause_reading()  # type: ignore[attr-defined]
            ask(deaf, times=3)
        assert [await probe(server.endpoint) for _ in range(5)] == ["HTTP/1.1 200 OK"] * 5
        assert server._server is not None
        assert len(server._server._book._open) <= 16


async def test_large_pages_are_made_one_at_a_time_and_for_nobody_who_has_gone() -> None:
    making = most = made = 0
    go = asyncio.Event()

    async def slow(_: str) -> tuple[bytes, str]:
        nonlocal making, most, made
        making, made = making + 1, made + 1
        most = max(most, making)
        await go.wait()
        await asyncio.sleep(0.01)
        making -= 1
        return b"page\n", "text/plain"

    async with serving(pages(slow)) as server, contextlib.AsyncExitStack() as stack:
        stay = [await stack.enter_async_context(connected(server.endpoint)) for _ in range(5)]
        for connection in stay:
            ask(connection)
        await asyncio.sleep(0.3)
        for _ in range(5):
            async with connected(server.endpoint) as leaves:
                ask(leaves)
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        go.set()
        for reader, _ in stay:
            await asyncio.wait_for(reader.readuntil(b"page\n"), 10)
        await asyncio.sleep(0.3)
    assert (most, made) == (1, 5)
