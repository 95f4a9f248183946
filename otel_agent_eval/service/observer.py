"""Tells metrics, and spans of the gateway's own where they are wanted, what was received, judged and sent."""

import time

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.service.own_traces import OwnTraces
from otel_agent_eval.service.sightings import Key
from otel_agent_eval.signals import ExportRequest, Payload, Signal, Sink


class Observer:
    """Hears of the work of a gateway; `traces` is None where nobody wants spans of it."""

    def __init__(self, metrics: GatewayMetrics, traces: OwnTraces | None) -> None:
        self.traces = traces
        self._metrics = metrics

    def of(self, sink: Sink) -> Sink:
        """Return a sink that does as another does, observed."""

        async def observed(payload: Payload, request: ExportRequest) -> None:
            self._metrics.request(payload.signal, len(payload.body))
            if self.traces is None:
                await sink(payload, request)
                return
            began, items, taken = time.monotonic(), payload.items, False
            try:
                await sink(payload, request)
                taken = True
            finally:
                about = {catalogue.SIGNAL.name: payload.signal.value, catalogue.ITEMS.name: items}
                seconds = time.monotonic() - began
                self.traces.note("receive", Span.SPAN_KIND_SERVER, seconds, about, failed=not taken)

        return observed

    def attempted(self, destination: str, signal: Signal, seconds: float, items: int, taken: bool) -> None:
        """Note an attempt to send a request."""
        self._metrics.attempted(destination, signal, seconds, items, taken)
        if self.traces is not None:
            about = {
                catalogue.SIGNAL.name: signal.value,
                catalogue.DESTINATION.name: destination,
                catalogue.ITEMS.name: items,
            }
            self.traces.note("send", Span.SPAN_KIND_CLIENT, seconds, about, failed=not taken)

    def waited(self, key: Key, seconds: float) -> None:
        """Note that a span with an answer leaves scoring, after so long."""
        self._metrics.waited(seconds)
        if self.traces is not None:
            self.traces.note("judge", Span.SPAN_KIND_INTERNAL, seconds, {}, about=key)
