"""Spans of the gateway's own work, made after the fact and sent past its pipelines: they can never go in circles."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_agent_eval import __version__
from otel_agent_eval.annotation.events import SCOPE
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.exporters.exporter import Exporter
from otel_agent_eval.service.sightings import Key
from otel_agent_eval.signals import Payload, Signal

_EVERY: Final = 5.0
"""Seconds between two requests, as SDKs have it."""
_MOST: Final = 2_048
"""Spans that wait at most; what exceeds them is dropped: they are samples."""
_WARN_EVERY: Final = 60.0
_NANO: Final = 1_000_000_000

_log = logging.getLogger(__name__)


class OwnTraces:
    """Makes a share of the spans that it is told of, and sends them until stopped. One event loop."""

    def __init__(
        self,
        exporters: Sequence[Exporter],
        resource: Resource,
        ratio: float,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._exporters = exporters
        self._resource = resource
        self._ratio = ratio
        self._rng = rng or random.Random()  # noqa: S311 (ids and samples, not secrets)
        self._clock = clock
        self._spans: list[Span] = []
        self._warned = float("-inf")

    def note(
        self,
        name: str,
        kind: "Span.SpanKind.ValueType",
        seconds: float,
        attributes: Mapping[str, str | int],
        *,
        failed: bool = False,
        about: Key | None = None,
    ) -> None:
        """Make a span, or not, of what took so long until now; `about` is the span whose answer it was about."""
        if self._rng.random() >= self._ratio or len(self._spans) >= _MOST:
            return
        end = self._clock()
        span = Span(
            name=name,
            kind=kind,
            trace_id=self._rng.randbytes(16),
            span_id=self._rng.randbytes(8),
            start_time_unix_nano=int((end - seconds) * _NANO),
            end_time_unix_nano=int(end * _NANO),
            attributes=[attribute(key, value) for key, value in attributes.items()],
        )
        if failed:
            span.status.code = Status.STATUS_CODE_ERROR
        if about is not None:
            span.links.add(trace_id=bytes.fromhex(about[0]), span_id=bytes.fromhex(about[1]))
        self._spans.append(span)

    async def send_for_ever(self) -> None:
        """Send what has gathered, again and again."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Send what has gathered; what cannot be sent is dropped, and said at most once a minute."""
        spans, self._spans = self._spans, []
        if not spans:
            return
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add(resource=self._resource).scope_spans.add(spans=spans)
        scope.scope.name, scope.scope.version = SCOPE, __version__
        payload = Payload(Signal.TRACES, request.SerializeToString(), len(spans))
        for exporter in self._exporters:
            try:
                await exporter.export(payload)
            except Exception as error:  # noqa: BLE001 (whatever it is, the gateway's work goes on)
                if time.monotonic() - self._warned >= _WARN_EVERY:
                    self._warned = time.monotonic()
                    _log.warning("the gateway's own spans cannot be sent", extra={"error": type(error).__name__})

    async def close(self) -> None:
        """Send what is left, and let go of connections."""
        await self.flush()
        for exporter in self._exporters:
            await exporter.close()
