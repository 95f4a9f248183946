"""Reprs of Python objects, which some senders write where JSON was meant: `ChatMessage(_role='user', _content=[...])`."""

import ast
import re
from collections.abc import Mapping
from typing import Any

_MAX_LENGTH = 1 << 18
_MAX_DEPTH = 24
_MEMBER = re.compile(r"<\w+(?:\.\w+)+: ('[^'\n]*'|\d+)>")  # of an enumeration: `<ChatRole.USER: 'user'>`
_CALL = re.compile(r"[A-Z]\w*\(\w+=")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FINAL = "FinalAnswerStep("


def read_repr(string: str) -> Mapping[str, Any] | None:
    """Read the repr of one object with named fields as a mapping, its class in snake case as `type`; None if it is none."""
    if len(string) > _MAX_LENGTH or not _CALL.match(string) or string.rstrip()[-1:] != ")":
        return None
    try:
        tree = ast.parse(_MEMBER.sub(r"\1", string.strip()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    value = _value(tree.body, _MAX_DEPTH)
    return value if isinstance(value, Mapping) else None


def final_step(string: str) -> Any:  # noqa: ANN401 (any JSON value)
    """Give the output of the last step of a streamed run of smolagents, whose events are written in a row; None if it is none."""
    at = string.rfind(_FINAL)
    found = read_repr(string[at:]) if at >= 0 else None
    return found.get("output") if found is not None else None


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
