"""Serves an ASGI application as a part of a larger process."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterator
from socket import socket
from typing import Any

import uvicorn

from otel_agent_eval.listen import ServerTls, bind, join_endpoint, split_endpoint

_KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than SDKs wait between spans (5 s) and between metrics (60 s), so that
they do not write into a connection that is being closed."""


class AsgiServer:
    """Serves `app` at `endpoint` (`host:port`; port 0 takes a free one, which `endpoint` then names).

    `key` is where the endpoint is configured, for the message when it cannot be used.
    """

    def __init__(self, app: Any, endpoint: str, key: str, tls: ServerTls | None = None) -> None:  # noqa: ANN401 (ASGI's)
        self.endpoint = endpoint
        self._app = app
        self._key = key
        self._tls = tls
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; returns when requests are served. Raises `ListenError`."""
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            server_header=False,
            proxy_headers=False,
        )
        config.load()
        config.ssl = self._tls.context() if self._tls else None
        listener = bind(self.endpoint, self._key)
        host, _ = split_endpoint(self.endpoint, self._key)
        self.endpoint = join_endpoint(host, listener.getsockname()[1])
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.ready.wait()

    async def stop(self, grace: float = 5.0) -> None:
        """Accept nothing new, let requests in flight finish for `grace` seconds, then cancel them."""
        if self._server is None or self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = math.ceil(grace)
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """uvicorn without a process of its own: signals are the process's business, and it says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
