"""From a span and its fate to a candidate: interactions with everything that belongs to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.assembly.documents import documents_for, retrieved_for
from otel_agent_eval.assembly.question import Asked, asked_of, last_call_below, nearest_agent, nearest_conversation
from otel_agent_eval.assembly.trace import Fate, Node, Trace, ancestors
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.evaluation.evaluation import Reason
from otel_agent_eval.evaluation.interaction import Interaction, Part


def describe(trace: Trace, node: Node, fate: Fate, segments: Sequence[str] = (), *, late: bool = False) -> Candidate:
    """Make the candidate of a span. A span without an answer gets one interaction that holds the rest.

    `segments` names the attributes by which interactions are grouped.
    """
    view, extract = node.view, node.extract
    if view is None or extract is None or fate.nothing:
        return Candidate(trace_id=trace.trace_id, span_id=node.span_id, extract=extract or Extract(convention=""))
    retrieved = retrieved_for(trace, node)
    asked = asked_of(node, retrieved.queries)
    turns = extract.turns
    call = last_call_below(node)
    if call is not None and call.extract is not None:  # a wrapper: what its model was asked fills in
        below = asked_of(call, retrieved.queries)
        turns = turns or call.extract.turns
        asked = Asked(
            asked.question or below.question,
            asked.turns or below.turns,
            tuple(dict.fromkeys((*asked.grounding, *below.grounding))),
            asked.pasted or below.pasted,
        )
    documents, more = documents_for(node, retrieved, asked.pasted, turns)
    cut = {Part.DOCUMENTS} & {part for n in retrieved.nodes if n.extract is not None for part in n.extract.truncated}
    if more or retrieved.cut:
        cut.add(Part.DOCUMENTS)
    base = Interaction(
        answer="",
        question=asked.question,
        turns=asked.turns,
        documents=documents,
        grounding=asked.grounding,
        trace_id=trace.trace_id,
        span_id=node.span_id,
        start_time=view.start_time,
        end_time=view.end_time,
        service=view.service,
        agent=nearest_agent(node),
        conversation=nearest_conversation(node),
        model=extract.model,
        response_id=extract.response_id,
        segments=_segments_of(node, own_segments(view.resource, segments)),
        convention=extract.convention,
        keys=extract.keys,
        truncated=extract.truncated | cut,
        by_reference=fate.skipped is Reason.BY_REFERENCE,
    )
    answers = extract.answers or ("",)
    return Candidate(
        trace_id=trace.trace_id,
        span_id=node.span_id,
        extract=extract,
        interactions=tuple(replace(base, answer=answer, choice=at) for at, answer in enumerate(answers)),
        skipped=fate.skipped,
        duplicate_of=fate.duplicate_of,
        late=late,
    )


def own_segments(attributes: Mapping[str, object], names: Sequence[str]) -> Mapping[str, str]:
    """Return the configured attributes among those of a span or a resource, as text."""
    found = {name: attributes[name] for name in names if name in attributes}
    return {name: str(value) for name, value in found.items() if isinstance(value, str | bool | int | float)}


def _segments_of(node: Node, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return a span's segments: its own, else the nearest ancestor's, else the defaults."""
    segments = dict(defaults)
    for holder in reversed([node, *ancestors(node)]):
        segments.update(holder.segments)
    return segments
