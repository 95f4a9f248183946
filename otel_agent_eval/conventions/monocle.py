"""Monocle: `span.type`, entities, and the events `data.input` and `data.output`."""

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView

_INPUT, _OUTPUT = "data.input", "data.output"


def read(span: SpanView) -> Extract | None:
    """Read a span of Monocle."""
    if "monocle_apptrace.version" not in span.attributes and not any(
        event.name in {_INPUT, _OUTPUT} for event in span.events
    ):
        return None
    draft = Draft("monocle", role_of(span))
    for event in span.events:
        if event.name == _INPUT:
            for key in ("input", "question", "query"):
                draft.given(event.name, event.attributes.get(key))
        elif event.name == _OUTPUT:
            for key in ("response", "output"):
                draft.returned(event.name, event.attributes.get(key))
    return draft.extract()
