"""Spans of the gateway's own work, made after the fact."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_agent_eval import __version__
from otel_agent_eval.annotation.events import SCOPE
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.config.service import Telemetry
from otel_agent_eval.service.own_telemetry import OwnTelemetry, own_resource
from otel_agent_eval.service.sightings import Key
from otel_agent_eval.signals import Payload, Signal

_NANO: Final = 1_000_000_000


class OwnTraces:
    """Makes a share of the spans that it is told of, for `telemetry` to send. One event loop."""

    def __init__(
        self,
        telemetry: OwnTelemetry[Span],
        ratio: float,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.telemetry = telemetry
        self._ratio = ratio
        self._rng = rng or random.Random()  # noqa: S311 (ids and samples, not secrets)
        self._clock = clock

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
        if self._rng.random() >= self._ratio:
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
        self.telemetry.add(span)


def own_traces(settings: Telemetry) -> OwnTraces | None:
    """Make what the settings ask for, None where nobody wants spans. Raises `ValueError` for what cannot be used."""
    traces = settings.traces
    if not traces.processors:
        return None
    telemetry = OwnTelemetry(traces.processors, Signal.TRACES, partial(_request, own_resource(settings)))
    return OwnTraces(telemetry, traces.sampler.trace_id_ratio_based.ratio)


def _request(resource: Resource, spans: Sequence[Span]) -> Payload:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add(resource=resource).scope_spans.add(spans=spans)
    scope.scope.name, scope.scope.version = SCOPE, __version__
    return Payload(Signal.TRACES, request.SerializeToString(), len(spans))
