"""Telemetry of the gateway's own, gathered and sent past its pipelines: it can never go in circles."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Final, Generic, TypeVar

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval import __version__
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.config.own_telemetry import OwnOtlp, OwnProcessor
from otel_agent_eval.config.service import Telemetry
from otel_agent_eval.exporters import Exporter, otlp_grpc, otlp_http
from otel_agent_eval.exporters.exporter import ExportError, Retryable
from otel_agent_eval.seldom import Seldom
from otel_agent_eval.service.edges import client_tls
from otel_agent_eval.signals import Payload, Signal

_EVERY: Final = 5.0
"""Seconds between two requests, as SDKs have it."""
_TOGETHER: Final = 512
"""Items of a request at most, as SDKs have it."""
_MOST: Final = 2_048
"""Items that wait at most; what exceeds them is dropped."""
_LAST_SECONDS: Final = 2.0
"""How long a stop waits for what is left to be sent."""

_T = TypeVar("_T")
Pack = Callable[[Sequence[_T]], Payload]
"""Makes a request of some items."""

sending: Final[ContextVar[Signal | None]] = ContextVar("sending", default=None)
"""Whose sending is at work here: what it logs must not be sent by it again."""

_log = logging.getLogger(__name__)


def own_resource(settings: Telemetry) -> Resource:
    """Return what telemetry of the gateway's own says about where it comes from."""
    attributes = {
        "service.name": "otel-agent-eval",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        **settings.resource,
    }
    return Resource(attributes=[attribute(name, value) for name, value in attributes.items() if value is not None])


class OwnTelemetry(Generic[_T]):
    """Sends items of one kind to all endpoints that want them, from `start` until `stop`."""

    def __init__(
        self, processors: Iterable[OwnProcessor], signal: Signal, pack: Pack[_T], *, every: float = _EVERY
    ) -> None:
        """Make an exporter for each endpoint, in an event loop. Raises `ValueError` for what cannot be used."""
        exporters = [_exporter(each.batch.exporter.otlp, signal) for each in processors]
        self._outlets = [_Outlet(exporter, signal, pack, every) for exporter in exporters]
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to send to."""
        return bool(self._outlets)

    def add(self, item: _T) -> None:
        """Have an item sent. Never blocks; may be called from any thread, before `start`, too."""
        for outlet in self._outlets:
            outlet.add(item)

    def start(self) -> None:
        """Send every few seconds from now on."""
        self._tasks = [asyncio.create_task(outlet.send_until(self._stopping)) for outlet in self._outlets]

    async def stop(self) -> None:
        """Send what is left, if that does not take long, and let go of connections."""
        self._stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(outlet.close() for outlet in self._outlets))


class _Outlet(Generic[_T]):
    """What waits for one endpoint."""

    def __init__(self, exporter: Exporter, signal: Signal, pack: Pack[_T], every: float) -> None:
        self._exporter = exporter
        self._signal = signal
        self._pack = pack
        self._every = every
        # A list takes and gives items in one step, whichever thread asks; a lock could be wanted twice by one thread,
        # where what it holds up is a log line of a destructor.
        self._items: list[_T] = []
        self._dropped = self._told = 0
        self._warn = Seldom(_log, f"{signal} of the gateway's own cannot be sent")

    def add(self, item: _T) -> None:
        if len(self._items) < _MOST:
            self._items.append(item)
        else:
            self._dropped += 1

    async def send_until(self, stopping: asyncio.Event) -> None:
        sending.set(self._signal)  # of this task, and of what it awaits
        stopped = False
        while not stopped:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._every)
            stopped = stopping.is_set()
            await self._flush()

    async def close(self) -> None:
        sending.set(self._signal)
        if self._items:
            _log.warning(f"stopped before all {self._signal} of the gateway's own were sent", extra=self._numbers())
        await self._exporter.close()

    def _numbers(self) -> dict[str, int]:
        return {"waiting": len(self._items), "dropped": self._dropped}

    async def _flush(self) -> None:
        """Send what has gathered, and say at most once a minute that something cannot be sent, or was dropped."""
        problem = await self._send()
        if problem or self._dropped > self._told:
            self._told = self._dropped
            self._warn(error=problem or "too many", **self._numbers())

    async def _send(self) -> str:
        """Send all; return why not. What cannot be taken now stays, what never will be is dropped."""
        problem = ""
        while batch := self._items[:_TOGETHER]:
            try:
                await self._exporter.export(self._pack(batch))
            except Exception as error:  # noqa: BLE001 (whatever it is, the gateway's work goes on)
                problem = error.kind if isinstance(error, ExportError) else type(error).__name__
                if isinstance(error, Retryable):
                    break
                self._dropped += len(batch)
            del self._items[: len(batch)]
        return problem


def _exporter(otlp: OwnOtlp, signal: Signal) -> Exporter:
    name, tls = f"service.telemetry.{signal}", client_tls(otlp.tls)
    if otlp.protocol == "grpc":
        address, insecure = str(otlp.endpoint.address), otlp.endpoint.scheme == "http"
        return otlp_grpc.OtlpGrpcExporter(name, address, insecure=insecure, tls=tls, headers=otlp.headers)
    return otlp_http.OtlpHttpExporter(name, {signal: otlp.url(signal)}, tls=tls, headers=otlp.headers)
