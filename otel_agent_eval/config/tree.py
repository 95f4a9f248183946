"""YAML text as plain values, with the line of every key: what messages about a configuration rest on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from otel_agent_eval.config.problems import Path, Problem
from otel_agent_eval.config.substitution import substitute

_MERGE = "tag:yaml.org,2002:merge"
_MAX_DEPTH = 40
_MAX_DIGITS = 30
_MAX_NODES = 20_000  # after aliases are expanded: a few lines of YAML can ask for billions


_IN_WORDS = {
    "'\\t'": "a tab; YAML is indented with spaces",
    "another document": "a second document (---); a configuration is one",
    "undefined alias": "an alias (*name) without its anchor (&name); quote what begins with *",
    "<stream end>": "the file ends inside a list, a mapping or a quoted text",
    "end of stream": "the file ends inside a list, a mapping or a quoted text",
    "expected <block end>": "the indentation does not fit the lines before",
    "values are not allowed": "a colon where none fits: indent the line as those around it, or quote the value",
}
"""What the parser's messages mean, by a part of them."""


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2 and the Collector do: `on` and `12:30` stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] in ("null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(slots=True)
class Tree:
    """The values of a document (mappings, lists, scalars), the line of each path, and what was wrong."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest part of it that is there."""
        return next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), 0)


class _TooMuchError(Exception):
    """The document is nested too deeply or, with its aliases expanded, too large."""


def parse(text: str, environment: Mapping[str, str]) -> Tree:
    """Read a YAML document. What is wrong with it stands in the result's problems; never raises for any text."""
    tree = Tree()
    try:
        node = _Loader(text).get_single_node()
        if node is not None:
            tree.lines[()] = node.start_mark.line + 1
            tree.value = _Builder(tree, environment).build(node, (), 0)
    except yaml.YAMLError as error:
        tree.problems = [_syntax_problem(error, text)]
    except (RecursionError, _TooMuchError):
        tree.problems = [Problem("nested too deeply, or too many values")]
    return tree


class _Builder:
    """Walks the nodes of one document."""

    def __init__(self, tree: Tree, environment: Mapping[str, str]) -> None:
        self._tree = tree
        self._environment = environment
        self._nodes = 0

    def build(self, node: yaml.Node, path: Path, depth: int) -> Any:  # noqa: ANN401 (any JSON-like value)
        """Return the value of a node, and note its problems under `path`."""
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise _TooMuchError
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(child, (*path, number), depth) for number, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: yaml.Node, path: Path, depth: int) -> Any:  # noqa: ANN401 (any JSON-like value)
        self._tree.lines[path] = node.start_mark.line + 1
        return self.build(node, path, depth + 1)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in sorted(node.value, key=lambda pair: pair[0].tag != _MERGE):
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged |= self._merge(value_node, path, depth)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("a key must be a word, not a list or a mapping", path, line)
                continue
            key = key_node.value
            if key in own:
                first = self._tree.lines[*path, key]
                self._problem(f"the key stands here a second time; the first is in line {first}", (*path, key), line)
                continue
            self._tree.lines[*path, key] = line
            own[key] = self.build(value_node, (*path, key), depth + 1)
        return merged | own

    def _merge(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Any]:
        """Return what `<<: *other` brings in; of several mappings the first that has a key gives it."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._problem("<< merges mappings, for example <<: *defaults", path, source.start_mark.line + 1)
                continue
            merged = self._mapping(source, path, depth + 1) | merged
        return merged

    def _scalar(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 (any JSON-like value)
        text: str = node.value
        if "$" in text:
            try:
                return substitute(text, self._environment)
            except ValueError as error:
                self._problem(str(error), path, node.start_mark.line + 1)
                return text
        kind = node.tag.rsplit(":", 1)[-1]
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in ("int", "float") and len(text) <= _MAX_DIGITS:
            return int(text) if kind == "int" else float(text)
        if kind != "str":
            self._problem(f"the tag {node.tag!a} is not supported", path, node.start_mark.line + 1)
        return text

    def _problem(self, message: str, path: Path, line: int) -> None:
        self._tree.problems.append(Problem(message, path, line))


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """Say in one line what the parser found."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # the reader's error about characters, the only one without a mark
        position = getattr(error, "position", 0)
        return Problem("a character that YAML does not allow", line=text.count("\n", 0, position) + 1)
    problem = getattr(error, "problem", None) or "not YAML"
    words = next((words for part, words in _IN_WORDS.items() if part in problem), problem)
    return Problem(f"not valid YAML: {words} (column {mark.column + 1})", line=mark.line + 1)
