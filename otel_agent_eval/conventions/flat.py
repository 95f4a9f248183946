"""Indexed attribute keys (`llm.input_messages.0.message.content`) back to the lists and mappings they stand for."""

from collections.abc import Mapping
from typing import NamedTuple

from otel_agent_eval.conventions.values import Json

_MAX_PATH = 16  # steps below the prefix; conventions use at most nine
_MAX_DIGITS = 6
_CONTENT_LEAVES = (
    "content",
    "text",
    "value",
    "result",
    "transcript",
    "document",
    "entity",
    "refusal",
    "contents",
)


class Unflattened(NamedTuple):
    """`value` is None where no key has the prefix; `keys` are those that hold content; `gap`: an index is missing."""

    value: Json
    keys: tuple[str, ...] = ()
    gap: bool = False


def unflatten(attributes: Mapping[str, Json], prefix: str) -> Unflattened:
    """Rebuild what stands under `prefix`; a value under the bare prefix counts where no indexed key exists."""
    dotted = prefix + "."
    root: dict[str, Json] = {}
    keys: list[str] = []
    for key, value in attributes.items():
        if not key.startswith(dotted):
            continue
        path = key[len(dotted) :].split(".")
        if len(path) > _MAX_PATH or not _index(path[0]):
            continue
        _put(root, path, value)
        if path[-1] in _CONTENT_LEAVES and "tool_calls" not in path:
            keys.append(key)
    if root:
        return Unflattened(_lists(root), tuple(keys), len(root) <= max(map(int, root)))
    value = attributes.get(prefix)
    return Unflattened(value, (prefix,) if value is not None else ())


def _index(step: str) -> bool:
    return step.isascii() and step.isdecimal() and len(step) <= _MAX_DIGITS


def _put(node: dict[str, Json], path: list[str], value: Json) -> None:
    for step in path[:-1]:
        inner = node.get(step)
        if not isinstance(inner, dict):
            inner = node[step] = {}
        node = inner
    if not isinstance(node.get(path[-1]), dict):
        node[path[-1]] = value


def _lists(node: Json) -> Json:
    if not isinstance(node, dict):
        return node
    if node and all(_index(key) for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}
