"""The way of agents' telemetry: read, hold, judge, annotate, send on."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics
from otel_agent_eval.annotation.catalogue import Lack
from otel_agent_eval.annotation.result import EvaluatorInfo, Forms, JudgedSpan
from otel_agent_eval.annotation.sampling import adjusted_count
from otel_agent_eval.annotation.spans import annotate
from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions import capture_switch, could_hold_content, read
from otel_agent_eval.conventions.attribute import attribute
from otel_agent_eval.conventions.extract import Extract, Reader, Role
from otel_agent_eval.conventions.span import SpanView, view_log, view_resource, view_span
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.evaluation.policy import Policy
from otel_agent_eval.service.held import HeldSpan, drop_empty, shell_of, take
from otel_agent_eval.service.outbox import Outbox
from otel_agent_eval.signals import Payload, Signal

_log = logging.getLogger(__name__)

_SPANS_A_TURN = 64
"""Spans that are read before the event loop gets its turn: agents' spans cost up to a millisecond each."""
_REMEMBERED = 20_000
"""Spans that left without content, for which log records may still come."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """How answers are judged; times in seconds.

    `matched` names the attributes that the policy's rules look at.
    """

    mode: Literal["annotate", "side"]
    score_deadline: float
    policy: Policy
    evaluators: Mapping[str, EvaluatorInfo]
    matched: Collection[str] = ()
    forms: Forms = field(default_factory=Forms)
    readers: Sequence[Reader]


@dataclass(slots=True, eq=False)
class _Pending:
    """What must be known of a span when its verdict comes. `held` is empty in side mode and once the span has left."""

    resource: Resource
    flags: int
    weight: float
    matched: Mapping[str, object]
    switch: str
    held: list[HeldSpan]


class Scoring:
    """Judges what assembly finds, and sends spans on with their scores.

    Everything that is taken leaves through the outbox: at once where it holds no answer, else when judged or when its
    time is up.
    """

    def __init__(
        self,
        assembler: Assembler,
        engine: Engine,
        metrics: AnswerMetrics,
        outbox: Outbox,
        options: ScoringOptions,
        clock: Clock = time.monotonic,
    ) -> None:
        self._assembler = assembler
        self._engine = engine
        self._metrics = metrics
        self._outbox = outbox
        self._options = options
        self._clock = clock
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._left: OrderedDict[tuple[str, str], _Pending] = OrderedDict()
        self._judging: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._told: set[tuple[str, str]] = set()
        self._reading = 0
        self.held_bytes = 0

    def held(self) -> Mapping[Lack, int]:
        """Return how many spans wait, by what they lack."""
        return {Lack.SCORES: len(self._judging), Lack.DOCUMENTS: self._assembler.held}

    def evictions(self) -> Mapping[str, int]:
        """Return what assembly gave up so far, by the bound that was reached."""
        return self._assembler.evictions

    async def traces(self, payload: Payload, request: ExportTraceServiceRequest) -> None:
        """Take a request of spans."""
        if not could_hold_content(payload.body):
            self._link(request)
            self._outbox.send(payload)
            return
        self._reading += 1
        try:
            any_taken = await self._read(request, payload.metadata)
        finally:
            self._reading -= 1
        if any_taken:
            drop_empty(request)
            rest = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
            payload = Payload(Signal.TRACES, request.SerializeToString(), rest, payload.metadata)
        if payload.body:
            self._outbox.send(payload)
        self._judge_ready()

    def logs(self, payload: Payload, request: ExportLogsServiceRequest) -> None:
        """Take a request of log records: they leave at once, the content of answers is kept for their spans."""
        self._outbox.send(payload)
        if not could_hold_content(payload.body):
            return
        now = self._clock()
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    if record.trace_id and record.span_id:
                        self._assembler.add_log(record.trace_id.hex(), record.span_id.hex(), view_log(record), now)
        self._judge_ready()

    async def drain(self, seconds: float) -> None:
        """Judge and send all that is held; what has no verdict within `seconds` leaves without."""
        self._judge(self._assembler.flush())
        if self._judging:
            await asyncio.wait(self._judging, timeout=seconds)
        for task in list(self._judging):
            task.cancel()
        for key in list(self._pending):
            self._outbox.release(self._take_held(self._pending.pop(key)))
        self._outbox.flush()
        if self._timer is not None:
            self._timer.cancel()

    def _link(self, request: ExportTraceServiceRequest) -> None:
        """Tell assembly who is whose parent: answers and documents can lie on both sides of a plain span."""
        add_link = self._assembler.add_link
        now = self._clock()
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    add_link(span.trace_id, span.span_id, span.parent_span_id, now)

    async def _read(self, request: ExportTraceServiceRequest, metadata: Mapping[str, str]) -> bool:
        """Hand the spans to assembly; take those to hold out of the request and tell whether there were any."""
        annotating = self._options.mode == "annotate"
        any_taken = False
        turn = _SPANS_A_TURN
        for resource in request.resource_spans:
            shell = shell_of(resource)
            attributes = view_resource(resource.resource)
            for scope in resource.scope_spans:
                waiting: dict[int, _Pending] = {}
                for index, span in enumerate(scope.spans):
                    view = view_span(span, scope, attributes)
                    extract = read(view, self._options.readers)
                    if not extract.convention:
                        self._assembler.add_link(span.trace_id, span.span_id, span.parent_span_id, self._clock())
                    elif self._assembler.add_span(view, extract, self._clock()):
                        waiting[index] = self._await(view, extract, shell.resource, span.flags)
                    turn -= 1
                    if turn == 0:
                        turn = _SPANS_A_TURN
                        await asyncio.sleep(0)
                if annotating and waiting:
                    any_taken = True
                    taken = take(scope, list(waiting), shell, metadata)
                    for pending, held in zip(waiting.values(), taken, strict=True):
                        pending.held.append(held)
                        self.held_bytes += held.size
        return any_taken

    def _await(self, view: SpanView, extract: Extract, resource: Resource, flags: int) -> _Pending:
        key = (view.trace_id, view.span_id)
        pending = self._pending.get(key)
        if pending is None:  # else the span was sent twice: one verdict serves both
            matched = {name: attribute(view, name) for name in self._options.matched}
            silent = extract.role is Role.LLM and not extract.output_captured
            pending = self._pending[key] = _Pending(
                resource, flags, adjusted_count(view.trace_state), matched, capture_switch(view) if silent else "", []
            )
        return pending

    def _judge_ready(self) -> None:
        """Judge what waits no longer; not while a request is being read: its spans belong together."""
        if self._reading:
            return
        self._judge(self._assembler.ready(self._clock()))
        due = self._assembler.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            delay = max(0.0, due - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._judge_ready)

    def _judge(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            pending = self._left.get(_key(candidate)) if candidate.late else self._pending.get(_key(candidate))
            if pending is None:
                continue
            if candidate.skipped is None and not candidate.interactions:  # a mere step on the way to an answer
                del self._pending[_key(candidate)]
                self._outbox.release(self._take_held(pending))
                continue
            if candidate.skipped is not None:
                self._finish(candidate, pending, ())
                continue
            task = asyncio.get_running_loop().create_task(self._evaluate(candidate, pending))
            self._judging.add(task)
            task.add_done_callback(self._judging.discard)

    async def _evaluate(self, candidate: Candidate, pending: _Pending) -> None:
        evaluations = (
            self._engine.evaluate(
                interaction,
                self._options.policy.decide(_attribute(interaction, pending.matched), interaction.trace_id),
                self._options.score_deadline,
                partial(self._late, candidate, pending, choice),
            )
            for choice, interaction in enumerate(candidate.interactions)
        )
        try:
            choices: tuple[Mapping[str, Evaluation], ...] = tuple(await asyncio.gather(*evaluations))
        except Exception as error:  # noqa: BLE001 (whatever broke, the span must leave, and must not look judged)
            _log.error("a span could not be judged", extra={"error_type": type(error).__name__})
            failed = dict.fromkeys(self._options.evaluators, Failed(type(error).__name__))
            choices = (failed,) * len(candidate.interactions)
        self._finish(candidate, pending, choices)

    def _finish(self, candidate: Candidate, pending: _Pending, choices: tuple[Mapping[str, Evaluation], ...]) -> None:
        (self._left if candidate.late else self._pending).pop(_key(candidate), None)
        held = self._take_held(pending)
        try:
            judged = self._judged(candidate, pending, choices)
            self._publish(judged)
            for span in held:
                annotate(span.span, judged, self._options.forms)
        finally:
            self._outbox.release(held)
        if candidate.skipped is Reason.CONTENT_NOT_CAPTURED:
            self._remember(candidate, pending)

    def _late(self, candidate: Candidate, pending: _Pending, choice: int, name: str, evaluation: Evaluation) -> None:
        """Publish a score that came after its span had left: as event and metric only."""
        empty: Mapping[str, Evaluation] = {}
        choices = [empty] * len(candidate.interactions)
        choices[choice] = {name: evaluation}
        self._publish(self._judged(candidate, pending, tuple(choices)))

    def _judged(
        self, candidate: Candidate, pending: _Pending, choices: tuple[Mapping[str, Evaluation], ...]
    ) -> JudgedSpan:
        return JudgedSpan(
            candidate=candidate,
            evaluators=self._options.evaluators,
            choices=choices,
            weight=pending.weight,
            flags=pending.flags,
            resource=pending.resource,
        )

    def _publish(self, judged: JudgedSpan) -> None:
        self._metrics.record(judged)
        self._outbox.publish(judged)

    def _take_held(self, pending: _Pending) -> list[HeldSpan]:
        held, pending.held = pending.held, []
        self.held_bytes -= sum(span.size for span in held)
        return held

    def _remember(self, candidate: Candidate, pending: _Pending) -> None:
        """Keep what late log records would need, and say once per service how its content is switched on."""
        self._left[_key(candidate)] = pending
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        service = candidate.interactions[0].service if candidate.interactions else ""
        told = (service, pending.switch)
        if pending.switch and told not in self._told and len(self._told) < _REMEMBERED:
            self._told.add(told)
            _log.warning(
                "answers cannot be scored: the instrumentation captures no content",
                extra={"service": service, "to_capture": pending.switch},
            )


def _key(candidate: Candidate) -> tuple[str, str]:
    return (candidate.trace_id, candidate.span_id)


def _attribute(interaction: Interaction, matched: Mapping[str, object]) -> Callable[[str], object]:
    """Return the lookup for rules: the span's attributes, its segments, and what assembly learned from its trace."""
    known = {
        "service.name": interaction.service,
        "gen_ai.agent.name": interaction.agent,
        "gen_ai.conversation.id": interaction.conversation,
        "gen_ai.request.model": interaction.model,
    }

    def lookup(name: str) -> object:
        value = matched.get(name)
        if value is None:
            value = interaction.segments.get(name)
        return value if value is not None else known.get(name) or None

    return lookup
