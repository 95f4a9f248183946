"""The parts of a message, in every shape that providers and frameworks give them: text, tool calls, results, media."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from otel_agent_eval.conventions.values import Json, decode, is_absent, text
from otel_agent_eval.evaluation.interaction import Document

_MAX_DEPTH = 12
_MAX_PARTS = 10_000
_MAX_BLOB = 1 << 20  # base64 characters of a plain text attachment that are decoded

_TEXT = frozenset(
    {"text", "input_text", "output_text", "text_delta", "summary_text", "plain_text", "markdown", "refusal"}
    | {"text_content"}
)
_REASONING = frozenset(
    {"reasoning", "thinking", "redacted_thinking", "redacted_reasoning", "reasoning_content", "thought", "compaction"}
)
_TOOL_CALL = frozenset(
    {"tool_call", "tool_use", "tool-call", "function_call", "server_tool_call", "server_tool_use", "mcp_tool_use"}
    | {"custom_tool_call", "mcp_call", "computer_call", "web_search_call", "file_search_call", "function"}
    | {"code_interpreter_call", "image_generation_call", "local_shell_call", "toolcall", "tool_calls", "actions"}
)
_TOOL_RESULT = frozenset(
    {"tool_call_response", "tool_result", "tool-result", "function_call_output", "server_tool_call_response"}
    | {"tool_call_result", "function_response", "mcp_tool_result", "web_search_tool_result", "tool_response"}
    | {"code_execution_tool_result", "custom_tool_call_output", "tool-return", "tool_return", "tool_result_content"}
)
_MEDIA = {
    "image": "image",
    "image_url": "image",
    "image-url": "image",
    "input_image": "image",
    "audio": "audio",
    "audio-url": "audio",
    "input_audio": "audio",
    "output_audio": "audio",
    "video": "video",
    "video-url": "video",
    "video_url": "video",
    "binary": "file",
    "file": "file",
    "input_file": "file",
    "media": "file",
    "blob": "file",
    "uri": "file",
    "document-url": "file",
}

_STATED = {
    "text": _TEXT,
    "reasoning": _REASONING,
    "tool_call": _TOOL_CALL,
    "tool_result": _TOOL_RESULT,
    "document": frozenset({"document", "search_result"}),
}
_TOOL_USE = ("{'toolUseId'", '{"toolUseId"')

# Blocks without a type: the key says what they are (Bedrock, Gemini, Haystack).
_UNTYPED = {
    "reasoningContent": "reasoning",
    "toolUse": "tool_call",
    "toolUseId": "tool_call",
    "tools": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "functionCall": "tool_call",
    "tool_call": "tool_call",
    "executable_code": "tool_call",
    "executableCode": "tool_call",
    "toolResult": "tool_result",
    "tool_result": "tool_result",
    "function_response": "tool_result",
    "functionResponse": "tool_result",
    "tool_call_result": "tool_result",
    "code_execution_result": "tool_result",
    "codeExecutionResult": "tool_result",
    "image": "image",
    "video": "video",
    "document": "document",
    "inline_data": "blob",
    "inlineData": "blob",
    "file_data": "file",
    "fileData": "file",
    "image_url": "image",
    "reasoning": "reasoning",
    "message_content": "wrapper",
}
_ALONE = frozenset({"reasoning", "tools"})  # say so only where nothing stands beside them
_WRAPPED_RESULTS = frozenset({"text", "json", "content", "error-text", "function_result", "tool_result"})
_RESULT_KEYS = ("response", "result", "output", "content", "server_tool_call_response", "tool_result", "value", "text")
_TEXT_KEYS = ("text", "content", "value", "message")


@dataclass(slots=True)
class Parts:
    """What the parts of one message amount to."""

    texts: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)  # of tools, as text
    documents: list[Document] = field(default_factory=list)  # attached as text by whoever wrote the message
    media: list[str] = field(default_factory=list)
    tool_call: bool = False
    truncated: bool = False


def read_parts(content: Json, into: Parts, depth: int = _MAX_DEPTH) -> None:
    """Sort the content of a message (text, one part, or a list of parts) into `into`."""
    if depth <= 0:
        return
    if isinstance(content, str):
        _read_text(content, into, depth)
    elif isinstance(content, list):
        into.truncated = into.truncated or len(content) > _MAX_PARTS
        for part in content[:_MAX_PARTS]:
            read_parts(part, into, depth - 1)
    elif isinstance(content, Mapping):
        _read_part(undotted(content, "message_content."), into, depth)


def is_part(value: Json) -> bool:
    """Say whether a value is a part of a message, rather than a message or something else."""
    if not isinstance(value, Mapping):
        return False
    kind = _kind(value)
    return kind not in {"", "text"} or (kind == "text" and ("type" in value or len(value) <= 2))  # noqa: PLR2004 (a text and one flag)


def result_text(value: Json, depth: int = _MAX_DEPTH) -> str:
    """Give a tool's result as text: the text of its blocks where it has blocks, else JSON."""
    value = decode(value).value if isinstance(value, str) else value
    if depth <= 0 or is_absent(value):
        return ""
    if _is_blocks(value):
        inner = Parts()
        read_parts(value, inner, depth - 1)
        return "\n".join(inner.texts + inner.results)
    if isinstance(value, Mapping):
        for blocks in (
            value.get("content"),
            value.get("blocks"),
        ):  # MCP: {"content": [...], "isError": false}; LlamaIndex
            if _is_blocks(blocks):
                return result_text(blocks, depth - 1)
        kind = value.get("type")
        wrapped = len(value) == 1 or (isinstance(kind, str) and kind in _WRAPPED_RESULTS)
        key = next((key for key in _RESULT_KEYS if value.get(key) is not None), None)
        if wrapped and key is not None:
            return result_text(value[key], depth - 1)
    return text(value)


def _is_blocks(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(is_part(item) or isinstance(item, str) for item in value)


def _read_text(content: str, into: Parts, depth: int) -> None:
    """Read a string: text, or (Strands, Koog, AgentCore) a JSON list of parts, or (Monocle) one tool call."""
    if content.lstrip()[:2] in {"[{", '"['} or content.startswith(_TOOL_USE):
        blocks, truncated = decode(content)
        blocks = [blocks] if isinstance(blocks, Mapping) else blocks
        if isinstance(blocks, list) and blocks and all(is_part(block) or _is_nested(block) for block in blocks):
            into.truncated = into.truncated or truncated or len(blocks) > _MAX_PARTS
            for block in blocks[:_MAX_PARTS]:
                read_parts(block["content"] if _is_nested(block) else block, into, depth - 1)
            return
    found = text(content)
    if found:
        into.texts.append(found)


def _is_nested(value: Json) -> bool:
    """Recognise a message inside the content of a message (AgentCore)."""
    return isinstance(value, Mapping) and isinstance(value.get("role"), str) and "content" in value


def undotted(value: Mapping[str, Json], prefix: str) -> Mapping[str, Json]:
    """Give a mapping without the prefix of its keys: OpenInference as JSON has `{"message.content": "..."}`."""
    if not any(key.startswith(prefix) for key in value):
        return value
    return {key.removeprefix(prefix): item for key, item in value.items()}


def _kind(part: Mapping[str, Json]) -> str:
    """Name what a part is: text, reasoning, tool_call, tool_result, document, wrapper, a medium, or "" if unknown."""
    stated = part.get("type") or part.get("block_type") or part.get("part_kind")
    kind = _stated_kind(stated.lower()) if isinstance(stated, str) else ""
    if kind == "document" and "page_content" in part:
        return ""  # LangChain's Document is a record of a retriever, not a part of a message
    if not kind:
        # Else it is a prediction of DSPy, with its reasoning beside the answer, or a response, with the tools offered.
        named = (key for key in _UNTYPED if part.get(key) is not None and not (key in _ALONE and len(part) > 1))
        untyped = _UNTYPED.get(next(named, ""), "")
        kind = _MEDIA.get(untyped, untyped)
    if not kind and isinstance(part.get("text"), str) and "page_content" not in part:
        kind = "text"
    return "reasoning" if kind == "text" and part.get("thought") is True else kind


def _stated_kind(name: str) -> str:
    for kind, names in _STATED.items():
        if name in names:
            return kind
    return _MEDIA.get(name, "")


def _read_part(part: Mapping[str, Json], into: Parts, depth: int) -> None:
    kind = _kind(part)
    if kind == "text":
        _read_text_part(part, into, depth)
    elif kind == "tool_call":
        into.tool_call = True
        for key in ("results", "output"):  # OpenAI's hosted tools answer in the call itself
            if part.get(key) is not None:
                into.results.append(result_text(part[key]))
    elif kind == "tool_result":
        into.results.append(result_text(_result_of(part)))
    elif kind == "document":
        _read_document(part, into)
    elif kind == "wrapper":
        read_parts(part["message_content"], into, depth - 1)
    elif kind not in {"", "reasoning"}:
        _read_media(kind, part, into)


def _read_text_part(part: Mapping[str, Json], into: Parts, depth: int) -> None:
    for key in ("refusal", *_TEXT_KEYS):
        found = part.get(key)
        if isinstance(found, Mapping):  # OpenAI assistants: {"text": {"value": ...}}
            found = found.get("value")
        if isinstance(found, str) and not is_absent(found):
            into.texts.append(text(found))
            return
        if isinstance(found, list):
            read_parts(found, into, depth - 1)
            return


def _result_of(part: Mapping[str, Json]) -> Json:
    """Find the result in a tool result part, which may hold it one level down."""
    for key in ("toolResult", "functionResponse", "function_response", "tool_call_result", "codeExecutionResult"):
        inner = part.get(key)
        if isinstance(inner, Mapping):
            part = inner
            break
    for key in _RESULT_KEYS:
        if part.get(key) is not None:
            return part[key]
    return None


def _read_document(part: Mapping[str, Json], into: Parts) -> None:
    """Read a document pasted into a message (Anthropic, Bedrock); one that is not text counts as a file."""
    inner = decode(part.get("text")).value if isinstance(part.get("text"), str) else None
    found: Mapping[str, Json] = inner if isinstance(inner, Mapping) else part
    nested = found.get("document")
    found = nested if isinstance(nested, Mapping) else found
    source = found.get("source")
    content: Json = found.get("content")
    if isinstance(source, Mapping):
        content = source.get("content", source.get("text"))
        if source.get("type") == "text" or str(source.get("media_type", "")).startswith("text/plain"):
            content = source.get("data", content)
    body = result_text(content) if content is not None else ""
    if body:
        name = found.get("title") or found.get("name") or (source if isinstance(source, str) else "")
        into.documents.append(Document(id=text(name) or str(len(into.documents)), text=body))
    else:
        into.media.append("file")


def _read_media(kind: str, part: Mapping[str, Json], into: Parts) -> None:
    """Name a medium; what is said in it counts as text, and a plain text attachment as a document."""
    modality = part.get("modality")
    mime = str(part.get("mime_type") or part.get("mediaType") or part.get("media_type") or "")
    encoded = part.get("content")
    if mime.startswith("text/plain") and isinstance(encoded, str) and len(encoded) <= _MAX_BLOB:
        try:
            body = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            body = ""
        if body:
            into.documents.append(Document(id=str(len(into.documents)), text=body))
            return
    if isinstance(modality, str) and modality:
        kind = modality.lower()
    elif kind == "file" and mime:
        family = mime.partition("/")[0]
        kind = family if family in {"image", "audio", "video"} else kind
    into.media.append(kind)
    inner = part.get("input_audio") or part.get("audio")
    for holder in (part, inner):
        transcript = holder.get("transcript") if isinstance(holder, Mapping) else None
        if isinstance(transcript, str) and not is_absent(transcript):
            into.texts.append(text(transcript))
            return
