"""The attributes of a span by which rules and selectors choose it."""

from otel_agent_eval.conventions.identity import agent_of, model_of
from otel_agent_eval.conventions.span import SpanView

_IN_ANY_WORDS = {"gen_ai.agent.name": agent_of, "gen_ai.response.model": model_of}


def attribute(span: SpanView, name: str) -> object:
    """Return a span's attribute, else its resource's, else None; `span.name` is the span's name.

    `gen_ai.agent.name` and `gen_ai.response.model` are found under whatever name a convention gives them.
    """
    if name == "span.name":
        return span.name
    for attributes in (span.attributes, span.resource):
        if name in attributes:
            return attributes[name]
    return _IN_ANY_WORDS[name](span) or None if name in _IN_ANY_WORDS else None
