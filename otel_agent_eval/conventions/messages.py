"""Messages in every shape: OTel, OpenAI, Anthropic, Gemini, Bedrock, LangChain, OpenInference, Monocle."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from otel_agent_eval.conventions.parts import Parts, is_part, read_parts, undotted
from otel_agent_eval.conventions.values import Json, decode, is_absent, text
from otel_agent_eval.evaluation.interaction import Document, Turn

_MAX_DEPTH = 10
_MAX_MESSAGES = 2_000  # the last ones are kept: the question is at the end

ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "systemmessage": "system",
    "user": "user",
    "human": "user",
    "humanmessage": "user",
    "usermessage": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "assistantmessage": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "toolmessage": "tool",
    "function": "tool",
    "functionmessage": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "tool-response": "tool",
    "ipython": "tool",
}

# Where a request keeps its system instructions, and where its messages.
_SYSTEM_KEYS = ("system", "system_instruction", "systemInstruction", "instructions", "system_prompt", "systemPrompt")
_INPUT_KEYS = (
    "messages",
    "contents",
    "chat_messages",
    "input",
    "prompt",
    "prompts",
    "inputs",
    "new_message",
    "message",
)
# Where a response keeps its choices.
_OUTPUT_KEYS = (
    *("choices", "candidates", "generations", "replies", "output", "outputs", "messages", "message", "response"),
    *("responses", "result", "results", "llm_response", "completion", "content", "output_text", "outputText", "text"),
    *("generated_text", "value", "update", "data"),
)
_SPEAKS = re.compile(r"^(?P<role>system|developer|user|human|assistant|ai|tool): ", re.IGNORECASE | re.MULTILINE)
_CONTENT_KEYS = ("parts", "content", "contents", "_content", "blocks", "text", "delta", "message")


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `text` joins its text parts, `results` are those of tools that it carries."""

    role: str
    text: str = ""
    results: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    media: tuple[str, ...] = ()
    tool_call: bool = False
    truncated: bool = False

    def turns(self) -> list[Turn]:
        """Give the message as turns; results of tools that it carries come first, in the role of the tool."""
        turns = [Turn("tool", result) for result in self.results if result]
        return [*turns, Turn(self.role, self.text)] if self.text else turns


def read_request(value: Json) -> list[Message]:
    """Read what went into a model: a list of messages, a provider's request, or a plain prompt."""
    value = decode(value).value
    if isinstance(value, str) and _SPEAKS.match(value):
        return _read_transcript(value)
    if not isinstance(value, Mapping) or is_message(value):
        return read_messages(value, "user")
    found: list[Message] = []
    config = value.get("config")
    for holder in (value, config):
        if isinstance(holder, Mapping):
            for key in _SYSTEM_KEYS:
                if not is_absent(holder.get(key)):
                    found += read_system(holder[key])
                    break
    for key in _INPUT_KEYS:
        if not is_absent(value.get(key)):
            return found + read_messages(value[key], "user")
    return found


def read_response(value: Json, depth: int = _MAX_DEPTH) -> list[Message]:  # noqa: PLR0911 (one for each shape)
    """Read what a model gave: one message for each choice, or a plain text; empty where nothing is recognised."""
    value = decode(value).value
    if depth <= 0 or is_absent(value):
        return []
    if isinstance(value, str):
        return [Message("assistant", text(value))]
    if isinstance(value, list):
        if any(isinstance(item, list | Mapping) and not is_message(item) and not is_part(item) for item in value):
            found = [message for item in value[:_MAX_MESSAGES] for message in read_response(item, depth - 1)]
        else:
            found = read_messages(value, "assistant")
        return [replace(message, truncated=True) for message in found] if len(value) > _MAX_MESSAGES else found
    if not isinstance(value, Mapping):
        return []
    if is_message(value) or is_part(value):
        return read_messages(value, "assistant")
    for key in _OUTPUT_KEYS:
        if not is_absent(value.get(key)):
            return read_response(value[key], depth - 1)
    return []


def read_messages(value: Json, role: str, depth: int = _MAX_DEPTH) -> list[Message]:  # noqa: PLR0911 (one for each shape)
    """Read a list of messages, one message, a list of parts or a plain text; `role` is for those that name none."""
    if isinstance(value, str):
        decoded = decode(value).value
        value = decoded if isinstance(decoded, list | Mapping) else value
    if depth <= 0 or is_absent(value):
        return []
    if isinstance(value, str):
        return [Message(role, text(value))]
    if isinstance(value, Mapping):
        value = undotted(value, "message.")
        known = is_message(value) or is_part(value) or isinstance(value.get("content"), str | list)
        return [_read_message(value, role)] if known else []
    if not isinstance(value, list):
        return []
    pair = _role_pair(value)
    if pair is not None:
        return [pair]
    if value and all(is_part(item) and not is_message(item) for item in value):
        return [_make(role, value)]
    return [message for item in value[-_MAX_MESSAGES:] for message in read_messages(item, role, depth - 1)]


def is_message(value: Json) -> bool:  # noqa: PLR0911 (one for each shape)
    """Say whether a value is one message."""
    if not isinstance(value, Mapping):
        return False
    if "message.role" in value or "message.content" in value:
        return True
    if isinstance(value.get("role") or value.get("_role"), str) or _single_role(value):
        return True
    if "lc" in value and isinstance(value.get("id"), list):
        return str(value["id"][-1:]).lower().strip("[]'") in ROLES
    inner = value.get("message")
    if isinstance(inner, Mapping) or (isinstance(inner, str) and len(value) > 1 and not is_part(value)):
        return True  # OpenInference, or a choice: {"index": 0, "message": {...}, "finish_reason": "stop"}
    if "parts" in value and isinstance(value["parts"], list):
        return True
    kind = value.get("type")
    return isinstance(kind, str) and (kind == "message" or (kind.lower() in ROLES and kind != "function"))


def input_turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """Give messages as turns."""
    return tuple(turn for message in messages for turn in message.turns())


def read_system(value: Json) -> list[Message]:
    """Read system instructions, text or parts, as one system message."""
    parts = Parts()
    value = decode(value).value
    read_parts(value.get("parts", value.get("content", value)) if isinstance(value, Mapping) else value, parts)
    return [Message("system", "\n".join(parts.texts))] if parts.texts else []


def _read_transcript(transcript: str) -> list[Message]:
    """Read a prompt in which each message begins with its role, as OpenLIT and LangChain write them."""
    found: list[Message] = []
    starts = list(_SPEAKS.finditer(transcript))[-_MAX_MESSAGES:]
    for start, end in zip(starts, [*(s.start() for s in starts[1:]), len(transcript)], strict=True):
        content = decode(transcript[start.end() : end].strip()).value
        listed = isinstance(content, list) and bool(content) and all(map(is_message, content))
        found += read_messages(content, "user") if listed else [_make(ROLES[start["role"].lower()], content)]
    return found


def _single_role(value: Mapping[str, Json]) -> str:
    """Recognise `{"user": "hi"}`, as Monocle writes messages."""
    if len(value) == 1:
        ((key, content),) = value.items()
        if key in {"system", "user", "human", "assistant", "ai", "model", "bot", "tool"} and not isinstance(
            content, bool
        ):
            return ROLES[key]
    return ""


def _role_pair(value: list[Json]) -> Message | None:
    """Recognise `["user", "hi"]`, as LangGraph takes messages."""
    if len(value) == 2 and isinstance(value[0], str) and value[0].lower() in ROLES:  # noqa: PLR2004 (a pair)
        return _make(ROLES[value[0].lower()], value[1])
    return None


def _read_message(value: Mapping[str, Json], role: str, depth: int = _MAX_DEPTH) -> Message:
    single = _single_role(value)
    if single:
        return _make(single, next(iter(value.values())))
    role = _role_of(value, role)
    for key in ("message", "data", "kwargs"):  # a choice, OpenInference; LangChain's two serialisations
        inner = value.get(key)
        if isinstance(inner, Mapping) and (key != "data" or "content" in inner):
            nested = is_message(inner) and depth > 0
            return _read_message(inner, role, depth - 1) if nested else _make(_role_of(inner, role), inner)
        if isinstance(inner, str) and key == "message" and "content" not in value:
            return _make(role, inner)
    return _make(role, value)


def _role_of(value: Mapping[str, Json], default: str) -> str:
    ids = value.get("id")
    for name in (value.get("role"), value.get("_role"), value.get("type"), ids[-1:] if isinstance(ids, list) else None):
        name = name[0] if isinstance(name, list) and name else name  # noqa: PLW2901 (the class name at the end of a path)
        if isinstance(name, str) and name.lower() in ROLES:
            return ROLES[name.lower()]
    if "tool_call_id" in value:  # only what tools returned has one; the role may be among dropped attributes
        return "tool"
    if isinstance(value.get("role"), str) and "additional_kwargs" in value:
        return "tool"  # Langfuse's LangChain handler for JavaScript puts the name of the tool there
    return default


def _make(role: str, value: Json) -> Message:
    """Make a message of its content, or of a mapping that holds its content among other things."""
    parts = Parts()
    if isinstance(value, Mapping) and not (is_part(value) and not any(key in value for key in ("role", "_role"))):
        _read_fields(value, parts)
    else:
        read_parts(value, parts)
    results = parts.results
    texts = parts.texts
    if role == "tool":  # all that a tool's message says is its result
        results, texts = [], [*texts, *results]
    elif results and not texts and role == "user":
        role = "tool"
        results, texts = [], results
    return Message(
        role=role,
        text="\n".join(texts),
        results=tuple(results),
        documents=tuple(parts.documents),
        media=tuple(parts.media),
        tool_call=parts.tool_call,
        truncated=parts.truncated,
    )


def _read_fields(value: Mapping[str, Json], parts: Parts, depth: int = _MAX_DEPTH) -> None:
    for key in _CONTENT_KEYS:
        if not is_absent(value.get(key)):
            content = value[key]
            if isinstance(content, Mapping) and depth > 0 and not is_part(content):
                _read_fields(content, parts, depth - 1)
            else:
                read_parts(content, parts)
            if parts.texts or parts.results or parts.media or parts.documents:
                break
    refusal = value.get("refusal")
    if isinstance(refusal, str) and not is_absent(refusal) and not parts.texts:
        parts.texts.append(text(refusal))
    audio = value.get("audio")
    if isinstance(audio, Mapping) and audio:
        read_parts({"type": "audio", **audio}, parts)
    extra = value.get("additional_kwargs")
    for holder in (value, extra):
        if isinstance(holder, Mapping) and any(
            not is_absent(holder.get(key)) for key in ("tool_calls", "function_call", "toolCalls", "invalid_tool_calls")
        ):
            parts.tool_call = True
