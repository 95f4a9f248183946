"""From what assembly hands out to verdicts: judged, published, written on spans, which then leave."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics
from otel_agent_eval.annotation.result import EvaluatorInfo, JudgedSpan
from otel_agent_eval.annotation.sampling import adjusted_count
from otel_agent_eval.annotation.spans import annotate
from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions import capture_switch
from otel_agent_eval.conventions.attribute import attribute
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason, Skipped
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.journal import Receipt
from otel_agent_eval.service.faults import Faults
from otel_agent_eval.service.held import HeldSpan, Wrapping
from otel_agent_eval.service.late import LateScores, missing
from otel_agent_eval.service.options import ScoringOptions
from otel_agent_eval.service.outbox import Outbox
from otel_agent_eval.service.spans import Pending, Spans, bare, digest_of
from otel_agent_eval.service.warnings import Clock, Warnings

_PATIENCE = 5.0
"""Seconds beyond all that a span can rightly wait for; one that is still held then was forgotten."""
_READING = 1.0
"""Seconds for which judging waits for requests that are being read: the spans of one request belong together."""
_SLICE = 0.005
"""Seconds of assembling after which the rest of the event loop has its turn."""
_AT_ONCE = 8
"""Spans that are assembled at once, or a few times as many of one trace: up to a millisecond each."""
_BREATHER = 0.02
"""Seconds after which assembly is asked again if it said that it had more and then had nothing."""
_MORE = float("-inf")
"""When assembly says that it is due, it has more to hand out at once."""


class Judging:
    """Keeps the spans that wait, asks assembly whose wait is over, has these judged and lets them go.

    Whatever breaks, a span that is held leaves: at the latest `_PATIENCE` seconds after all its limits.
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
        self.spans = Spans()
        self.late = LateScores()
        self._assembler = assembler
        self._engine = engine
        self._metrics = metrics
        self._outbox = outbox
        self._options = options
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = 0
        self._looked = 0.0
        self._warnings = Warnings(clock)
        self._faults = Faults()

    def adopt(self, engine: Engine, metrics: AnswerMetrics, options: ScoringOptions) -> None:
        """Judge by other rules from now on; what is being judged is finished by those it began with."""
        self._engine = engine
        self._metrics = metrics
        self._options = options

    @property
    def in_work(self) -> int:
        """The number of spans that wait for their scores."""
        return len(self._tasks)

    def expect(self, view: SpanView, extract: Extract, span: Span, wrapping: Wrapping, receipt: Receipt) -> Pending:
        """Put a span that assembly has taken on the waiting list."""
        silent = extract.role is Role.LLM and not extract.output_captured
        options = self._options
        pending = Pending(
            key=(view.trace_id, view.span_id),
            extract=bare(extract),
            resource=wrapping.shell.resource,
            metadata=wrapping.metadata,
            receipt=receipt,
            flags=span.flags,
            weight=adjusted_count(view.trace_state),
            matched={name: attribute(view, name) for name in options.matched},
            switch=capture_switch(view) if silent else "",
            digest=digest_of(span),
            counted=self.spans.was_counted((view.trace_id, view.span_id), span),
            until=self._clock() + options.context_wait + options.score_deadline + _PATIENCE,
        )
        self.spans.wait(pending)
        return pending

    def hold(self, pending: Pending, span: HeldSpan) -> None:
        """Hold a span until its verdict comes. Where more is held than may be, the oldest leave as `overloaded`."""
        self.spans.hold(pending, span)
        while self.spans.held_bytes > self._options.held_bytes and (oldest := self.spans.oldest()) is not None:
            self._finish(_skipped(oldest, Reason.OVERLOADED), oldest, ())

    def begin_reading(self) -> None:
        """Say that a request is being read."""
        self._reading += 1

    def end_reading(self) -> None:
        """Say that it was read, and judge what waits no longer."""
        self._reading -= 1
        self.look()

    def look(self) -> None:
        """Judge some of what waits no longer, and come back for more, or when more is due."""
        now, got_on = self._clock(), True
        if not self._reading or now - self._looked >= _READING:
            self._looked = now
            got_on = self._judge_some(now)
            if got_on and self._next_due() == _MORE:  # assembly is behind
                for overdue in self.spans.overdue(now + _PATIENCE):
                    self._finish(_skipped(overdue, Reason.OVERLOADED), overdue, ())
            for forgotten in self.spans.overdue(now):
                self._faults.once("a span was held and forgotten; it leaves unjudged")
                self._give_up(forgotten, "NoVerdict")
        self._schedule(now, 0.0 if got_on else _BREATHER)

    async def drain(self, until: float) -> None:
        """Judge and send all that is held; what has no verdict at `until`, by the clock, leaves as `deadline`."""
        try:
            self._assembler.end_waiting()
        except Exception as error:  # noqa: BLE001 (the spans leave all the same)
            self._faults.report("assembly failed", error)
        while self._judge_some(self._clock()) and self._next_due() == _MORE and self._clock() < until:  # noqa: ASYNC110 (a turn for the rest)
            await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, until - self._clock()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while (pending := self.spans.oldest()) is not None:
            self._finish(_skipped(pending, Reason.DEADLINE), pending, ())
        self._outbox.flush()
        if self._timer is not None:
            self._timer.cancel()

    def _judge_some(self, now: float) -> bool:
        """Judge what waits no longer for a slice of time, and tell whether there was anything."""
        began = time.perf_counter()
        got_on = False
        while time.perf_counter() - began < _SLICE:
            try:
                candidates = self._assembler.ready(now, _AT_ONCE)
            except Exception as error:  # noqa: BLE001 (the spans leave when their time is up)
                self._faults.report("assembly failed", error)
                break
            if not candidates:
                break
            self._judge(candidates)
            got_on = True
        return got_on

    def _next_due(self) -> float | None:
        try:
            return self._assembler.next_due()
        except Exception as error:  # noqa: BLE001 (the spans leave when their time is up)
            self._faults.report("assembly failed", error)
            return None

    def _schedule(self, now: float, pause: float) -> None:
        due, oldest = self._next_due(), self.spans.oldest()
        times = [time for time in (due, oldest.until if oldest is not None else None) if time is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if times:
            earliest = self._looked + _READING if self._reading else now + pause
            self._timer = asyncio.get_running_loop().call_later(max(min(times), earliest) - now, self.look)

    def _judge(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            key = (candidate.trace_id, candidate.span_id)
            pending = self.spans.take_silent(key) if candidate.late else self.spans.waiting.get(key)
            if pending is None:
                continue
            if candidate.skipped is not None:
                self._finish(candidate, pending, ())
            elif candidate.interactions:
                seconds = max(0.0, min(self._options.score_deadline, pending.until - _PATIENCE - self._clock()))
                self.spans.extend(pending, self._clock() + seconds + _PATIENCE)
                task = asyncio.get_running_loop().create_task(self._evaluate(candidate, pending, seconds))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:  # a mere step on the way to an answer
                self._outbox.release(self.spans.release(pending))

    async def _evaluate(self, candidate: Candidate, pending: Pending, seconds: float) -> None:
        names = self._options.evaluators
        choices: Sequence[Mapping[str, Evaluation]]
        try:
            evaluations = [
                self._engine.evaluate(
                    interaction,
                    self._options.decide(interaction, pending.matched),
                    seconds,
                    partial(self._late, candidate, pending, choice, names),
                )
                for choice, interaction in enumerate(candidate.interactions)
            ]
            choices = await asyncio.gather(*evaluations)
            self._warnings.of_load(choices, self.in_work)
        except asyncio.CancelledError:  # the gateway stops
            late = dict.fromkeys(names, Skipped(Reason.DEADLINE))
            self._finish(candidate, pending, [late] * len(candidate.interactions), names)
            raise
        except Exception as error:  # noqa: BLE001 (whatever broke, the span must leave, and must not look judged)
            self._faults.report("a span could not be judged", error)
            failed = dict.fromkeys(names, Failed(type(error).__name__))
            choices = [failed] * len(candidate.interactions)
        self._finish(candidate, pending, choices, names)

    def _finish(
        self,
        candidate: Candidate,
        pending: Pending,
        choices: Sequence[Mapping[str, Evaluation]],
        names: Mapping[str, EvaluatorInfo] | None = None,
    ) -> None:
        """Publish a verdict, of these evaluators or of those that there are now, and let its span go."""
        try:
            judged = self._judged(candidate, pending, choices, names or self._options.evaluators)
            for held in pending.held:
                annotate(held.span, judged, self._options.forms)
            self._publish(judged, pending, late=candidate.late)
        except Exception as error:  # noqa: BLE001 (the span must leave)
            self._faults.report("a verdict could not be written", error)
            self._give_up(pending, type(error).__name__)
            return
        unsaid = missing(choices)
        if self._options.mode == "side" and not pending.counted and (unsaid or candidate.skipped is Reason.DEADLINE):
            self.late.expect(pending.receipt, unsaid)
        self._outbox.release(self.spans.release(pending))
        self.spans.remember_judged(pending, judged)
        if candidate.skipped is Reason.CONTENT_NOT_CAPTURED:
            self.spans.remember_silent(pending)
            service = candidate.interactions[0].service if candidate.interactions else ""
            self._warnings.of_silence(service, pending.switch)

    def _late(
        self,
        candidate: Candidate,
        pending: Pending,
        choice: int,
        names: Mapping[str, EvaluatorInfo],
        name: str,
        evaluation: Evaluation,
    ) -> None:
        """Publish a score that came after its span had left: as event and metric only."""
        choices: list[Mapping[str, Evaluation]] = [{} for _ in candidate.interactions]
        choices[choice] = {name: evaluation}
        self._publish(self._judged(candidate, pending, choices, names), pending, late=True)
        self.late.came(pending.receipt, choice, name)

    def _give_up(self, pending: Pending, error_type: str) -> None:
        """Let a span go of which nothing can be said; it counts as failed: it must not look like a clean one."""
        self._outbox.release(self.spans.release(pending))
        candidate = Candidate(
            trace_id=pending.key[0],
            span_id=pending.key[1],
            extract=pending.extract,
            interactions=(
                Interaction(
                    answer="",
                    service=_service(pending.resource),
                    agent=pending.extract.agent,
                    model=pending.extract.model,
                ),
            ),
        )
        try:
            failed = dict.fromkeys(self._options.evaluators, Failed(error_type))
            if not pending.counted:
                self._metrics.record(self._judged(candidate, pending, [failed], self._options.evaluators))
        except Exception as error:  # noqa: BLE001 (the span has left, which is what matters)
            self._faults.report("a failure could not be counted", error)

    def _judged(
        self,
        candidate: Candidate,
        pending: Pending,
        choices: Sequence[Mapping[str, Evaluation]],
        names: Mapping[str, EvaluatorInfo],
    ) -> JudgedSpan:
        return JudgedSpan(
            candidate=candidate,
            evaluators=names,
            choices=tuple(choices),
            weight=pending.weight,
            flags=pending.flags,
            resource=pending.resource,
        )

    def _publish(self, judged: JudgedSpan, pending: Pending, *, late: bool) -> None:
        if pending.counted:
            return
        if late:
            self._metrics.record_late(judged)
        else:
            self._metrics.record(judged)
        self._outbox.publish(judged, pending.metadata, pending.receipt)


def _skipped(pending: Pending, reason: Reason) -> Candidate:
    trace_id, span_id = pending.key
    return Candidate(trace_id=trace_id, span_id=span_id, extract=pending.extract, skipped=reason)


def _service(resource: Resource) -> str:
    return next((pair.value.string_value for pair in resource.attributes if pair.key == "service.name"), "")
