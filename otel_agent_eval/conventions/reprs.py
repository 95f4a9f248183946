"""Reprs of Python objects, which some senders write where JSON was meant: messages and documents above all."""

import ast
import re
from collections.abc import Mapping
from typing import Any

_MAX_LENGTH = 1 << 16  # characters; parsing costs ten times what JSON costs
_MAX_DEPTH = 24
_MEMBER = re.compile(r"<\w+(?:\.\w+)+: ('[^'\n]*'|\d+)>")  # of an enumeration: `<ChatRole.USER: 'user'>`
_CALL = re.compile(r"[A-Z]\w*\(\w+=")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
# LangChain's messages and documents as `str()` gives them, with fields in a row.
_MESSAGE = re.compile(
    rf"content=(?P<content>{_STRING}|\[.*?\])(?= (?:additional_kwargs|response_metadata|name|id|tool_call_id)=)",
    re.DOTALL,
)
_RECORD = re.compile(r"page_content='(?P<text>.*)'(?: metadata=\{.*\})?\Z", re.DOTALL)  # not escaped
_HAYSTACK_RECORD = re.compile(r"Document\(id=(?P<id>[^,\s]+), content: '(?P<text>.*?)'(?:, [a-z_]+: |\)\Z)", re.DOTALL)
_OPENINGS = ("ChatMessage(_role=", "content=", "page_content=", "Document(")
_FROM_MODEL = re.compile(r" (?:tool_calls|usage_metadata)=|response_metadata=\{'|id='(?:run-|lc_run-)")
_FINAL = "FinalAnswerStep("


def read_repr(string: str) -> Mapping[str, Any] | None:
    """Read the repr of a message or document of Haystack or LangChain as the mapping its JSON would give; else None."""
    if len(string) > _MAX_LENGTH or not string.startswith(_OPENINGS):
        return None
    if string.startswith("ChatMessage("):
        return _object(string)
    if string.startswith("content="):
        return _message(string)
    if string.startswith("Document("):
        found = _HAYSTACK_RECORD.match(string)
        if found is None:
            return _object(string)
        # Its content is cut after a hundred characters: what was retrieved stands elsewhere or nowhere.
        return {"id": found["id"], "content": "" if found["text"].endswith("...") else found["text"]}
    record = _RECORD.match(string) if string[-1] in "}'" else None  # looks for the end from each quote otherwise
    return {"page_content": record["text"]} if record else None


def read_objects(string: str) -> Any:  # noqa: ANN401 (any JSON value)
    """Read the repr of a list or dict that has objects with named fields in it; else None."""
    found = _literal(string) if len(string) <= _MAX_LENGTH else None
    return found if isinstance(found, list | dict) else None


def final_step(string: str) -> Any:  # noqa: ANN401 (any JSON value)
    """Give the output with which a streamed run of smolagents ends, whose events are written in a row; else None."""
    at = string.rfind(_FINAL)
    found = _object(string[at:]) if at >= 0 else None
    return found.get("output") if found is not None else None


def looks_like_repr(string: str) -> bool:
    """Say whether a string begins as the repr of an object with named fields does."""
    return _CALL.match(string) is not None


def _message(string: str) -> Mapping[str, Any] | None:
    found = _MESSAGE.match(string)
    if found is None:
        return None
    fields = string[found.end() :]
    speaker = "assistant" if _FROM_MODEL.search(fields) else "user"
    role = "tool" if " tool_call_id=" in fields else speaker
    calls = [{"type": "tool_call"}] if " tool_calls=[{" in fields else []
    return {"role": role, "content": _literal(found["content"]), "tool_calls": calls}


def _object(string: str) -> Mapping[str, Any] | None:
    """Read an object with named fields as a mapping, its class in snake case as `type`."""
    string = string.strip()
    if len(string) > _MAX_LENGTH or not looks_like_repr(string) or string[-1:] != ")":
        return None
    value = _literal(_MEMBER.sub(r"\1", string))
    return value if isinstance(value, Mapping) else None


def _literal(source: str) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return _value(ast.parse(source, mode="eval").body, _MAX_DEPTH)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, depth: int) -> Any:  # noqa: ANN401 (any JSON value)
    if depth <= 0:
        return None
    match node:
        case ast.Constant(value=str() | int() | float() | bool() as value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item, depth - 1) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {
                str(key.value): _value(value, depth - 1)
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
        case ast.Call(func=ast.Name(id=name), keywords=fields):
            kind = _WORD.sub("_", name).lower()
            return {"type": kind, **{field.arg: _value(field.value, depth - 1) for field in fields if field.arg}}
    return None
