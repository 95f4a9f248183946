"""The gateway's metrics: counted by what the rooms report, served as a page, pushed over OTLP, kept across restarts."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics
from otel_agent_eval.annotation.catalogue import Drop, Refusal
from otel_agent_eval.annotation.catalogue import Transport as TransportName
from otel_agent_eval.annotation.collector import collector_tables
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.instruments import AnyTable
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.annotation.otlp import Moment, metrics_request
from otel_agent_eval.annotation.prometheus import page
from otel_agent_eval.delivery import Delivery, Fate
from otel_agent_eval.journal import Journal, Loss
from otel_agent_eval.receivers import Cause, Transport
from otel_agent_eval.service.status import LastRefusals
from otel_agent_eval.signals import Payload, Signal

_REFUSALS: Final[Mapping[Cause, Refusal]] = {
    Cause.MALFORMED: Refusal.MALFORMED,
    Cause.NO_SUCH_PATH: Refusal.UNSUPPORTED,
    Cause.WRONG_METHOD: Refusal.UNSUPPORTED,
    Cause.TOO_LARGE: Refusal.TOO_LARGE,
    Cause.UNSUPPORTED_MEDIA_TYPE: Refusal.UNSUPPORTED,
    Cause.UNAUTHENTICATED: Refusal.UNAUTHENTICATED,
    Cause.THROTTLED: Refusal.THROTTLED,
    Cause.FULL: Refusal.JOURNAL_FULL,
    Cause.MEMORY: Refusal.MEMORY,
    Cause.SLOW: Refusal.SLOW,
    Cause.STOPPING: Refusal.STOPPING,
    Cause.INTERNAL: Refusal.INTERNAL,
}
_DROPS: Final[Mapping[Fate, Drop]] = {
    Fate.REJECTED: Drop.REJECTED,
    Fate.UNSUPPORTED: Drop.UNIMPLEMENTED,
    Fate.EXPIRED: Drop.EXPIRED,
    Fate.STOPPED: Drop.STOPPING,
}
_LOSSES: Final[Mapping[Loss, Drop]] = {
    Loss.FULL: Drop.JOURNAL_FULL,
    Loss.EXPIRED: Drop.EXPIRED,
    Loss.UNREADABLE: Drop.UNREADABLE,
}


class OwnMetrics:
    """All numbers of one gateway.

    `answers` gives those of now: with other thresholds they begin anew. `refresh` is called before the numbers are
    read: it sets those that are states, not counts.
    """

    def __init__(
        self,
        gateway: GatewayMetrics,
        answers: Callable[[], AnswerMetrics],
        resource: Resource,
        last_failures: LastFailureFile | None,
        refresh: Callable[[], None],
    ) -> None:
        self._gateway = gateway
        self._answers = answers
        self._resource = resource
        self._file = last_failures
        self._refresh = refresh
        self._start = self._pushed = time.time_ns()
        if last_failures is not None:
            answers().restore(last_failures.load(time.time()))

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page for an `Accept` header, and its content type."""
        self._refresh()
        return await asyncio.to_thread(page, self._tables(), accept)  # thousands of series take a while

    def request(self) -> Payload:
        """Return the numbers of now as an OTLP request."""
        self._refresh()
        moment = Moment(self._start, time.time_ns(), self._pushed)
        self._pushed = moment.now
        message = metrics_request(self._tables(), self._resource, moment)
        points = sum(len(m.sum.data_points) + len(m.gauge.data_points) + len(m.histogram.data_points)
                     for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics)  # fmt: skip
        return Payload(Signal.METRICS, message.SerializeToString(), points)

    def _tables(self) -> list[AnyTable]:
        own = self._gateway.tables
        return [*self._answers().tables, *own, *collector_tables(own)]

    def save(self) -> None:
        """Keep the times of the last failures for the next start."""
        if self._file is not None:
            self._file.save(self._answers().failures())


def observe_request(
    metrics: GatewayMetrics,
    refusals: LastRefusals,
    signal: Signal,
    transport: Transport,
    items: int,
    cause: Cause | None,
) -> None:
    """Count a request that a receiver has answered."""
    name = TransportName(transport.value)
    if cause is None:
        metrics.received(signal, name, items)
    else:
        metrics.refused(signal, name, _REFUSALS[cause], items)
        refusals.note(name, _REFUSALS[cause])


def observe_delivery(metrics: GatewayMetrics, destination: str, signal: Signal, fate: Fate, items: int) -> None:
    """Count what became of a request at a destination."""
    if fate is Fate.SENT:
        metrics.forwarded(signal, destination, items)
    else:
        metrics.dropped(signal, destination, _DROPS[fate], items)


def observe_loss(metrics: GatewayMetrics, destination: str, signal: Signal, loss: Loss, items: int) -> None:
    """Count what the journal has given up."""
    metrics.dropped(signal, destination, _LOSSES[loss], items)


def read_queues(metrics: GatewayMetrics, journal: Journal, delivery: Delivery) -> None:
    """Set the numbers of what is kept, and of what waits for each destination."""
    metrics.journal(journal.size, journal.unreadable)
    for stats in delivery.stats():
        for signal in stats.signals:
            metrics.queued(signal, stats.name, stats.queued_by_signal.get(signal, 0))
        metrics.queue(stats.name, size=stats.queued_bytes, age=stats.oldest_age, dead_letters=stats.dead_letters)
