"""The gateway's metrics: one set of numbers, served as a page and pushed over OTLP."""

import time
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval import __version__
from otel_agent_eval.annotation.answer_metrics import AnswerMetrics, AnswerMetricsOptions
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.annotation.otlp import Moment, metrics_request
from otel_agent_eval.annotation.prometheus import page
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.signals import Signal

SERVICE: Final = "otel-agent-eval"


class Metrics:
    """All metrics of one gateway.

    `answers` counts verdicts, `gateway` what passes through: from the event loop only. `page` and `push` take some
    10 µs a series and may run in another thread. `save` writes the last failures to the state file if they changed:
    call it every second or so, and at the end.
    """

    def __init__(
        self,
        options: AnswerMetricsOptions,
        destinations: Mapping[str, Collection[Signal]],
        state_file: Path | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """`state_file` keeps the times of last failures across restarts; `now` gives Unix nanoseconds.

        Raises `ValueError` where a segment cannot be an attribute.
        """
        self._now = now
        self._started = now()
        self._pushed = 0
        self._resource = Resource(
            attributes=[
                attribute("service.name", SERVICE),
                attribute("service.version", __version__),
                attribute("service.instance.id", str(uuid.uuid4())),
            ]
        )
        self.answers = AnswerMetrics(options, now)
        self.gateway = GatewayMetrics(destinations)
        self._tables = (*self.answers.tables, *self.gateway.tables)
        self._file = LastFailureFile(state_file) if state_file else None
        if self._file:
            self.answers.restore(self._file.load(self._started / 1e9))
        self._saved = list(self.answers.failures())

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """Return the body and content type of `/metrics` for a request's `Accept` header."""
        return page(self._tables, accept)

    def push(self) -> ExportMetricsServiceRequest:
        """Return everything as an OTLP request, with the exemplars since the push before."""
        moment = Moment(self._started, self._now(), self._pushed)
        self._pushed = moment.now
        return metrics_request(self._tables, self._resource, moment)

    def save(self) -> None:
        """Write the last failures to the state file, if there is one and they changed since it was written."""
        if not self._file:
            return
        failures = list(self.answers.failures())
        if failures != self._saved and self._file.save(failures):
            self._saved = failures
