"""Which answers count: of all the spans that hold one, those that hold what the user saw, each answer once.

In order: what a selector excludes is `filtered`; what is answered below a retriever, tool, embedding, guardrail or
evaluator is `not_user_facing`; a span without text says why; a repeat is a `duplicate`; an answer that the outermost
agent or workflow around it is known to have replaced is `not_user_facing`.

Of the spans that repeat an answer a model call counts rather than a wrapper, and of model calls the one with a
question, with documents of its own, the innermost. An answer on wrappers only counts on the outermost of them: that
is what was shown, with all that was retrieved for it below. What was counted once stays so.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace

from otel_agent_eval.assembly.question import nearest_agent
from otel_agent_eval.assembly.selection import Verdict
from otel_agent_eval.assembly.texts import repeats
from otel_agent_eval.assembly.trace import (
    COUNTS,
    HIDDEN,
    MAX_TWINS,
    NOTHING,
    WRAPPERS,
    Fate,
    Node,
    Trace,
    ancestors,
    descendants,
    is_scope,
)
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.evaluation.evaluation import Reason

_MAX_DECIDING = 32  # fates that wait for one another: a chain of repeats can be as long as a trace
_MIN_PROSE = 3  # words from which a chain's other output is taken for a rewritten answer, not for a status
_STEPS = frozenset({Role.CHAIN, Role.OTHER})  # where they hold no answer there is nothing to say of them
_NOT_USER_FACING = Fate(Reason.NOT_USER_FACING)


def may_answer(extract: Extract) -> bool:
    """Say whether a span could hold an answer: a model call, or a wrapper with output."""
    if extract.role is Role.LLM:
        return True
    return extract.role in WRAPPERS and (extract.by_reference or bool(extract.answers))


def fate_of(trace: Trace, node: Node) -> Fate:
    """Decide what becomes of a span, for good."""
    if node.fate is None:
        if node.deciding or trace.deciding >= _MAX_DECIDING:  # spans that point at each other: one of them counts
            return COUNTS
        node.deciding = True
        trace.deciding += 1
        try:
            node.fate = _decide(trace, node)
        finally:
            trace.deciding -= 1
    return node.fate


def _decide(trace: Trace, node: Node) -> Fate:
    if trace.selector is not None and node.view is not None and node.extract is not None:
        node.verdict = trace.selector(node.view, replace(node.extract, agent=nearest_agent(node)))
    if node.verdict is Verdict.EXCLUDE:
        return Fate(Reason.FILTERED)
    if node.verdict is Verdict.NOT_USER_FACING:
        return _NOT_USER_FACING
    if node.verdict is not Verdict.USER_FACING and any(above.role in HIDDEN for above in ancestors(node)):
        return NOTHING if node.role in _STEPS else _NOT_USER_FACING
    return _decide_call(trace, node) if node.role is Role.LLM else _decide_wrapper(trace, node)


def _decide_call(trace: Trace, node: Node) -> Fate:
    twins = _twins(trace, node)
    if not node.texts:
        return _without_text(trace, node, twins)
    counted = _counted_around(node)
    first = counted or min((twin for twin in (node, *twins) if twin.texts), key=_preference)
    if first is not node:
        return _repeat_of(trace, first)
    if node.verdict is not Verdict.USER_FACING and _is_replaced(node, trace):
        return _NOT_USER_FACING
    return COUNTS


def _without_text(trace: Trace, node: Node, twins: list[Node]) -> Fate:
    extract = node.extract
    if extract is None or node.failed or extract.tool_call:
        return Fate(Reason.NO_ANSWER)
    if extract.by_reference:
        return Fate(Reason.BY_REFERENCE)
    known = min((twin for twin in twins if twin.texts or _captured(twin)), key=_preference, default=None)
    known = known or next((inner for inner in _calls_inside(node) if inner.texts), None)  # a stream, around its call
    if known is not None:
        return _repeat_of(trace, known)
    return Fate(Reason.NO_ANSWER if extract.output_captured else Reason.CONTENT_NOT_CAPTURED)


def _captured(node: Node) -> bool:
    return node.extract is not None and (node.extract.tool_call or node.extract.output_captured)


def _repeat_of(trace: Trace, first: Node) -> Fate:
    """Say what a repeat of another span is: its duplicate if that counts, else what became of that."""
    fate = fate_of(trace, first)
    if fate.counts:
        return Fate(Reason.DUPLICATE, first.span_id)
    return fate


def _preference(node: Node) -> tuple[bool, bool, bool, int, int, str]:
    """Order twins: counted already, with a question, with documents, the last to begin (the innermost), the outer one.

    Only a mere copy of a call, such as LiteLLM's raw request, begins at the very time at which the call began.
    """
    counted = node.fate is not None and node.fate.counts
    documents = node.extract is not None and bool(node.extract.documents)
    depth = sum(1 for _ in ancestors(node))
    return (not counted, not node.question, not documents, -node.start, depth, node.span_id)


def _twins(trace: Trace, node: Node) -> list[Node]:
    """Find the other records of the same model call, by several instrumentations or at several levels."""
    found = [node]
    for one in found:  # grows
        for twin in (*_nested(one), *_beside(one), *_same_response(trace, one)):
            if twin not in found and _agree(one, twin) and _agree(node, twin):
                found.append(twin)
                if len(found) >= MAX_TWINS:
                    return found[1:]
    return found[1:]


def _agree(one: Node, other: Node) -> bool:
    """Say whether two records can be of one call: the same answer where both have one, else the same question."""
    if one.texts and other.texts:
        return bool(set(one.texts) & set(other.texts))
    return not (one.question and other.question) or one.question == other.question


def _nested(node: Node) -> Iterator[Node]:
    """Yield the model calls around and in this one, up to the next step of an agent."""
    for above in ancestors(node):
        if above.role is Role.LLM:
            yield above
        elif above.role is Role.AGENT or above.role in HIDDEN or (above.role is Role.CHAIN and not node.texts):
            break
    yield from _calls_inside(node)


def _calls_inside(node: Node) -> Iterator[Node]:
    below = descendants(node, into=lambda n: n.role not in HIDDEN and n.role is not Role.AGENT)
    return (inner for inner in below if inner.role is Role.LLM)


def _beside(node: Node) -> Iterator[Node]:
    """Yield the calls under the same parent that were recorded twice.

    Another instrumentation records a call at the same time; Logfire records the text of a stream afterwards, in a span
    without duration.
    """
    calls = node.parent.calls if node.parent is not None else []
    if len(calls) < 2:  # noqa: PLR2004 (itself)
        return
    at = bisect_left(calls, (node.start, node.span_id))
    for _, _, other in calls[max(0, at - MAX_TWINS) : at + MAX_TWINS]:
        if other is node:
            continue
        if _same_call(node, other) if other.scope != node.scope else _afterwards(*sorted((node, other), key=_start)):
            yield other


def _same_call(one: Node, other: Node) -> bool:
    a, b = one.extract, other.extract
    if a is None or b is None or (a.response_id and b.response_id and a.response_id != b.response_id):
        return False
    if one.question and other.question and one.question != other.question:
        return False
    if one.texts and other.texts:
        return one.start <= other.end and other.start <= one.end
    return (one.start <= other.start and other.end <= one.end) or (other.start <= one.start and one.end <= other.end)


def _afterwards(call: Node, record: Node) -> bool:
    same = bool(call.question) and call.question == record.question
    return same and not call.texts and bool(record.texts) and record.start == record.end > call.end


def _start(node: Node) -> int:
    return node.start


def _same_response(trace: Trace, node: Node) -> Iterable[Node]:
    response = node.extract.response_id if node.extract is not None else ""
    return trace.responses.get(response, ()) if response else ()


def _counted_around(node: Node) -> Node | None:
    """Find a wrapper around a call that was counted with this answer before the call came."""
    return next(
        (
            above
            for above in ancestors(node)
            if above.role is not Role.LLM and above.fate is not None and above.fate.counts and _shows(above, node)
        ),
        None,
    )


def _is_replaced(node: Node, trace: Trace) -> bool:
    """Say whether the outermost wrapper with an answer shows another one instead of this."""
    outer = _outermost(trace, node)
    return outer is not None and not _shows(outer, node) and not trace.replied_to.intersection(node.texts)


def _outermost(trace: Trace, node: Node) -> Node | None:
    """Find the outermost wrapper around a span whose output can be taken for what the user saw."""
    found = None
    for above in ancestors(node):
        if above.role in WRAPPERS and above.texts and _is_shown(trace, above):
            found = above
    return found


def _is_shown(trace: Trace, wrapper: Node) -> bool:
    """Say whether a wrapper's output is an answer: an agent's is; a chain's unless it is data, an echo, or a status."""
    if wrapper.role is Role.AGENT:
        return True
    if wrapper.holds_data or wrapper.question in wrapper.texts:
        return False
    return (
        len(wrapper.texts[0].split()) >= _MIN_PROSE
        or any(text in trace.answered for text in wrapper.texts)
        or not wrapper.answers_below
    )


def _shows(wrapper: Node, node: Node) -> bool:
    return any(repeats(shown, text) for shown in wrapper.texts for text in node.texts)


def _decide_wrapper(trace: Trace, node: Node) -> Fate:
    step = NOTHING if node.role in _STEPS else _NOT_USER_FACING  # what it is if it holds no answer that was shown
    if not node.texts:
        by_reference = node.extract is not None and node.extract.by_reference and node.last_call < 0
        return Fate(Reason.BY_REFERENCE) if by_reference else NOTHING
    below = descendants(node, into=lambda n: n.role not in HIDDEN)
    outer = _outermost(trace, node)
    first = _repeated(node, [n for n in below if n.role is Role.LLM or (n.fate is not None and n.fate.counts)])
    if first is None and outer is not None and _shows(outer, node):
        first = outer
    if first is not None:
        fate = _repeat_of(trace, first)
        return fate if fate.skipped is Reason.DUPLICATE else step if node.role in _STEPS else fate
    if outer is not None:
        shown = bool(trace.replied_to.intersection(node.texts))
    elif node.role is Role.AGENT:
        shown = True
    else:  # a step of something whose own answer is not known is not taken for it
        shown = not any(map(is_scope, ancestors(node))) and _is_shown(trace, node)
    if not shown and node.verdict is not Verdict.USER_FACING:
        return step
    return Fate(Reason.NO_ANSWER) if node.failed else COUNTS  # what an agent that failed gives is its error


def _repeated(node: Node, candidates: list[Node]) -> Node | None:
    """Find the answer below that a wrapper repeats: the same text before one that is part of it, the latest."""
    same = [n for n in candidates if set(n.texts) & set(node.texts)] or [n for n in candidates if _shows(node, n)]
    return max(same, key=lambda n: (n.role is Role.LLM, n.end, n.span_id), default=None)
