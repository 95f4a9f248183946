"""Which spans are held, what each waits for, and until when."""

import heapq
from collections import deque
from collections.abc import Callable

from otel_agent_eval.assembly.trace import MAX_DEPTH, Node, Trace, ancestors, is_scope
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import SpanView

_WHOLE = 4  # times as many spans as are asked for are taken to keep a trace together

Held = tuple[Trace, Node]


class Waiting:
    """The spans that are held: each until its ancestry and its content are there, at most `context_wait` seconds.

    Ancestors end after their descendants, so they come after them; where a parent came in an earlier batch than its
    child, spans travel out of order, and the child waits for the full time. So does an outermost wrapper under which
    nothing is known yet. `in_logs` says whether the content of a span may come in log records.
    """

    def __init__(self, context_wait: float, in_logs: Callable[[SpanView], bool]) -> None:
        self.context_wait = context_wait
        self._in_logs = in_logs
        self._due: list[tuple[float, int, Trace, Node]] = []
        self._pushed = 0
        self._over: list[Held] = []  # the wait is over, in order of that
        self._queue: deque[Held] = deque()  # these are handed out next
        self._batch = 0
        self.held = 0

    @property
    def batch(self) -> int:
        """The number of the batch that is being added."""
        return self._batch

    @property
    def is_over_for_some(self) -> bool:
        """Whether there are spans that wait for nothing more."""
        return bool(self._over or self._queue)

    def hold(self, trace: Trace, node: Node, now: float) -> None:
        """Begin to hold a span."""
        trace.held[node.span_id] = node
        self.held += 1
        self._pushed += 1
        heapq.heappush(self._due, (now + self.context_wait, self._pushed, trace, node))
        missing = _missing_ancestor(node)
        if missing is not None:
            missing.waiters.append(node)
        elif not self._is_out_of_order(node):
            self._settle(trace, node)

    def release(self, trace: Trace, node: Node) -> None:
        """Stop holding a span."""
        node.released = True
        self.held -= 1
        trace.held.pop(node.span_id, None)

    def found(self, trace: Trace, node: Node) -> None:
        """Let the spans that waited for this one wait for the next missing ancestor, or for nothing more."""
        if not node.waiters:
            return
        waiters, node.waiters = node.waiters, []
        missing = _missing_ancestor(node)
        if missing is None:
            for waiter in waiters:
                self._settle(trace, waiter)
        elif len(waiters) > len(missing.waiters):
            waiters.extend(missing.waiters)
            missing.waiters = waiters
        else:
            missing.waiters.extend(waiters)

    def filled(self, trace: Trace, node: Node) -> None:
        """Look again at a held span to which log records have added content."""
        if _missing_ancestor(node) is None:
            self._settle(trace, node)

    def end(self, trace: Trace) -> None:
        """End the wait of all spans of a trace."""
        self._over += [(trace, node) for node in trace.held.values()]

    def take(self, now: float, most: int | None = None) -> list[Held]:
        """Return spans whose wait is over, by trace and start, and end the batch.

        Of more than `most` some stay for the next time; a trace is taken whole if it has not many more than that.
        """
        self._batch += 1
        while self._due and self._due[0][0] <= now:
            _, _, trace, node = heapq.heappop(self._due)
            self._over.append((trace, node))
        if most is None or not self._queue:
            over = [*self._queue, *self._over]
            over.sort(key=lambda held: (held[0].trace_id, held[1].start, held[1].span_id))
            self._queue, self._over = deque(over), []
        taken: dict[Node, Held] = {}
        last: Trace | None = None
        while self._queue:
            trace, node = self._queue[0]
            if most is not None and len(taken) >= (_WHOLE * most if trace is last else most):
                break
            self._queue.popleft()
            if not node.released:
                taken[node] = (trace, node)
                last = trace
        return list(taken.values())

    def next_due(self) -> float | None:
        """Return when the longest wait ends; None if nothing is held."""
        while self._due and self._due[0][3].released:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _is_out_of_order(self, node: Node) -> bool:
        parent = node.parent
        return parent is not None and parent.role is not None and parent.batch < self._batch

    def _settle(self, trace: Trace, node: Node) -> None:
        """End the wait of a span whose ancestry is known, unless something else of it is missing."""
        if node.released or node.view is None:
            return
        alone = node.role is not Role.LLM and not node.below and not any(map(is_scope, ancestors(node)))
        if not alone and (has_content(node) or _needs_none(node) or not self._in_logs(node.view)):
            self._over.append((trace, node))


def has_content(node: Node) -> bool:
    """Say whether the output of a span is there, be it only a tool call, or known to lie elsewhere."""
    extract = node.extract
    return extract is not None and bool(
        extract.answers or extract.tool_call or extract.output_captured or extract.by_reference
    )


def _needs_none(node: Node) -> bool:
    """Say whether no content is to be waited for: the call failed, or an agent's calls have their own."""
    return node.failed or (node.role is not Role.LLM and node.last_call >= 0)


def _missing_ancestor(node: Node) -> Node | None:
    """Return the nearest missing ancestor of a span; None if it is known up to a root."""
    for _ in range(MAX_DEPTH):
        if not node.known:
            return node
        if node.parent is None:
            return None
        node = node.parent
    return None
