"""Google ADK: requests and responses of Gemini as JSON under `gcp.vertex.agent.*`."""

from collections.abc import Mapping

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import decode, is_absent

_PREFIX = "gcp.vertex.agent."
_REQUEST, _RESPONSE = _PREFIX + "llm_request", _PREFIX + "llm_response"
_TOOL_RESPONSE = _PREFIX + "tool_response"
_OLD_TOOL_ARGUMENTS = _PREFIX + "tool_call_args"


def read(span: SpanView) -> Extract | None:
    """Read a span of ADK; what a span does not have, ADK writes as `{}` or `N/A`."""
    attributes = span.attributes
    if not any(key.startswith(_PREFIX) for key in attributes):
        return None
    draft = Draft("google_adk", _role(span))
    draft.tool_result(_TOOL_RESPONSE, None if is_absent(attributes.get(_TOOL_RESPONSE)) else attributes[_TOOL_RESPONSE])
    if draft.role is Role.LLM:
        draft.request(_REQUEST, attributes.get(_REQUEST))
        response = decode(attributes.get(_RESPONSE))
        if isinstance(response.value, Mapping) and "content" not in response.value and not response.truncated:
            draft.output_captured = bool(response.value)  # an error, or a stream's last, empty piece
        else:
            draft.response(_RESPONSE, attributes.get(_RESPONSE))
    elif draft.role is Role.AGENT:
        draft.given(_PREFIX + "data", attributes.get(_PREFIX + "data"))
    return draft.extract()


def _role(span: SpanView) -> Role:
    role = role_of(span)
    if role is not Role.OTHER:
        return role
    if not is_absent(span.attributes.get(_REQUEST)):
        return Role.LLM
    return Role.TOOL if _OLD_TOOL_ARGUMENTS in span.attributes or _TOOL_RESPONSE in span.attributes else Role.OTHER
