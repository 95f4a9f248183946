"""Who reads the gateway's pages slowly, or holds many connections, costs little; probes get in beside them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from receivers.test_hostile_connections import connected, end_of
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from support.certificates import Authority

from otel_agent_eval import accepted, connections
from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.connections import ConnectionLimits
from otel_agent_eval.listen import ServerTls
from otel_agent_eval.service.admin import LIMITS, admin_app
from otel_agent_eval.service.whereabouts import Whereabouts

PAGE = 16 << 20
"""Bytes: much more than a system takes of what nobody reads."""
Metrics = Callable[[str], Awaitable[tuple[bytes, str]]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def large(_: str) -> tuple[bytes, str]:
    return b"x" * PAGE, "text/plain"


async def page(_: str) -> tuple[bytes, str]:
    return b"page\n", "text/plain"


def pages(metrics: Metrics = large) -> Starlette:
    never: Any = None  # the status page is not asked for
    return admin_app(lambda: "", metrics, never, never)


@asynccontextmanager
async def serving(
    app: Any, limits: ConnectionLimits = LIMITS, tls: ServerTls | None = None
) -> AsyncIterator[AsgiServer]:
    server = AsgiServer(app, "127.0.0.1:0", "test", tls, limits=limits)
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
        for connection in (silent[2], silent[0], silent[1]):
            await asyncio.sleep(0.05)
            ask(connection, "/healthz")
            await connection[0].readuntil(b"ok\n")
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        assert await closed(silent) == [False, False, True]
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"  # in the place of the first probe
        assert await closed(silent) == [False, False, True]


async def test_of_a_client_that_has_too_many_one_of_its_own_is_ended() -> None:
    limits = ConnectionLimits(connections_per_client=2, make_room=True)
    async with serving(pages(), limits) as server, contextlib.AsyncExitStack() as stack:
        sources = ("127.0.0.2", "127.0.0.1", "127.0.0.1")
        made = [await stack.enter_async_context(connected(server.endpoint, source)) for source in sources]
        await answered(*made)
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        assert await closed(made) == [False, True, False]


async def answered(*connections: Connection) -> None:
    for connection in connections:
        ask(connection, "/healthz")
        await asyncio.wait_for(connection[0].readuntil(b"ok\n"), 10)


def slow_and_large(goes_on: asyncio.Event) -> Any:
    """Make an application whose `/slow` waits, and whose `/large` takes a while to be read."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await goes_on.wait()
        said = "x" * PAGE if scope["path"] == "/large" else "ok\n"
        await PlainTextResponse(said)(scope, receive, send)

    return app


async def test_who_is_being_answered_makes_room_after_all_others() -> None:
    goes_on = asyncio.Event()
    limits = ConnectionLimits(connections=3, make_room=True)
    async with serving(slow_and_large(goes_on), limits) as server, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(server.endpoint)) for _ in range(3)]
        first, second, silent = made
        await answered(*made)
        ask(first, "/slow")
        await asyncio.sleep(0.1)
        ask(second, "/slow")
        await asyncio.sleep(0.1)
        await answered(silent)
        last = await stack.enter_async_context(connected(server.endpoint))
        await answered(last)
        assert await closed(made) == [False, False, True]
        ask(last, "/slow")
        await asyncio.sleep(0.1)
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"  # though all are being answered
        assert await closed([*made, last]) == [True, False, True, False]
        goes_on.set()
        for reader, _ in (second, last):
            assert (await asyncio.wait_for(reader.readuntil(b"ok\n"), 10)).startswith(b"HTTP/1.1 200 ")


async def test_who_does_not_read_its_answer_makes_room_before_who_waits_for_one() -> None:
    goes_on = asyncio.Event()
    limits = ConnectionLimits(connections=2, make_room=True)
    async with serving(slow_and_large(goes_on), limits) as server, contextlib.AsyncExitStack() as stack:
        waits, deaf = made = [await stack.enter_async_context(connected(server.endpoint)) for _ in range(2)]
        await answered(*made)
        ask(waits, "/slow")
        await asyncio.sleep(0.1)
        deaf[1].transport.pause_reading()  # type: ignore[attr-defined]  # of a TCP connection
        ask(deaf, "/large", times=2)
        await asyncio.sleep(0.3)
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        deaf[1].transport.resume_reading()  # type: ignore[attr-defined]
        assert await closed(made) == [False, True]


@pytest.mark.parametrize("new", [True, False])
async def test_who_has_just_come_has_a_moment_to_ask(new: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else of busy connections each that comes back would end the probe that has not asked yet."""
    monkeypatch.setattr(connections, "_NEW", 60.0 if new else 0.2)
    limits = ConnectionLimits(connections=2, make_room=True)
    async with serving(slow_and_large(asyncio.Event()), limits) as server, contextlib.AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(server.endpoint)) for _ in range(2)]
        await answered(made[0])
        ask(made[0], "/slow")
        await asyncio.sleep(0.3)
        assert await probe(server.endpoint) == "HTTP/1.1 200 OK"
        assert await closed(made) == [new, not new]


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
async def test_probes_get_in_beside_connections_that_ask_without_end(path: str) -> None:
    async def ask_for_ever(endpoint: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                async with connected(endpoint) as (reader, writer):
                    ask((reader, writer), path, times=100)
                    while await reader.read(1 << 10):
                        ask((reader, writer), path, times=10)

    async with serving(pages(page)) as server:
        busy = [asyncio.create_task(ask_for_ever(server.endpoint)) for _ in range(16)]
        await asyncio.sleep(0.5)
        try:
            assert [await probe(server.endpoint) for _ in range(10)] == ["HTTP/1.1 200 OK"] * 10
        finally:
            for one in busy:
                one.cancel()
            await asyncio.wait(busy)


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


async def test_no_more_readers_are_ended_than_are_too_many() -> None:
    limits = ConnectionLimits(unread_bytes=2 * PAGE)
    async with serving(pages(), limits) as server, contextlib.AsyncExitStack() as stack:
        assert server._server is not None
        book = server._server._book
        for number in range(1, 13):
            deaf = await stack.enter_async_context(connected(server.endpoint))
            deaf[1].transport.pause_reading()  # type: ignore[attr-defined]
            ask(deaf)
            await asyncio.sleep(0.1)
            assert len([one for one in book._open if one.unread_since is not None]) >= min(number, 2)
        assert len(book._open) < 12


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


@pytest.mark.parametrize("each", [True, False], ids=["of one client", "altogether"])
async def test_handshakes_that_do_not_end_make_room_and_leave_alone_who_is_through(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, each: bool
) -> None:
    monkeypatch.setattr(accepted, "_LOOK_EVERY", 0.2)
    looked = 1.5  # seconds
    pair = authority.issue("server")
    tls = ServerTls(cert_file=pair.cert, key_file=pair.key)
    limits = (
        ConnectionLimits(connections_per_client=3, make_room=True)
        if each
        else ConnectionLimits(connections=3, make_room=True)
    )
    async with serving(pages(), limits, tls) as server, contextlib.AsyncExitStack() as stack:

        async def silent(source: str) -> Connection:
            return await stack.enter_async_context(connected(server.endpoint, source))

        sources = ("127.0.0.1",) * 3 if each else ("127.0.0.2", "127.0.0.3", "127.0.0.4")
        before = [await silent(source) for source in sources]
        await asyncio.sleep(looked)
        host, port = server.endpoint.split(":")
        live = await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context(cafile=authority.cert))
        stack.callback(live[1].close)
        await answered(live)
        await asyncio.sleep(looked)
        await answered(live)
        assert await closed(before) == [False] * 3
        after = [await silent(source) for source in sources[:2]]
        await asyncio.sleep(looked)
        await answered(live)
        assert await closed(after) == [False] * 2
        assert sum(await closed(before)) == 2


async def test_a_system_that_shows_no_open_files_is_told_of(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(accepted, "_DESCRIPTORS", tmp_path / "fd")
    pair = authority.issue("server")
    async with serving(pages(), tls=ServerTls(cert_file=pair.cert, key_file=pair.key)):
        pass
    assert [record.message for record in caplog.records if "not counted" in record.message] == [
        "TLS handshakes that do not end are not counted"
    ]


async def test_prometheus_does_not_wait_for_those_who_search() -> None:
    searches = 0

    async def search(_: str) -> Whereabouts:
        nonlocal searches
        searches += 1
        await asyncio.Event().wait()
        raise AssertionError("a search goes on until the server is stopped")

    never: Any = None  # after a search no more is made
    app = admin_app(lambda: "", page, never, search)
    async with serving(app) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            ask(await stack.enter_async_context(connected(server.endpoint)), f"/status?id={'ab' * 16}")
        await asyncio.sleep(0.3)
        async with connected(server.endpoint) as prometheus:
            ask(prometheus)
            await asyncio.wait_for(prometheus[0].readuntil(b"page\n"), 10)
        assert searches == 1
