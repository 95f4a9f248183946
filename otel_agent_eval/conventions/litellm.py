"""LiteLLM's raw request spans: `llm.<provider>.messages` and `.choices`, as Python reprs."""

import re

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView

_KEY = re.compile(
    r"llm\.[A-Za-z0-9_-]+\.(messages|contents|prompt|choices|candidates|content|output|stringified_raw_response)\Z"
)
_ASKED = frozenset({"messages", "contents", "prompt"})


def read(span: SpanView) -> Extract | None:
    """Read the span of one raw provider call."""
    found = [(key, match.group(1)) for key in span.attributes if (match := _KEY.match(key))]
    if not found:
        return None
    role = role_of(span)
    draft = Draft("litellm", Role.LLM if role is Role.OTHER else role)
    for key, what in found:
        value = span.attributes[key]
        if what in _ASKED:
            draft.request(key, value)
        elif not draft.answers:
            draft.response(key, value)
    return draft.extract()
