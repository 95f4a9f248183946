"""The state of the gateway at one moment, as `/status` tells it: counts, times and places, never content or secrets."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from otel_agent_eval import __version__
from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import Refusal, Transport
from otel_agent_eval.annotation.definitions import Attribute, Metric
from otel_agent_eval.annotation.instruments import AnyTable, Number
from otel_agent_eval.config import Config
from otel_agent_eval.delivery import Delivery, DestinationStats, StrayLetters
from otel_agent_eval.journal import Journal
from otel_agent_eval.service.judges import Judges
from otel_agent_eval.service.reload import History

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverStatus:
    """All receivers of a protocol: what they took (items by signal) and refused (requests by reason), and why last."""

    protocol: str
    endpoints: tuple[str, ...]
    received: Counts
    refused: Counts
    last_refused: float
    last_refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorStatus:
    """An evaluator: who judges (`builtin/toxicity@3`), and how its evaluations have ended so far."""

    name: str
    version: str
    labels: Counts
    skipped: Counts
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationStatus:
    """How answers are judged, and what waits: `waiting` for models, `held` spans by what they lack."""

    mode: str
    runtime: str
    worker: str
    workers: int
    waiting: int
    held: Counts
    forgotten: Counts
    evaluators: tuple[EvaluatorStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """A destination: what waits, since when, what went, and what it said last; ages and waits in seconds.

    `dead_letters` are parked, `resending` were parked and are to be sent again.
    """

    name: str
    endpoints: tuple[str, ...]
    removed: bool
    queued_requests: int
    queued_bytes: int
    oldest_age: float
    next_retry: float | None
    retries: int
    sent: Counts
    dropped: Counts
    dead_letters: int
    resending: int
    last_error: str
    last_error_time: float
    not_taken: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything but what is asked for by an id. `state` is `ready`, or why no telemetry is taken.

    Times are Unix seconds, 0 for never. Counts are since the start of the process, those of evaluators since the
    settings that they are counted by.
    """

    version: str
    state: str
    now: float
    started: float
    config: History
    receivers: tuple[ReceiverStatus, ...]
    evaluation: EvaluationStatus | None
    destinations: tuple[DestinationStatus, ...]
    queue_place: str
    queue_bytes: int
    queue_limit: int
    queue_unreadable: int


class LastRefusals:
    """When receivers refused last, and why, by protocol."""

    def __init__(self) -> None:
        self._last: dict[Transport, tuple[float, str]] = {}

    def note(self, transport: Transport, why: Refusal) -> None:
        """Note that a request was refused."""
        self._last[transport] = (time.time(), why.value)

    def of(self, transport: Transport) -> tuple[float, str]:
        """Return the time and the reason, or 0 and nothing."""
        return self._last.get(transport, (0.0, ""))


def receiver_status(
    listening: Mapping[Transport, Iterable[str]], tables: Iterable[AnyTable], refusals: LastRefusals
) -> tuple[ReceiverStatus, ...]:
    """Return the status of the receivers, given by protocol where they listen."""
    every = tuple(tables)
    return tuple(
        ReceiverStatus(
            protocol=transport.value,
            endpoints=tuple(endpoints),
            received=_totals(every, catalogue.RECEIVED, catalogue.SIGNAL, {catalogue.TRANSPORT: transport}),
            refused=_totals(every, catalogue.REFUSED, catalogue.REFUSAL, {catalogue.TRANSPORT: transport}),
            last_refused=refusals.of(transport)[0],
            last_refusal=refusals.of(transport)[1],
        )
        for transport, endpoints in listening.items()
    )


def evaluation_status(config: Config, judges: Judges) -> EvaluationStatus | None:
    """Return the status of evaluation, None where nothing is judged."""
    settings, scoring = config.agent_eval, judges.scoring
    if settings is None or scoring is None:
        return None
    tables, raw = judges.answers.tables, catalogue.EVALUATIONS_RAW
    return EvaluationStatus(
        mode=settings.mode,
        runtime=settings.runtime,
        worker=settings.worker,
        workers=judges.workers,
        waiting=judges.waiting,
        held={lack.value: spans for lack, spans in scoring.held().items()},
        forgotten={bound: total for bound, total in scoring.evictions().items() if total},
        evaluators=tuple(
            EvaluatorStatus(
                name=name,
                version=info.version,
                labels=_totals(tables, raw, catalogue.EVALUATION_LABEL, {catalogue.EVALUATION_NAME: name}),
                skipped=_totals(tables, raw, catalogue.REASON, {catalogue.EVALUATION_NAME: name}),
                failed=_totals(tables, raw, catalogue.OUTCOME, {catalogue.EVALUATION_NAME: name}).get("failed", 0),
            )
            for name, info in judges.evaluators.items()
        ),
    )


def destination_status(config: Config, stats: DestinationStats, tables: Iterable[AnyTable]) -> DestinationStatus:
    """Return the status of a destination."""
    where, every = {catalogue.DESTINATION: stats.name}, tuple(tables)
    exporter = config.exporters.get(stats.name)
    return DestinationStatus(
        name=stats.name,
        endpoints=tuple(str(replace(url, query="")) for url in (exporter.endpoints() if exporter else {}).values()),
        removed=stats.removed,
        queued_requests=stats.queued_requests,
        queued_bytes=stats.queued_bytes,
        oldest_age=stats.oldest_age,
        next_retry=stats.next_retry,
        retries=stats.retries,
        sent=_totals(every, catalogue.FORWARDED, catalogue.SIGNAL, where),
        dropped=_totals(every, catalogue.DROPPED, catalogue.DROP, where),
        dead_letters=stats.dead_letters,
        resending=stats.resending,
        last_error=stats.last_error.kind if stats.last_error else "",
        last_error_time=stats.last_error.time if stats.last_error else 0.0,
        not_taken=tuple(sorted(stats.unsupported)),
    )


def stray_status(stray: StrayLetters) -> DestinationStatus:
    """Return the status of a destination of which only dead letters are left."""
    return DestinationStatus(
        name=stray.destination,
        endpoints=(),
        removed=True,
        queued_requests=0,
        queued_bytes=0,
        oldest_age=0.0,
        next_retry=None,
        retries=0,
        sent={},
        dropped={},
        dead_letters=stray.parked,
        resending=stray.resending,
        last_error="",
        last_error_time=0.0,
        not_taken=(),
    )


class StatusBoard:
    """Gathers the status of a gateway from its parts; `state` says why no telemetry is taken, `""` while it is."""

    def __init__(
        self,
        journal: Journal,
        delivery: Delivery,
        judges: Judges,
        tables: Iterable[AnyTable],
        *,
        state: Callable[[], str],
    ) -> None:
        self.history = History()
        self.refusals = LastRefusals()
        self.started = time.time()
        self._journal = journal
        self._delivery = delivery
        self._judges = judges
        self._tables = tuple(tables)
        self._state = state

    def now(self, config: Config, listening: Mapping[Transport, Iterable[str]]) -> Status:
        """Return the status of now, under the configuration in effect and where receivers listen."""
        queue = config.service.queue
        return Status(
            version=__version__,
            state=self._state() or "ready",
            now=time.time(),
            started=self.started,
            config=self.history,
            receivers=receiver_status(listening, self._tables, self.refusals),
            evaluation=evaluation_status(config, self._judges),
            destinations=(
                *(destination_status(config, stats, self._tables) for stats in self._delivery.stats()),
                *map(stray_status, self._delivery.strays()),
            ),
            queue_place="memory" if queue.storage == "memory" else str(queue.folder()),
            queue_bytes=self._journal.size,
            queue_limit=queue.bytes,
            queue_unreadable=self._journal.unreadable,
        )


def _totals(
    tables: Iterable[AnyTable], metric: Metric, by: Attribute, where: Mapping[Attribute, str]
) -> dict[str, int]:
    """Return the sums of a metric by the values of one attribute, of the series where others have these values."""
    table = next(table for table in tables if table.metric is metric)
    place = table.attributes.index(by.name)
    wanted = [(table.attributes.index(attribute.name), value) for attribute, value in where.items()]
    found: dict[str, int] = {}
    for values, series in table.items():
        if isinstance(series, Number) and series.value and all(values[index] == value for index, value in wanted):
            found[values[place]] = found.get(values[place], 0) + int(series.value)
    return {value: count for value, count in sorted(found.items()) if value}
