"""The running gateway: everything a configuration names, wired, started, drained and stopped."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval import __version__
from otel_agent_eval.annotation.answer_metrics import AnswerMetrics, AnswerMetricsOptions
from otel_agent_eval.annotation.catalogue import Bound
from otel_agent_eval.annotation.dimensions import Limits as DimensionLimits
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, evaluator_info
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.config import AgentEval, Config
from otel_agent_eval.conventions import load_readers
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.policy import Policy
from otel_agent_eval.journal import Entry, Receipt
from otel_agent_eval.models.worker import ProcessWorker, ThreadWorker
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service import build
from otel_agent_eval.service.admin import admin_app
from otel_agent_eval.service.choices import choices
from otel_agent_eval.service.options import ScoringOptions
from otel_agent_eval.service.outbox import Outbox
from otel_agent_eval.service.own_metrics import (
    OwnMetrics,
    observe_delivery,
    observe_loss,
    observe_request,
    read_queues,
)
from otel_agent_eval.service.replay import replay
from otel_agent_eval.service.scoring import Scoring, Way
from otel_agent_eval.signals import ExportRequest, Payload, Refused, Signal

_log = logging.getLogger(__name__)

_RECEIVE_SECONDS, _JUDGE_SECONDS, _KEEP_SECONDS, _DELIVER_SECONDS, _CLOSE_SECONDS = 3.0, 6.0, 2.0, 6.0, 2.0
"""How long a stop waits for requests in flight, for scores, for the disk, for destinations, and for models:
orchestrators kill a process that has not ended after 20 or 30 seconds."""
_SAVE_SECONDS = 1.0
"""How often the times of the last failures are written down: an alert may rest on the newest."""


class Gateway:
    """One gateway. `start`, then `stop`; both once.

    `start` raises `ModelError`, `ListenError`, `QueueError` or `ValueError` with one clear message where a part cannot
    be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._destinations = build.destination_signals(config)
        self._gateway_metrics = GatewayMetrics(self._destinations)
        self._journal = build.journal(config, partial(observe_loss, self._gateway_metrics))
        self._delivery = build.delivery(config, self._journal, partial(observe_delivery, self._gateway_metrics))
        self.receivers = build.receivers(config, self._accept, partial(observe_request, self._gateway_metrics))
        self._scoring: Scoring | None = None
        self._engine: Engine | None = None
        self._outbox: Outbox | None = None
        self._evaluators: Mapping[str, EvaluatorInfo] = {}
        self._answers: AnswerMetrics | None = None
        self._own: OwnMetrics | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._not_ready = "starting"
        self.admin: AsgiServer | None = None
        self.stuck = False
        """Whether, after `stop`, a thread of an evaluator still runs: the process must then end without waiting."""

    async def start(self) -> None:
        """Show that it starts, open the journal, load the models, then listen."""
        started = time.monotonic()
        await self._start_admin()
        await self._journal.start()
        descriptions = await self._start_engine()
        evaluators = self._evaluators = {name: evaluator_info(info) for name, info in descriptions.items()}
        answers = self._answers = self._answer_metrics(descriptions, evaluators)
        self._own = OwnMetrics(self._gateway_metrics, answers, _own_resource(), self._last_failures(), self._refresh)
        if self._engine is not None and self._config.agent_eval is not None:
            self._scoring = self._make_scoring(self._config.agent_eval, self._engine, answers, evaluators)
        await self._delivery.start()
        for receiver in self.receivers:
            await receiver.start()
        replaying = replay(self._journal, self._scoring, self._delivery.push, build.AGENT_EVAL)
        self._tasks = [asyncio.create_task(self._save(self._own)), asyncio.create_task(replaying)]
        if Signal.METRICS in self._config.service.pipelines.by_signal():
            self._tasks.append(asyncio.create_task(self._push(self._own)))
        self._not_ready = ""
        _log.info("ready", extra={"seconds": round(time.monotonic() - started, 2), "evaluators": list(evaluators)})

    async def stop(self) -> None:
        """Take nothing more, judge and send what is held, wait for the destinations, and stop."""
        self._not_ready = "stopping"
        await asyncio.gather(*(receiver.stop(_RECEIVE_SECONDS) for receiver in self.receivers))
        if self._scoring is not None:
            await self._scoring.drain(_JUDGE_SECONDS)
        if self._engine is not None:
            await self._close(self._engine)
        if self._outbox is not None:
            self._outbox.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._own is not None:
            self._own.save()
            if Signal.METRICS in self._config.service.pipelines.by_signal():
                self._leave(self._own.request(), ())
        if self._under_way:  # there is no end to it while the disk is full
            await asyncio.wait(self._under_way, timeout=_KEEP_SECONDS)
        await self._delivery.stop(_DELIVER_SECONDS)
        await self._journal.stop()
        if self.admin is not None:
            await self.admin.stop(grace=1.0)
        _log.info("stopped")

    async def _close(self, engine: Engine) -> None:
        try:
            await asyncio.wait_for(engine.close(), _CLOSE_SECONDS)
        except TimeoutError:
            self.stuck = True
            _log.error("an evaluator does not end; it is left behind")

    async def _accept(self, payload: Payload, request: ExportRequest) -> None:
        """Take a request from a receiver; once that was begun it is finished, even if the sender goes away.

        Raises `Refused` while it cannot be kept.
        """
        await asyncio.shield(self._spawn(self._take(payload, request)))

    async def _take(self, payload: Payload, request: ExportRequest) -> None:
        scoring = self._scoring
        if payload.signal is Signal.METRICS or scoring is None or not self._reads(payload.signal):
            await self._keep_received(payload, Way(forwarded=True, read=False), 0)
            return
        way = scoring.way(payload)
        entry = await self._keep_received(payload, way, scoring.bytes if payload.signal is Signal.TRACES else 0)
        receipt = self._receipt(entry) if way.read else Receipt(_nothing)
        try:
            if isinstance(request, ExportTraceServiceRequest):
                await scoring.traces(payload, request, way, receipt)
            elif isinstance(request, ExportLogsServiceRequest) and way.read:
                await scoring.logs(request)
        finally:
            receipt.release()

    async def _keep_received(self, payload: Payload, way: Way, more: int) -> Entry | None:
        """Keep a request for all who want it; `more` bytes are held and will want room, too."""
        if not self._delivery.room(payload.signal, len(payload.body) + more):
            raise Refused("the queue is full")
        if payload.signal is Signal.TRACES and way.read and not self._delivery.room(Signal.LOGS, 0):
            raise Refused("the queue is full")  # there is no end to the events of answers
        others = [build.AGENT_EVAL] if way.read and self._journal.durable else []
        return await self._delivery.accept(payload, others, forward=way.forwarded)

    def _receipt(self, entry: Entry | None) -> Receipt:
        if entry is None or not self._journal.durable:
            return Receipt(_nothing)
        return Receipt(partial(self._journal.settle, entry.mark, build.AGENT_EVAL))

    def _leave(self, payload: Payload, receipts: Sequence[Receipt]) -> None:
        """Have something kept for its destinations."""
        self._spawn(self._keep(payload, receipts))

    async def _keep(self, payload: Payload, receipts: Sequence[Receipt]) -> None:
        if await self._delivery.push(payload):
            for receipt in receipts:
                receipt.release()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def _reads(self, signal: Signal) -> bool:
        pipeline = self._config.service.pipelines.by_signal().get(signal)
        return pipeline is not None and bool(pipeline.processors)

    async def _start_engine(self) -> Mapping[str, Description]:
        settings = self._config.agent_eval
        if settings is None:
            return {}
        worker = ThreadWorker if settings.worker == "thread" else ProcessWorker
        load = partial(load_evaluators, tuple(settings.evaluators), runtime=settings.runtime, choices=choices(settings))
        self._engine = Engine([worker(load)], observe=self._duration)
        await self._engine.start()
        return self._engine.evaluators

    def _make_scoring(
        self, settings: AgentEval, engine: Engine, answers: AnswerMetrics, evaluators: Mapping[str, EvaluatorInfo]
    ) -> Scoring:
        forms = Forms(
            openinference=settings.openinference,
            span_events=settings.events.span_events,
            explanations=settings.events.explanation,
        )
        has_logs = any(Signal.LOGS in signals for signals in self._destinations.values())
        outbox = self._outbox = Outbox(self._leave, forms, events=has_logs)
        options = ScoringOptions(
            mode=settings.mode,
            context_wait=settings.context_wait,
            score_deadline=settings.score_deadline,
            policy=self._policy(settings, engine.evaluators),
            evaluators=evaluators,
            matched=frozenset(name for rule in settings.rules for name in rule.match),
            forms=forms,
            readers=load_readers(),
            held_bytes=settings.limits.bytes,
        )
        return Scoring(build.assembler(settings, options.readers), engine, answers, outbox, options)

    def _policy(self, settings: AgentEval, descriptions: Mapping[str, Description]) -> Policy:
        return build.policy(settings, {name: info.threshold for name, info in descriptions.items()})

    def _answer_metrics(
        self, descriptions: Mapping[str, Description], evaluators: Mapping[str, EvaluatorInfo]
    ) -> AnswerMetrics:
        settings = self._config.agent_eval
        if settings is None:
            return AnswerMetrics(AnswerMetricsOptions(evaluators=()), time.time_ns)
        options = AnswerMetricsOptions(
            evaluators=tuple(evaluators.values()),
            thresholds=build.all_thresholds(self._policy(settings, descriptions)),
            severe=settings.paging_thresholds,
            segments=settings.segments,
            limits=DimensionLimits(values=settings.limits.dimension_values),
        )
        return AnswerMetrics(options, time.time_ns)

    def _last_failures(self) -> LastFailureFile | None:
        path = self._config.service.telemetry.metrics.last_failure_file
        if path is None:
            return None
        try:
            return LastFailureFile(path.expanduser())
        except RuntimeError:  # a user without a home, as in some containers
            _log.warning(
                "there is no home directory: a restart will forget the last failures", extra={"path": str(path)}
            )
            return None

    def _duration(self, name: str, seconds: float) -> None:
        if self._answers is not None:
            self._answers.observe_duration(self._evaluators[name], seconds)

    def _refresh(self) -> None:
        read_queues(self._gateway_metrics, self._journal, self._delivery, self._destinations)
        if self._scoring is not None:
            for lack, spans in self._scoring.held().items():
                self._gateway_metrics.held(lack, spans)
            for bound, total in self._scoring.evictions().items():
                self._gateway_metrics.evicted(Bound(bound), total)

    async def _start_admin(self) -> None:
        address = self._config.service.telemetry.metrics.address
        if address is None:
            return
        app = admin_app(lambda: self._not_ready, self._page)
        self.admin = AsgiServer(app, str(address), "service.telemetry.metrics.address")
        await self.admin.start()

    async def _page(self, accept: str) -> tuple[bytes, str] | None:
        return await self._own.page(accept) if self._own is not None else None

    async def _save(self, own: OwnMetrics) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            own.save()

    async def _push(self, own: OwnMetrics) -> None:
        interval = self._config.service.telemetry.metrics.interval
        while True:
            await asyncio.sleep(interval)
            payload = own.request()
            if self._delivery.room(Signal.METRICS, len(payload.body)):  # cumulative: the next push says it all again
                await self._keep(payload, ())


def _nothing() -> None:
    """Free nothing: the request is not kept for its answers."""


def _own_resource() -> Resource:
    attributes = {
        "service.name": "otel-agent-eval",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    return Resource(attributes=[attribute(name, value) for name, value in attributes.items()])
