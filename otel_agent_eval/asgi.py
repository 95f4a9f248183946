"""Serves an ASGI application as a part of a larger process."""

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable, Iterator
from socket import socket
from typing import Any

import uvicorn

from otel_agent_eval.accepted import AcceptedConnections
from otel_agent_eval.connections import ConnectionBook, ConnectionLimits, GuardedProtocol
from otel_agent_eval.listen import ServerTls, bind, join_endpoint, split_endpoint
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.tls import FollowingContext, telling
from otel_agent_eval.watched import Watched

_TICKS_A_SECOND = 10  # of uvicorn's main loop

_log = logging.getLogger(__name__)


class AsgiServer:
    """Serves `app` at `endpoint` (`host:port`; port 0 takes a free one, which `endpoint` then names).

    `key` is where the endpoint is configured, for the message when it cannot be used. `handshake_failed` is called
    for each TLS handshake that fails.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 (ASGI's)
        endpoint: str,
        key: str,
        tls: ServerTls | None = None,
        limits: ConnectionLimits | None = None,
        handshake_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self._app = app
        self._key = key
        self._tls = tls
        self._limits = limits or ConnectionLimits()
        self._handshake_failed = handshake_failed
        self._warn = Seldom(_log, "connections are closed: their TLS handshake failed")
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; returns when requests are served. Raises `ListenError`."""
        config = uvicorn.Config(
            self._app,
            http="h11",  # which bounds the head of a request; uvicorn would take httptools where that is installed
            lifespan="off",
            ws="none",
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            timeout_keep_alive=math.ceil(self._limits.idle_timeout),
            server_header=False,
            proxy_headers=False,
        )
        config.load()
        config.ssl = self._following(self._tls) if self._tls else None
        listener = bind(self.endpoint, self._key)
        host, _ = split_endpoint(self.endpoint, self._key)
        port = listener.getsockname()[1]
        self.endpoint = join_endpoint(host, port)
        book = ConnectionBook(self._limits)
        self._server = _Server(config, book)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.ready.wait()
        if self._tls is not None:
            self._watch = self._watch_handshakes(host, port, book)

    async def stop(self, grace: float = 5.0) -> None:
        """Accept nothing new, let requests in flight finish for `grace` seconds, then cancel them."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = math.ceil(grace)
        self._server.should_exit = True
        await self._serving
        if self._watch is not None:
            self._watch.cancel()

    def _following(self, tls: ServerTls) -> ssl.SSLContext:
        def load() -> ssl.SSLContext:
            return telling(tls.context(), self._failed)

        return FollowingContext(ssl.PROTOCOL_TLS_SERVER, Watched(tls.files, load, interval=tls.reload_interval).get)

    def _failed(self, reason: str) -> None:
        """Count a handshake that failed, and tell of it once a minute."""
        self._handshake_failed()
        self._warn(key=self._key, reason=reason)

    def _watch_handshakes(self, host: str, port: int, book: ConnectionBook) -> asyncio.Task[None] | None:
        """Count connections before their handshake is over, too, where the system shows them."""
        limits = self._limits
        try:
            accepted = AcceptedConnections(
                host,
                port,
                per_client=limits.connections_per_client,
                altogether=limits.connections,
                let_in=book.descriptors if limits.make_room else None,
            )
        except OSError as error:
            _log.warning("TLS handshakes that do not end are not counted", extra={"key": self._key, "why": str(error)})
            return None
        return asyncio.create_task(accepted.watch())


class _Server(uvicorn.Server):
    """uvicorn without a process of its own: signals are the process's business, and it says when it is ready."""

    def __init__(self, config: uvicorn.Config, book: ConnectionBook) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._book = book

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timeout = self._book.limits.header_timeout if self.config.ssl else None
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=listener,
                ssl=self.config.ssl,
                ssl_handshake_timeout=timeout,
                backlog=self.config.backlog,
            )
            for listener in sockets or ()
        ]
        self.started = True
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_SECOND == 0:
            self._book.close_slow(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _protocol(self) -> GuardedProtocol:
        inner: Any = self.config.http_protocol_class
        made = inner(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return GuardedProtocol(made, self._book)
