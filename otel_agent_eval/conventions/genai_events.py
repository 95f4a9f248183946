"""OpenTelemetry GenAI before 1.37: events, on spans or as log records, and the forms that Azure and AWS give them."""

from collections.abc import Mapping, Sequence

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import EventView, SpanView
from otel_agent_eval.conventions.values import Json, decode, is_absent

_MESSAGES: Mapping[str, str] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_PROMPT = "gen_ai.content.prompt"
_COMPLETION = "gen_ai.content.completion"
_RECORDS = ("db.query.result", "db.search.result")
_RECORD_KEYS: Mapping[str, str] = {
    "document": "document",
    "entity": "text",
    "id": "id",
    "score": "score",
    "distance": "distance",
}


def read_events(span: SpanView) -> Extract | None:
    """Read the events that carry messages."""
    messages = [event for event in span.events if event.name in _MESSAGES]
    choices = [event for event in span.events if event.name == _CHOICE]
    legacy = [event for event in span.events if event.name in {_PROMPT, _COMPLETION}]
    bodies = [event for event in span.events if _is_exchange(event)]
    if not (messages or choices or legacy or bodies):
        return None
    role = role_of(span)
    draft = Draft("otel_genai_events", Role.LLM if role is Role.OTHER else role)
    add_events(draft, [(e.name, _content(e)) for e in messages], [(e.name, _content(e)) for e in choices])
    for event in legacy:
        if event.name == _PROMPT:
            draft.request(event.name, event.attributes.get("gen_ai.prompt", event.body))
        else:
            draft.response(event.name, event.attributes.get("gen_ai.completion", event.body))
    for event in bodies:
        _read_exchange(event, draft)
    return draft.extract()


def add_events(draft: Draft, messages: Sequence[tuple[str, Json]], choices: Sequence[tuple[str, Json]]) -> None:
    """Add per-message events, each a name and its content, whatever carried them."""
    if draft.role in {Role.EVALUATOR, Role.GUARDRAIL, Role.EMBEDDING}:
        return
    for name, content in messages:
        if draft.role is Role.TOOL and name == "gen_ai.tool.message":
            continue  # Strands: the arguments of the tool's call
        draft.request(name, {"role": _MESSAGES[name], **_without_role(content)})
    for name, content in sorted(choices, key=_index):
        message = content.get("message", content)
        if draft.role is Role.TOOL:
            draft.tool_result(name, message)
            continue
        result = content.get("tool.result")
        if not is_absent(result):
            draft.request(name, {"role": "tool", "content": result})
        if message is content and not any(key in content for key in ("content", "parts", "tool_calls")):
            draft.output_captured = draft.output_captured or "finish_reason" not in content
            continue  # content capture is off: only index and finish reason came
        draft.response(name, {"role": "assistant", **_without_role(message)})


def read_records(span: SpanView) -> Extract | None:
    """Read what a vector store returned, one event a record (OpenLLMetry)."""
    found = [event for event in span.events if event.name in _RECORDS]
    if not found:
        return None
    role = role_of(span)
    draft = Draft("openllmetry", Role.RETRIEVER if role is Role.OTHER else role)
    records = [
        {_RECORD_KEYS.get(key.rsplit(".", 1)[-1], key.rsplit(".", 1)[-1]): value for key, value in e.attributes.items()}
        for e in found
    ]
    draft.retrieved(found[0].name, records)
    return draft.extract()


def _content(event: EventView) -> Mapping[str, Json]:
    """Give what an event carries: its body, Azure's JSON attribute, or its attributes."""
    azure = decode(event.attributes.get("gen_ai.event.content")).value
    body = decode(event.body).value
    for found in (body, azure):
        if isinstance(found, Mapping) and found:
            return found
        if isinstance(found, str | list) and found:
            return {"content": found}
    return {key: value for key, value in event.attributes.items() if not key.startswith(("gen_ai.", "event."))}


def _without_role(content: Json) -> Mapping[str, Json]:
    """Give content as the fields of a message; the event's name says whose it is."""
    decoded = decode(content).value if not isinstance(content, Mapping) else content
    if isinstance(decoded, Mapping) and any(key in decoded for key in ("content", "parts", "tool_calls", "refusal")):
        return {key: value for key, value in decoded.items() if key not in {"role", "type", "id", "message"}}
    if isinstance(decoded, Mapping) and "role" in decoded:
        return {}
    return {"content": [decoded] if isinstance(decoded, Mapping) and decoded else content}


def _index(choice: tuple[str, Mapping[str, Json]]) -> int:
    index = choice[1].get("index")
    return index if isinstance(index, int) else 0


def _is_exchange(event: EventView) -> bool:
    """Recognise AgentCore's log records: a body with input and output messages."""
    body = event.body
    return isinstance(body, Mapping) and any(
        isinstance(side := body.get(key), Mapping) and "messages" in side for key in ("input", "output")
    )


def _read_exchange(event: EventView, draft: Draft) -> None:
    name = event.name or "log record"
    for key, add in (("input", draft.request), ("output", draft.response)):
        side = event.body.get(key)
        if isinstance(side, Mapping):
            add(name, side.get("messages"))
