"""Bounds on the connections of an HTTP server: how many, how many of one client, and how long they may say nothing."""

import asyncio
import ipaddress
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from otel_agent_eval.seldom import Seldom

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What an HTTP server bears; times in seconds.

    `header_timeout` is for the TLS handshake and for the head of a request, from a connection's beginning or the head's
    first byte; `idle_timeout` for the silence between two requests, and of who does not read its answer. It is longer
    than SDKs wait between spans (5 s) and between metrics (60 s), so that they do not write into a connection that is
    being closed. `unread_bytes` are of all answers that wait to be read; beyond, who reads slowest is closed.

    With `make_room` a connection that is one too many takes the place of another, so that who comes and goes is let in
    beside those who stay, however busy they are. Otherwise it is closed itself.
    """

    connections: int = 4096
    connections_per_client: int | None = None
    header_timeout: float = 10.0
    idle_timeout: float = 75.0
    unread_bytes: int = 32 << 20
    make_room: bool = False


def client_of(address: str) -> str:
    """Return what stands for a client in limits: its IPv4 address, or the first half of an IPv6 address.

    Whoever has one IPv6 address usually has all that share its first half.
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


_NEW = 1.0
"""Seconds in which a connection makes no room for others before it had an answer: a probe's needs no longer."""


class ConnectionBook:
    """The open connections of one server."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[GuardedProtocol] = set()
        self._by_client: Counter[str] = Counter()
        self._refused = Seldom(_log, "connections are closed: there are too many")
        self._slow = Seldom(_log, "connections are closed: their requests do not begin")
        self._deaf = Seldom(_log, "connections are closed: nobody reads the answers")

    def enter(self, connection: "GuardedProtocol", client: str) -> bool:
        """Note a new connection; return whether it may stay."""
        most = self.limits.connections_per_client
        crowded = most is not None and self._by_client[client] >= most
        if crowded or len(self._open) >= self.limits.connections:
            self._refused(client=client)
            if not (self.limits.make_room and self._end_one(client if crowded else None)):
                return False
        self._open.add(connection)
        self._by_client[client] += 1
        return True

    def leave(self, connection: "GuardedProtocol", client: str) -> None:
        """Forget a connection."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]

    def descriptors(self) -> list[int]:
        """Return the files of the open connections."""
        return [one.descriptor() for one in self._open]

    def bound_unread(self) -> None:
        """Close the connections that have been slow to read for longest while all answers together are too large.

        The one that was slow last stays: a page may be larger than the limit, and who reads it is soon through.
        """
        waiting = [(one.unread_since, one.unread_bytes(), one) for one in self._open if one.unread_since is not None]
        waiting.sort(key=lambda entry: entry[0])
        total = sum(size for _, size, _ in waiting)
        for _, size, connection in waiting[:-1]:
            if total <= self.limits.unread_bytes:
                return
            self._deaf(client=connection.client)
            connection.abort()
            total -= size

    def _end_one(self, client: str | None) -> bool:
        """End the connection, of a client or of all, that has the weakest claim to its place; return whether one has.

        Those being answered come after the others: they are soon through. But some never are, for they always ask
        again; so they come before those that were not answered yet.
        """
        now = asyncio.get_running_loop().time()
        ones = [one for one in self._open if client in (None, one.client)]
        if not ones:
            return False
        weakest = min(ones, key=lambda one: (one.is_new(now), one.is_busy, one.heard))
        self.leave(weakest, weakest.client)
        weakest.abort()
        return True

    def close_slow(self, now: float) -> None:
        """Close the connections on which a request takes too long to begin, or an answer too long to be read."""
        latest = now - self.limits.header_timeout
        for connection in [one for one in self._open if one.waits_since is not None and one.waits_since < latest]:
            self._slow(client=connection.client)
            connection.abort()
        latest = now - self.limits.idle_timeout
        for connection in [one for one in self._open if one.unread_since is not None and one.unread_since < latest]:
            self._deaf(client=connection.client)
            connection.abort()


class GuardedProtocol(asyncio.Protocol):
    """Stands before uvicorn's protocol, whichever it is, and hands everything on to it.

    `waits_since` is when the head of a request was begun, or the connection made, None while a request is answered and
    between two requests. `unread_since` is when the client began to read too slowly, None while it does not; `heard`
    when it last said something.
    """

    def __init__(self, inner: Any, book: ConnectionBook) -> None:  # noqa: ANN401 (uvicorn has several, without a base)
        self.client = ""
        self.waits_since: float | None = None
        self.unread_since: float | None = None
        self.heard = 0.0
        self._since = 0.0
        self._first: Any = None  # uvicorn's cycle of the first request
        self._inner = inner
        self._book = book
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or close it at once."""
        transport = cast("asyncio.Transport", transport)  # of a TCP server; uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        self.client = client_of(peer[0]) if peer else ""
        if not self._book.enter(self, self.client):
            transport.abort()
            return
        self._transport = transport
        self.waits_since = self.heard = self._since = asyncio.get_running_loop().time()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what came, and note whether a request has begun with it."""
        if self._transport is None:
            return
        self.heard = asyncio.get_running_loop().time()
        self._inner.data_received(data)
        self._first = self._first or self._inner.cycle
        if self.answering:
            self.waits_since = None
        elif self.waits_since is None:
            self.waits_since = self.heard

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._transport is not None:
            self._transport = None
            self._book.leave(self, self.client)
            self._inner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Hand on that nothing more comes."""
        return bool(self._inner.eof_received()) if self._transport is not None else None

    def pause_writing(self) -> None:
        """Hand on that the client reads too slowly."""
        self.unread_since = asyncio.get_running_loop().time()
        self._inner.pause_writing()
        self._book.bound_unread()

    def resume_writing(self) -> None:
        """Hand on that the client reads again."""
        self.unread_since = None
        self._inner.resume_writing()

    @property
    def answering(self) -> bool:
        """Whether an answer is being made, or waits for the ones before it to be read."""
        cycle = self._inner.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being made that the client is ready to read."""
        return self.answering and self.unread_since is None

    def is_new(self, now: float) -> bool:
        """Whether the connection is young and had no answer yet."""
        return now - self._since < _NEW and (self._first is None or not self._first.response_complete)

    def descriptor(self) -> int:
        """Return the connection's file, -1 when it is closed."""
        return cast("int", self._transport.get_extra_info("socket").fileno()) if self._transport is not None else -1

    def unread_bytes(self) -> int:
        """Return how much of answers waits for the client to read."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
