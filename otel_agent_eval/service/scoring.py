"""The way of agents' telemetry: requests are read, spans that hold answers taken out of them, the rest sent on."""

import asyncio
import itertools
import time
from collections.abc import Callable, Container, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics
from otel_agent_eval.annotation.catalogue import Lack
from otel_agent_eval.annotation.spans import annotate
from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.conventions import marks_of, read
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import view_log, view_resource, view_span
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.journal import Receipt
from otel_agent_eval.service.faults import Faults
from otel_agent_eval.service.held import Wrapping, hold, remove
from otel_agent_eval.service.judging import Judging
from otel_agent_eval.service.marked import marked_spans
from otel_agent_eval.service.options import ScoringOptions
from otel_agent_eval.service.outbox import Outbox
from otel_agent_eval.service.sightings import Sightings
from otel_agent_eval.service.spans import Pending, digest_of
from otel_agent_eval.service.turns import Turns
from otel_agent_eval.signals import Payload, Signal

_TRACE_ID, _SPAN_ID = 16, 8  # bytes
_FEW = 256
"""Spans that are linked on the spot: it takes less time than to wait for a turn."""


@dataclass(frozen=True, slots=True)
class Way:
    """What is done with a request: whether it is forwarded as it came, and whether it is read.

    Where not None, only the spans at the positions `left` are still to be judged and sent: the others have left.
    """

    forwarded: bool
    read: bool
    left: Container[int] | None = None


@dataclass(slots=True)
class _Changes:
    """What was done to a request while it was read: spans annotated, and spans taken, by resource and scope."""

    annotated: bool = False
    taken: list[tuple[int, int, list[int]]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.annotated or bool(self.taken)


class Scoring:
    """Takes requests of spans and log records, and has the answers in them judged.

    What is not forwarded as it came leaves through the outbox: what holds no answer at once, the rest when judged or
    when its time is up. What cannot be read leaves as it came. A request that was begun is finished, even if its sender
    has gone away.
    """

    def __init__(
        self,
        assembler: Assembler,
        engine: Engine,
        metrics: AnswerMetrics,
        outbox: Outbox,
        options: ScoringOptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assembler = assembler
        self._outbox = outbox
        self._options = options
        self._clock = clock
        self._judging = Judging(assembler, engine, metrics, outbox, options, clock)
        self._marks = marks_of(options.readers)
        self._turns = Turns()
        self._work: set[asyncio.Task[None]] = set()
        self._in_work = 0
        self._faults = Faults()

    def adopt(self, engine: Engine, metrics: AnswerMetrics, options: ScoringOptions) -> None:
        """Judge by other rules from now on; what is being judged is finished by those it began with."""
        self._options = options
        self._judging.adopt(engine, metrics, options)

    @property
    def bytes(self) -> int:
        """The bytes that are held or being read, and will want room at the destinations."""
        return self._in_work + self._judging.spans.held_bytes

    @property
    def sightings(self) -> Sightings:
        """What is remembered of the answers that came by."""
        return self._judging.spans.sightings

    def held(self) -> Mapping[Lack, int]:
        """Return how many spans wait, by what they lack."""
        silent = self._assembler.held_without_content
        return {
            Lack.SCORES: self._judging.in_work,
            Lack.CONTENT: silent,
            Lack.DOCUMENTS: self._assembler.held - silent,
        }

    def evictions(self) -> Mapping[str, int]:
        """Return what assembly gave up so far, by the bound that was reached."""
        return self._assembler.evictions

    def way(self, payload: Payload) -> Way:
        """Say what is done with a request of spans or log records."""
        marked = self._marks.found_in(payload.body)
        held = marked and payload.signal is Signal.TRACES and self._options.mode == "annotate"
        return Way(forwarded=not held, read=marked)

    async def traces(self, payload: Payload, request: ExportTraceServiceRequest, way: Way, receipt: Receipt) -> None:
        """Take a request of spans; the receipt is held for what is still to leave of it."""
        if not way.read:
            if payload.items > _FEW:
                await self._finish(self._link_all(request), 0)
            else:
                self._link(span for scope in _scopes(request) for span in scope.spans)
        elif way.forwarded:
            await self._finish(self._read(payload, request, receipt, way.left), 0)
        else:
            await self._finish(self._read_and_send(payload, request, receipt, way.left), len(payload.body))

    async def logs(self, request: ExportLogsServiceRequest) -> None:
        """Take a request of log records: the content of answers is kept for their spans."""
        await self._finish(self._read_logs(request), 0)

    async def recall(self, request: ExportTraceServiceRequest) -> None:
        """Learn from spans that have been judged and have left, before a restart, what answers to come rest on."""
        await self._finish(self._recall_spans(request), 0)

    def look(self) -> None:
        """Forget what was kept long enough, as after each request: where all are refused it would be kept for ever."""
        self._judging.look()

    def yield_room(self) -> None:
        """Keep no request any more for scores that come late: others are refused for want of room."""
        self._judging.late.give_up()

    async def drain(self, seconds: float) -> None:
        """Read what was begun, judge and send all that is held; what is not done within `seconds` leaves as it is."""
        until = self._clock() + seconds
        if self._work:
            await asyncio.wait(self._work, timeout=seconds)
        await self._judging.drain(until)

    async def _finish(self, work: Coroutine[Any, Any, object], size: int) -> None:
        """Do work on a request to its end; a sender that goes away and sends again finds it known."""
        task = asyncio.get_running_loop().create_task(self._guard(work))
        self._work.add(task)
        self._in_work += size
        task.add_done_callback(lambda done: self._forget(done, size))
        await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[None], size: int) -> None:
        self._work.discard(task)
        self._in_work -= size

    async def _guard(self, work: Coroutine[Any, Any, object]) -> None:
        self._judging.begin_reading()
        try:
            async with self._turns:
                await work
        finally:
            self._judging.end_reading()

    async def _link_all(self, request: ExportTraceServiceRequest) -> None:
        for scope in _scopes(request):
            for start in range(0, len(scope.spans), _FEW):
                self._link(scope.spans[start : start + _FEW])
                await self._turns.pause()

    def _link(self, spans: Iterable[Span]) -> None:
        """Tell assembly who is whose parent: answers and documents can lie on both sides of a plain span."""
        try:
            now = self._clock()
            for span in spans:
                self._assembler.add_link(span.trace_id, span.span_id, span.parent_span_id, now)
        except Exception as error:  # noqa: BLE001 (the spans themselves are on their way)
            self._faults.report("spans could not be linked", error)

    async def _recall_spans(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            attributes = view_resource(resource.resource)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._recall_span(span, scope, attributes)
                    await self._turns.pause()

    def _recall_span(self, span: Span, scope: ScopeSpans, resource: Mapping[str, Any]) -> None:
        """Learn from a span that has left; an answer is not counted again, yet judged if its sender sends it again."""
        if not _is_valid(span):
            return
        try:
            view = view_span(span, scope, resource)
            extract = read(view, self._options.readers)
            if extract.answers or extract.role is Role.LLM:
                self._judging.spans.remember_counted((view.trace_id, view.span_id), span)
                self._link([span])
            else:
                self._assembler.add_span(view, extract, self._clock())
        except Exception as error:  # noqa: BLE001 (the span itself has left)
            self._faults.report("a span could not be recalled", error)

    async def _read_and_send(
        self, payload: Payload, request: ExportTraceServiceRequest, receipt: Receipt, left: Container[int] | None
    ) -> None:
        changes = await self._read(payload, request, receipt, left)
        if changes:
            remove(request, changes.taken)
            items = payload.items - sum(len(indices) for _, _, indices in changes.taken)
            payload = Payload(Signal.TRACES, request.SerializeToString(), items, payload.metadata)
        if payload.body:
            self._outbox.send(payload, receipt)

    async def _read(
        self, payload: Payload, request: ExportTraceServiceRequest, receipt: Receipt, left: Container[int] | None
    ) -> _Changes:
        """Hand the spans to assembly; in annotate mode hold copies of those that wait, and say where they were."""
        changes, positions = _Changes(), itertools.count()
        marks = marked_spans(payload.body, request, self._marks)
        for r, s, scope, wrapping in _wrapped_scopes(request, payload.metadata):
            taken: list[int] = []
            plain: list[Span] = []
            for index, (span, marked) in enumerate(zip(scope.spans, marks, strict=False)):
                position = next(positions)
                if has_left := left is not None and position not in left:
                    taken.append(index)
                if not marked:  # to read a plain span would take twenty times as long
                    plain.append(span)
                    if len(plain) < _FEW:
                        continue
                self._link(plain)
                plain.clear()
                if marked and has_left:
                    self._recall_span(span, scope, wrapping.attributes)
                elif marked:
                    with receipt.part(position) as part:
                        if self._takes(span, scope, wrapping, changes, part):
                            taken.append(index)
                await self._turns.pause()
            self._link(plain)
            if taken:
                changes.taken.append((r, s, taken))
        return changes

    def _takes(self, span: Span, scope: ScopeSpans, wrapping: Wrapping, changes: _Changes, receipt: Receipt) -> bool:
        """Read a span and hold a copy of it, if it is to wait."""
        try:
            pending = self._read_span(span, scope, wrapping, changes, receipt)
            if pending is not None and self._options.mode == "annotate":
                self._judging.hold(pending, hold(span, wrapping.of(scope), receipt))
                return True
        except Exception as error:  # noqa: BLE001 (the span leaves as it came)
            self._faults.report("a span could not be read; it is sent on unjudged", error)
        return False

    def _read_span(
        self, span: Span, scope: ScopeSpans, wrapping: Wrapping, changes: _Changes, receipt: Receipt
    ) -> Pending | None:
        """Read a span and return what it waits for, if it does."""
        if not _is_valid(span):
            return None
        spans = self._judging.spans
        key = (span.trace_id.hex(), span.span_id.hex())
        waiting, judged = spans.waiting.get(key), spans.verdict_on(key, span)
        if waiting is not None:  # sent again: one verdict serves both
            return waiting if waiting.digest == digest_of(span) else None
        if judged is not None:
            if self._options.mode == "annotate":
                annotate(span, judged, self._options.forms)
                changes.annotated = True
            return None
        view = view_span(span, scope, wrapping.attributes)
        extract = read(view, self._options.readers)
        if not extract.convention:
            self._link([span])
            return None
        if not self._assembler.add_span(view, extract, self._clock()):
            return None
        return self._judging.expect(view, extract, span, wrapping, receipt)

    async def _read_logs(self, request: ExportLogsServiceRequest) -> None:
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    if record.trace_id and record.span_id:
                        self._read_log(record)
                    await self._turns.pause()

    def _read_log(self, record: LogRecord) -> None:
        try:
            self._assembler.add_log(record.trace_id.hex(), record.span_id.hex(), view_log(record), self._clock())
        except Exception as error:  # noqa: BLE001 (the record itself is on its way)
            self._faults.report("a log record could not be read", error)


def _scopes(request: ExportTraceServiceRequest) -> Iterator[ScopeSpans]:
    return (scope for resource in request.resource_spans for scope in resource.scope_spans)


def _wrapped_scopes(
    request: ExportTraceServiceRequest, metadata: Mapping[str, str]
) -> Iterator[tuple[int, int, ScopeSpans, Wrapping]]:
    """Yield the scopes with their positions, and with what their spans are wrapped in."""
    for r, resource in enumerate(request.resource_spans):
        wrapping = Wrapping(resource, metadata)
        for s, scope in enumerate(resource.scope_spans):
            yield r, s, scope, wrapping


def _is_valid(span: Span) -> bool:
    """Whether the ids name the span: else it can belong to no trace, and could be taken for another."""
    return (
        len(span.trace_id) == _TRACE_ID and len(span.span_id) == _SPAN_ID and any(span.trace_id) and any(span.span_id)
    )
