"""Puts the spans and log records of traces together and says when an answer is ready to be judged."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from otel_agent_eval.assembly.answers import fate_of, may_answer
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.assembly.describe import describe, own_segments
from otel_agent_eval.assembly.links import Links
from otel_agent_eval.assembly.logs import Logs, may_hold_content
from otel_agent_eval.assembly.selection import Selector
from otel_agent_eval.assembly.trace import GUARDS, Node, Trace, last_user_turn
from otel_agent_eval.assembly.waiting import Held, Waiting, has_content
from otel_agent_eval.conventions import content_may_be_in_logs, read
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import EventView, SpanView
from otel_agent_eval.evaluation.evaluation import Reason

_OVERHEAD = 500  # characters that one span weighs without content


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long assembly waits and how much it keeps. Times are seconds, sizes characters of content.

    `context_wait` is longer than the five seconds after which SDKs send a batch. A trace is forgotten `idle` seconds
    after its last span; content in log records is kept `logs_kept` for a span that comes later. `links` are the latest
    spans of no convention whose parents are remembered.
    """

    context_wait: float = 6.0
    idle: float = 120.0
    logs_kept: float = 300.0
    traces: int = 10_000
    documents: int = 100_000
    size: int = 64 << 20
    logs_size: int = 32 << 20
    links: int = 100_000


class Assembler:
    """Assembles interactions from spans and log records in any order. Reads no clock: `now` is in seconds.

    A span is held from `add_span`, where that says so, until `ready` or `flush` hands out a candidate for it: when its
    ancestry is known up to a root and its content is there, at the latest after `context_wait` (see `Waiting`). Call
    `ready` after each request, so that the spans of one request are taken together.

    `reader` and `in_logs` are the conventions' `read` and `content_may_be_in_logs`; `segments` names attributes.
    """

    def __init__(
        self,
        limits: Limits = Limits(),
        *,
        reader: Callable[[SpanView], Extract] = read,
        in_logs: Callable[[SpanView], bool] = content_may_be_in_logs,
        selector: Selector | None = None,
        segments: Sequence[str] = (),
    ) -> None:
        self._limits = limits
        self._in_logs = in_logs
        self._read = reader
        self._selector = selector
        self._segments = tuple(segments)
        self._traces: OrderedDict[str, Trace] = OrderedDict()  # the longest untouched first
        self._waiting = Waiting(limits.context_wait, in_logs)
        self._links = Links(limits.links)
        self._logs = Logs(limits.logs_kept, limits.logs_size)
        self._joined: dict[Node, tuple[Trace, list[EventView]]] = {}
        self._evictions: Counter[str] = Counter(dict.fromkeys(("traces", "documents", "size"), 0))
        self._weight = 0
        self._documents = 0

    def adopt(self, limits: Limits, *, selector: Selector | None, segments: Sequence[str]) -> None:
        """Go on by other rules: they hold for spans and traces that come from now on."""
        self._limits = limits
        self._selector = selector
        self._segments = tuple(segments)
        self._waiting.context_wait = limits.context_wait
        self._logs.limit = limits.logs_size
        self._make_room()

    @property
    def held(self) -> int:
        """The number of spans that wait."""
        return self._waiting.held

    @property
    def held_without_content(self) -> int:
        """How many of them still wait for what was asked and answered."""
        return sum(not has_content(node) for trace in self._traces.values() for node in trace.held.values())

    @property
    def traces(self) -> int:
        """The number of traces of which something is kept."""
        return len(self._traces)

    @property
    def size(self) -> int:
        """The characters of content that are kept, of spans and of log records."""
        return self._weight + self._logs.weight

    @property
    def evictions(self) -> dict[str, int]:
        """What was let go for want of room: traces by the limit that was reached, and log records."""
        return {**self._evictions, "logs": self._logs.evicted}

    def add_link(self, trace_id: bytes, span_id: bytes, parent_id: bytes, now: float) -> None:
        """Note the place of a span that no convention claims, by the ids as OTLP carries them."""
        trace_hex, span_hex, parent_hex = trace_id.hex(), span_id.hex(), parent_id.hex()
        trace = self._traces.get(trace_hex)
        if trace is None or span_hex not in trace.nodes:
            self._links.add(trace_hex, span_hex, parent_hex)
        elif not trace.nodes[span_hex].known:
            self._touch(trace, now)
            self._waiting.found(trace, trace.place(span_hex, parent_hex))

    def add_span(self, view: SpanView, extract: Extract, now: float) -> bool:
        """Take a span of some convention. True: hold it until a candidate of it is handed out; False: it never waits.

        A span that is known already is not taken again.
        """
        trace = self._traces.get(view.trace_id)
        if trace is None:
            trace = self._traces[view.trace_id] = Trace(view.trace_id, self._links.parent_of, self._selector)
        known = trace.nodes.get(view.span_id)
        if known is not None and known.role is not None:
            return False
        self._touch(trace, now)
        if not (extract.answers and extract.turns):
            logs = self._logs.take(view.trace_id, view.span_id)
            if logs:
                view = replace(view, events=view.events + logs)
                extract = self._read(view)
        node = trace.place(view.span_id, view.parent_id)
        trace.fill(node, view, extract)
        node.batch = self._waiting.batch
        node.segments = own_segments(view.attributes, self._segments)
        self._weigh(trace, node)
        self._waiting.found(trace, node)
        holds = self._may_answer(view, extract)
        if holds:
            self._waiting.hold(trace, node, now)
        else:
            node.view = None
        self._make_room()
        return holds

    def add_log(self, trace_id: str, span_id: str, event: EventView, now: float) -> None:
        """Take a log record that names a span, before or after it."""
        if not may_hold_content(event):
            return
        trace = self._traces.get(trace_id)
        node = trace.nodes.get(span_id) if trace is not None else None
        if trace is None or node is None or node.role is None:
            self._logs.add(trace_id, span_id, event, now)
        elif node.view is not None and (not has_content(node) or not (node.released or _has_turns(node))):
            self._joined.setdefault(node, (trace, []))[1].append(event)

    def relieve(self) -> None:
        """Forget half of the log records that are kept for spans to come: memory is exhausted."""
        self._logs.halve()

    def ready(self, now: float, most: int | None = None) -> list[Candidate]:
        """Hand out the candidates whose wait is over, those of one trace in order of their start.

        Assembling takes up to a millisecond each: with `most` about so many are handed out, and `next_due` tells
        whether there are more.
        """
        late = self._join(most)
        candidates = self._decide(self._waiting.take(now, most)) + late
        self._expire(now)
        return candidates

    def next_due(self) -> float | None:
        """Return the time at which `ready` has something to hand out if nothing more comes; None if nothing waits."""
        if self._waiting.is_over_for_some or self._joined:
            return float("-inf")
        return self._waiting.next_due()

    def end_waiting(self) -> None:
        """Wait no longer for anything: `ready` then hands out everything held, with what is known."""
        for trace in self._traces.values():
            self._waiting.end(trace)

    def flush(self) -> list[Candidate]:
        """Hand out everything held, with what is known."""
        late = self._join()
        self.end_waiting()
        return self._decide(self._waiting.take(float("-inf"))) + late

    def _may_answer(self, view: SpanView, extract: Extract) -> bool:
        if extract.role in GUARDS:
            return False
        return may_answer(extract) or (
            extract.role is Role.AGENT and not extract.output_captured and self._in_logs(view)
        )

    def _join(self, most: int | None = None) -> list[Candidate]:
        """Read again the spans for which log records came; return those that had left without content."""
        late = []
        for node in list(islice(self._joined, most)):
            trace, events = self._joined.pop(node)
            if node.view is None or self._traces.get(trace.trace_id) is not trace:  # let go since
                continue
            events.sort(key=lambda event: event.time)
            view = replace(node.view, events=node.view.events + tuple(events))
            trace.fill(node, view, self._read(view))
            self._weigh(trace, node)
            if not node.released:
                self._waiting.filled(trace, node)
            elif node.texts:
                node.fate, node.deciding = None, False
                fate = fate_of(trace, node)
                if fate.counts:
                    late.append(describe(trace, node, fate, self._segments, late=True))
                self._shrink(trace, node)
        return late

    def _decide(self, ordered: Sequence[Held]) -> list[Candidate]:
        """Make the candidates of spans whose wait is over, all fates before the first span is let go."""
        fates = [fate_of(trace, node) for trace, node in ordered]
        found = [
            describe(trace, node, fate, self._segments) for (trace, node), fate in zip(ordered, fates, strict=True)
        ]
        for (trace, node), fate in zip(ordered, fates, strict=True):
            self._waiting.release(trace, node)
            if fate.skipped is not Reason.CONTENT_NOT_CAPTURED:  # its log records may still come
                self._shrink(trace, node)
        return found

    def _shrink(self, trace: Trace, node: Node) -> None:
        """Keep of a span that left only what other spans may need."""
        if node.extract is not None:
            question = last_user_turn(node.extract.turns)[1] or node.extract.question
            node.extract = replace(node.extract, question=question, turns=(), answers=(), variables={}, keys=())
        node.view = None
        self._weigh(trace, node)

    def _weigh(self, trace: Trace, node: Node) -> None:
        extract, before = node.extract, node.weight
        documents = len(extract.documents) if extract is not None and before == 0 else 0
        node.weight = _OVERHEAD + sum(map(len, node.texts)) + (_weight(extract) if extract is not None else 0)
        trace.weight += node.weight - before
        trace.documents += documents
        if self._traces.get(trace.trace_id) is trace:  # else it has been forgotten, with all its weight
            self._weight += node.weight - before
            self._documents += documents

    def _touch(self, trace: Trace, now: float) -> None:
        trace.touched = now
        self._traces.move_to_end(trace.trace_id)

    def _make_room(self) -> None:
        limits = self._limits
        while self._traces:
            if len(self._traces) > limits.traces:
                full = "traces"
            elif self._documents > limits.documents:
                full = "documents"
            elif self._weight > limits.size:
                full = "size"
            else:
                return
            self._evictions[full] += 1
            self._forget(next(iter(self._traces.values())))

    def _expire(self, now: float) -> None:
        self._logs.expire(now)
        while self._traces:
            trace = next(iter(self._traces.values()))
            if trace.touched + self._limits.idle > now:
                return
            self._forget(trace)

    def _forget(self, trace: Trace) -> None:
        self._waiting.end(trace)
        if not trace.held:
            trace.take_apart()
        del self._traces[trace.trace_id]
        self._weight -= trace.weight
        self._documents -= trace.documents


def _has_turns(node: Node) -> bool:
    return node.extract is not None and bool(node.extract.turns)


def _weight(extract: Extract) -> int:
    return (
        sum(len(turn.text) for turn in extract.turns)
        + sum(len(answer) for answer in extract.answers)
        + sum(len(document.text) for document in extract.documents)
        + sum(len(value) for value in extract.variables.values())
        + len(extract.question)
    )
