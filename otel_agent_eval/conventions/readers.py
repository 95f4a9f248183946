"""Reads a span: the table of readers, and how what they find becomes one Extract."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Final

from otel_agent_eval.conventions import (
    adk,
    dspy,
    genai,
    genai_events,
    identity,
    litellm,
    livekit,
    monocle,
    openinference,
    openllmetry,
    pydantic_ai,
    vercel,
)
from otel_agent_eval.conventions.extract import Extract, Reader, Role
from otel_agent_eval.conventions.markers import speaks
from otel_agent_eval.conventions.pairs import PAIRS, pair_reader
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import cut_length, looks_cut
from otel_agent_eval.evaluation.interaction import Part

ENTRY_POINT: Final = "otel_agent_eval.conventions"

READERS: tuple[Reader, ...] = (
    genai.read_attributes,
    genai.read_details,
    openinference.read,
    vercel.read,
    openllmetry.read,
    genai_events.read_events,
    pydantic_ai.read,
    adk.read,
    *map(pair_reader, PAIRS),
    genai_events.read_records,
    litellm.read,
    livekit.read,
    monocle.read,
)
"""In order of precedence: each part of a span is taken from the first reader that finds it."""

_RETRIEVAL: Final = re.compile(r"retriev|vector.?search|similarity.?search|knowledge.?base|search.?doc", re.IGNORECASE)
_log = logging.getLogger(__name__)


def load_readers(readers: Sequence[Reader] = READERS) -> tuple[Reader, ...]:
    """Return the readers of installed plug-ins (entry points `otel_agent_eval.conventions`) before the given ones.

    A plug-in that cannot be imported, or is not callable, is left out with one line in the log.
    """
    plugins: list[Reader] = []
    for point in entry_points(group=ENTRY_POINT):
        try:
            reader = point.load()
        except Exception:  # noqa: BLE001 (someone else's code: whatever it raises, the gateway goes on without it)
            _log.warning("convention reader left out: it cannot be loaded", extra={"entry_point": point.name})
            continue
        if callable(reader):
            plugins.append(reader)
        else:
            _log.warning("convention reader left out: it is not callable", extra={"entry_point": point.name})
    return (*plugins, *readers)


def read(span: SpanView, readers: Sequence[Reader] = READERS) -> Extract:
    """Read a span, merging what the conventions that it speaks say of it.

    `convention` names the one that the answer was read from, else the documents, the messages, or the first that knew
    the span; `""` where it speaks none.
    """
    if readers is READERS and not speaks(span):
        return Extract(convention="")
    found = [extract for reader in readers if (extract := reader(span)) is not None]
    if not found:
        return Extract(convention="")
    merged = dspy.without_marks(found[0] if len(found) == 1 else _merge(found))
    role = role_of(span)
    role = merged.role if role is Role.OTHER else role
    if role in {Role.CHAIN, Role.OTHER} and merged.documents and not merged.answers and _RETRIEVAL.search(span.name):
        role = Role.RETRIEVER  # a function of the application itself, traced by a decorator
    return replace(
        merged,
        role=role,
        truncated=merged.truncated | _cut(span, merged),
        tool_call=merged.tool_call or (not merged.answers and identity.stopped_for_tools(span)),
        by_reference=merged.by_reference and not (merged.answers or merged.tool_call or merged.documents),
        model=merged.model or identity.model_of(span),
        agent=merged.agent or identity.agent_of(span),
        tool_name=merged.tool_name or identity.tool_of(span) or (span.name if role is Role.TOOL else ""),
        conversation=merged.conversation or identity.conversation_of(span),
        response_id=merged.response_id or identity.response_of(span),
    )


def _merge(found: Sequence[Extract]) -> Extract:
    """Take each part from the first reader that has it, and name the readers' keys that were used."""
    none = Extract(convention="")
    output = next((e for e in found if e.answers or e.tool_call), None) or next(
        (e for e in found if e.output_captured), none
    )
    documents = next((e for e in found if e.documents), none)
    turns = next((e for e in found if e.turns), none)
    question = next((e for e in found if e.question), none)
    variables = next((e for e in found if e.variables), none)
    used = [e for e in (output, documents, turns, question, variables) if e is not none]
    content = next((e for e in used if e.answers or e.documents or e.turns or e.question), found[0])
    return Extract(
        convention=content.convention,
        role=next((e.role for e in found if e.role is not Role.OTHER), Role.OTHER),
        keys=tuple(dict.fromkeys(key for e in found if e in used for key in e.keys)),
        turns=turns.turns,
        question=question.question,
        answers=output.answers,
        documents=documents.documents,
        variables=variables.variables,
        tool_call=output.tool_call,
        tool_name=next((e.tool_name for e in found if e.tool_name), ""),
        media=tuple(dict.fromkeys(medium for e in used for medium in e.media)),
        truncated=frozenset(
            {
                *(output.truncated & {Part.ANSWER}),
                *((turns.truncated | question.truncated) & {Part.QUESTION}),
                *(documents.truncated & {Part.DOCUMENTS}),
            }
        ),
        by_reference=any(e.by_reference for e in found),
        output_captured=any(e.output_captured for e in found),
        model=next((e.model for e in found if e.model), ""),
        agent=next((e.agent for e in found if e.agent), ""),
        conversation=next((e.conversation for e in found if e.conversation), ""),
        response_id=next((e.response_id for e in found if e.response_id), ""),
    )


def _cut(span: SpanView, extract: Extract) -> set[Part]:
    """Say which parts were cut as plain texts, where no broken JSON shows it."""
    limit = cut_length(span.attributes)
    last = next((turn.text for turn in reversed(extract.turns) if turn.role == "user"), "")
    texts = {
        Part.ANSWER: extract.answers,
        Part.QUESTION: (extract.question, last),
        Part.DOCUMENTS: tuple(document.text for document in extract.documents),
    }
    return {part for part, found in texts.items() if any(looks_cut(text, limit) for text in found)}
