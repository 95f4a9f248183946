"""Monocle: `span.type`, numbered entities, and the events `data.input` and `data.output`."""

from dataclasses import replace
from typing import Final

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView

_INPUT, _OUTPUT, _METADATA = "data.input", "data.output", "metadata"
_MAX_ENTITIES: Final = 16


def read(span: SpanView) -> Extract | None:
    """Read a span of Monocle."""
    if "monocle_apptrace.version" not in span.attributes and not any(
        event.name in {_INPUT, _OUTPUT} for event in span.events
    ):
        return None
    draft = Draft("monocle", role_of(span))
    finish = ""
    for event in span.events:
        if event.name == _INPUT:
            for key in ("input", "question", "query"):
                draft.given(event.name, event.attributes.get(key))
        elif event.name == _OUTPUT:
            draft.output_captured = True
            if event.attributes.get("finish_type") == "error":
                continue  # the response is the message of the error
            for key in ("response", "output"):
                draft.returned(event.name, event.attributes.get(key))
        finish = event.attributes.get("finish_type") or finish
    if finish == "tool_call" and not draft.answers:
        draft.tool_call = draft.output_captured = True
    return replace(
        draft.extract(),
        model=_entity(span, "model.llm"),
        agent=_entity(span, "agent."),
        tool_name=_entity(span, "tool.") or _entity(span, "mcp."),
    )


def _entity(span: SpanView, kind: str) -> str:
    """Name the first entity of a kind; entities are numbered from 1 and have a name and a type each."""
    for number in range(1, _MAX_ENTITIES):
        found = span.attributes.get(f"entity.{number}.type")
        name = span.attributes.get(f"entity.{number}.name")
        if isinstance(found, str) and found.startswith(kind) and isinstance(name, str):
            return name
    return ""
