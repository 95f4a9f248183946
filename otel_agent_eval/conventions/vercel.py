"""The Vercel AI SDK: `ai.prompt`, `ai.response.text` and their relatives, from version 3 on."""

from collections.abc import Mapping

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json, decode, is_absent

_MARKS = ("ai.operationId", "ai.prompt", "ai.response.", "ai.result.", "ai.toolCall.", "ai.ranking")
_PROMPTS = ("ai.prompt.messages", "ai.prompt")
_TEXTS = ("ai.response.text", "ai.result.text")
_OBJECTS = ("ai.response.object", "ai.result.object")  # structured output: its JSON is what was shown
_TOOL_CALLS = ("ai.response.toolCalls", "ai.result.toolCalls")


def read(span: SpanView) -> Extract | None:
    """Read a span of the Vercel AI SDK."""
    attributes = span.attributes
    if not any(key.startswith(_MARKS) for key in attributes):
        return None
    role = role_of(span)
    draft = Draft("vercel_ai", Role.LLM if role is Role.OTHER else role)
    if draft.role is Role.TOOL:
        for key in ("ai.toolCall.result", "ai.toolCall.output"):
            draft.tool_result(key, attributes.get(key))
    elif draft.role is Role.RERANKER:
        draft.retrieved("ai.ranking", attributes.get("ai.ranking"))
    elif draft.role in {Role.LLM, Role.CHAIN}:
        _read_messages(attributes, draft)
    return draft.extract()


def _read_messages(attributes: Mapping[str, Json], draft: Draft) -> None:
    for key in _PROMPTS:
        if not draft.turns:
            draft.request(key, attributes.get(key))
    for key in (*_TEXTS, *_OBJECTS):
        value = attributes.get(key)
        if isinstance(value, str) and not draft.answers:
            draft.response(key, [{"role": "assistant", "content": [{"type": "text", "text": value}]}])
    if any(not is_absent(decode(attributes.get(key)).value) for key in _TOOL_CALLS):
        draft.tool_call = draft.output_captured = True
    if not is_absent(attributes.get("ai.response.files")):
        draft.media.append("file")
