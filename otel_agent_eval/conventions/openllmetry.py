"""OpenLLMetry: indexed `gen_ai.prompt.N` and `gen_ai.completion.N`, which LangSmith and Koog write too."""

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView

_PROMPT, _COMPLETION = "gen_ai.prompt", "gen_ai.completion"


def read(span: SpanView) -> Extract | None:
    """Read indexed prompts and completions."""
    if not any(key.startswith((_PROMPT + ".", _COMPLETION + ".")) for key in span.attributes):
        return None
    role = role_of(span)
    draft = Draft("openllmetry", Role.LLM if role is Role.OTHER else role)
    if draft.role not in {Role.EVALUATOR, Role.GUARDRAIL, Role.EMBEDDING}:
        draft.indexed_request(_indexed(span, _PROMPT), _PROMPT)
        draft.indexed_response(_indexed(span, _COMPLETION), _COMPLETION, span.dropped_attributes)
    return draft.extract()


def _indexed(span: SpanView, prefix: str) -> dict[str, object]:
    """Leave out the bare key, which other conventions use."""
    return {key: value for key, value in span.attributes.items() if key.startswith(prefix + ".")}
