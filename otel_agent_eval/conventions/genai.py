"""OpenTelemetry GenAI since 1.37: attributes of spans, and the event that carries the same ones."""

from collections.abc import Mapping

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.inputs import question_in
from otel_agent_eval.conventions.messages import read_request
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json, decode
from otel_agent_eval.evaluation.interaction import Turn

_DETAILS = frozenset({"gen_ai.client.inference.operation.details", "gen_ai.client.operation.details"})
_VARIABLE = "gen_ai.prompt.variable."
_SYSTEM = ("gen_ai.system_instructions", "gen_ai.agent.system_prompt")
_RESULT = ("gen_ai.tool.call.result", "gen_ai.tool.result", "gen_ai.tool.output", "gen_ai.tool.message")
_RETRIEVED = ("gen_ai.retrieval.documents", "gen_ai.memory.records", "gen_ai.rerank.documents")
_QUERY = ("gen_ai.retrieval.query.text", "gen_ai.retrieval.query", "gen_ai.memory.query.text", "gen_ai.memory.query")


def read_attributes(span: SpanView) -> Extract | None:
    """Read the attributes of the span itself."""
    if not any(key.startswith("gen_ai.") for key in span.attributes):
        return None
    draft = Draft("otel_genai", role_of(span))
    _read(span.attributes, draft, span.dropped_attributes)
    return draft.extract()


def read_details(span: SpanView) -> Extract | None:
    """Read the operation details event, on the span or as a log record, with attributes or a body."""
    found = [event for event in span.events if event.name in _DETAILS]
    if not found:
        return None
    role = role_of(span)
    draft = Draft("otel_genai", Role.LLM if role is Role.OTHER else role)
    for event in found:
        body = event.body if isinstance(event.body, Mapping) else {}
        before = len(draft.keys)
        _read({**body, **event.attributes}, draft)
        if len(draft.keys) > before:
            draft.keys[before:] = [event.name]
    return draft.extract()


def _read(attributes: Mapping[str, Json], draft: Draft, dropped: int = 0) -> None:
    if draft.role in {Role.EVALUATOR, Role.GUARDRAIL, Role.EMBEDDING}:
        return
    _read_input(attributes, draft)
    for key in _SYSTEM:
        if not any(turn.role == "system" for turn in draft.turns):
            draft.system(key, attributes.get(key))
    if draft.role is Role.TOOL:
        draft.tool_result("gen_ai.output.messages", attributes.get("gen_ai.output.messages"))
    else:
        draft.indexed_response(attributes, "gen_ai.output.messages", dropped)
    for key in _RETRIEVED:
        draft.retrieved(key, attributes.get(key))
    for key in _RESULT if draft.role is not Role.CHAIN else ():
        draft.tool_result(key, None if draft.documents else attributes.get(key))
    for key in _QUERY:
        draft.asked(key, attributes.get(key))
    for key in [key for key in attributes if key.startswith(_VARIABLE)]:
        draft.variable(key, key.removeprefix(_VARIABLE), attributes[key])
    draft.by_reference = draft.by_reference or any(map(_is_reference, attributes))


def _is_reference(key: str) -> bool:
    return key.startswith("gen_ai.") and key.endswith(("_ref", ".ref", "_uri"))


def _read_input(attributes: Mapping[str, Json], draft: Draft) -> None:
    key = "gen_ai.input.messages"
    whole = decode(attributes.get(key)).value
    if draft.role is not Role.LLM and isinstance(whole, Mapping) and not read_request(whole):
        draft.asked(key, whole)  # half normalised: a chain's input under this name
    else:
        draft.indexed_request(attributes, key)
        if draft.role in {Role.CHAIN, Role.AGENT}:
            draft.turns[:] = [turn for turn in map(_plain, draft.turns) if turn.text]


def _plain(turn: Turn) -> Turn:
    """Take the question out of a chain's input that stands as JSON in a message (`{"input": "..."}`)."""
    found = decode(turn.text).value if turn.role == "user" and turn.text.startswith("{") else None
    return Turn(turn.role, question_in(found)) if isinstance(found, Mapping) else turn
