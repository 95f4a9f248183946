"""Pydantic AI and Logfire: lists of events, whole conversations on agent spans, request and response data."""

from collections.abc import Mapping

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.genai_events import add_events
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json, decode, is_absent, text

_ALL_MESSAGES = ("pydantic_ai.all_messages", "all_messages")
_EVENTS = ("events", "all_messages_events")
_MARKS = (*_ALL_MESSAGES, *_EVENTS, "final_result", "tool_response", "request_data", "response_data")


def read(span: SpanView) -> Extract | None:
    """Read a span of Pydantic AI or of Logfire's own instrumentations."""
    attributes = span.attributes
    logfire = span.scope.startswith(("pydantic-ai", "logfire")) or any(
        key.startswith(("logfire.", "pydantic_ai.")) for key in attributes
    )
    if not logfire or not any(key in attributes for key in _MARKS):
        return None
    draft = Draft("pydantic_ai", _role(span))
    if draft.role in {Role.EVALUATOR, Role.GUARDRAIL}:
        return draft.extract()
    for key in _ALL_MESSAGES:
        draft.conversation(key, attributes.get(key))
    for key in _EVENTS:
        _read_events(draft, key, attributes.get(key))
    final = attributes.get("final_result")
    if not is_absent(final):
        draft.answers = [text(final)]
        draft.keys.append("final_result")
        draft.output_captured, draft.tool_call = True, False
    draft.tool_result("tool_response", attributes.get("tool_response"))
    if not draft.turns:
        draft.given("request_data", attributes.get("request_data"))
    if not draft.answers and draft.role is Role.LLM:
        data = decode(attributes.get("response_data")).value
        draft.response("response_data", data.get("combined_chunk_content", data) if isinstance(data, Mapping) else data)
    return draft.extract()


def _role(span: SpanView) -> Role:
    role = role_of(span)
    if role is not Role.OTHER:
        return role
    if "final_result" in span.attributes or any(key in span.attributes for key in (*_ALL_MESSAGES, _EVENTS[1])):
        return Role.AGENT
    return Role.TOOL if "tool_response" in span.attributes else Role.LLM


def _read_events(draft: Draft, key: str, value: Json) -> None:
    """Read events that an attribute lists: `event.name` says what each is."""
    listed = decode(value).value
    if not isinstance(listed, list):
        return
    events = [event for event in listed if isinstance(event, Mapping)]
    named = [(name, event) for event in events if isinstance(name := event.get("event.name"), str)]
    messages = [(name, event) for name, event in named if name.startswith("gen_ai.") and name.endswith(".message")]
    choices = [(name, event) for name, event in named if name == "gen_ai.choice"]
    before = len(draft.keys)
    if draft.role is Role.AGENT and not choices:
        draft.conversation(key, [event for _, event in messages])
    else:
        add_events(draft, messages, choices)
    if len(draft.keys) > before:
        draft.keys[before:] = [key]
