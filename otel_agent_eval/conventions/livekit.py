"""LiveKit agents: `lk.*`, turns of a spoken conversation."""

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import decode

_ASKED = ("lk.user_transcript", "lk.user_input", "lk.input_text")


def read(span: SpanView) -> Extract | None:
    """Read a span of LiveKit agents."""
    attributes = span.attributes
    if not any(key.startswith("lk.") for key in attributes):
        return None
    draft = Draft("livekit", _role(span))
    draft.tool_result("lk.function_tool.output", attributes.get("lk.function_tool.output"))
    if draft.role in {Role.LLM, Role.AGENT}:
        context = decode(attributes.get("lk.chat_ctx")).value
        draft.request("lk.chat_ctx", context.get("items", context) if isinstance(context, dict) else context)
        for key in _ASKED:
            draft.asked(key, attributes.get(key))
        draft.response("lk.response.text", attributes.get("lk.response.text"))
        draft.tool_call = draft.tool_call or bool(decode(attributes.get("lk.response.function_calls")).value)
    return draft.extract()


def _role(span: SpanView) -> Role:
    role = role_of(span)
    if role is not Role.OTHER:
        return role
    if "lk.function_tool.output" in span.attributes or "lk.function_tool.name" in span.attributes:
        return Role.TOOL
    if "lk.chat_ctx" in span.attributes:
        return Role.LLM
    # A speech synthesis span repeats the answer as its input: it answers nobody.
    return (
        Role.AGENT if "lk.response.text" in span.attributes or "lk.user_transcript" in span.attributes else Role.OTHER
    )
