"""A cheap look at the bytes of a request: could anything in it hold an agent's content?"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import re2

from otel_agent_eval.conventions.extract import Reader
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json

MARKERS: Final = (
    *(
        "gen_ai.",
        "llm.",
        "ai.",
        "openinference.",
        "input.value",
        "output.value",
        "retrieval.",
        "reranker.",
        "tool.name",
    ),
    *("traceloop.", "db.query.result", "db.search.result", "langfuse.", "langsmith.", "mlflow.", "gcp.vertex.agent."),
    *("pydantic_ai.", "logfire.", "all_messages", "final_result", "tool_response", "request_data", "response_data"),
    *("haystack.", "trulens.", "lk.", "monocle_apptrace", "data.input", "data.output", "mcp.", "langwatch.", "lmnr."),
    *(
        "braintrust.",
        "crewai.",
        "genkit:",
        "agentops.",
        "spring.ai.",
        "db.vector.query.",
        "strands.",
        "agent_framework",
    ),
)
"""How the names begin that the built-in readers read: attributes, scopes, events."""


_BUILT_IN: Final = __name__.rpartition(".")[0] + "."


class Marks:
    """What tells that bytes may hold content: never false where they do, sometimes true where they do not.

    Searched by RE2, which takes a fifth of the time that Python's `re` takes, and less than parsing.
    """

    def __init__(self, *patterns: bytes) -> None:
        self._patterns = tuple(map(_compiled, patterns))

    def found_in(self, raw: bytes) -> bool:
        """Say whether a serialised message has a mark."""
        return any(pattern.search(raw) is not None for pattern in self._patterns)

    def finder(self, raw: bytes) -> Callable[[int], int]:
        """Return what finds the first mark from a place on, or the end; it is asked for places further and further on.

        So all is searched but once, and not where many marks lie in one place.
        """
        found = dict.fromkeys(self._patterns, -1)

        def first(start: int) -> int:
            for pattern, at in found.items():
                if at < start:
                    match = pattern.search(raw, start)
                    found[pattern] = len(raw) if match is None else match.start()
            return min(found.values())

        return first


def could_hold_content(raw: bytes) -> bool:
    """Say whether a serialised traces or logs request may hold content that the built-in readers read."""
    return _BUILT_IN_MARKS.found_in(raw)


def speaks(span: SpanView) -> bool:
    """Say the same of one span: whether any of its names is one that the built-in readers know."""
    return any(map(_NAME.match, span.attributes)) or any(_NAME.match(event.name) for event in span.events)


def marks_of(readers: Sequence[Reader]) -> Marks:
    """Return what marks content for a table of readers that may contain plug-ins.

    A plug-in names the beginnings of its keys in an attribute `markers`, a sequence of strings, on its function; where
    one names none, every request may hold its content.
    """
    extra = plugin_markers(readers)
    if extra is None:
        return Marks(b"")
    return _marks((*MARKERS, *extra)) if extra else _BUILT_IN_MARKS


def plugin_markers(readers: Sequence[Reader]) -> tuple[str, ...] | None:
    """Return how the names begin that the plug-ins among the readers read; None where one of them does not say."""
    extra: list[str] = []
    for reader in readers:
        if getattr(reader, "__module__", "").startswith(_BUILT_IN):
            continue
        markers = getattr(reader, "markers", None)
        if not markers:
            return None
        extra += [str(marker) for marker in markers]
    return tuple(extra)


def _marks(markers: Iterable[str]) -> Marks:
    r"""Make patterns of a trie behind the tag and length of a protobuf field, and of the one mark of event names.

    Keys, scope names and string values are all field 1 (`\n`), so only what follows one is looked at. Event names are
    other fields; all that matter begin with `gen_ai.` or have attributes that are marked.
    """
    return Marks(b"\n[\x01-\x7f]" + _alternatives(_trie(markers)).encode(), rb"gen_ai\.")


def _compiled(pattern: bytes) -> Any:  # noqa: ANN401 (RE2 has no types)
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, of which none need be UTF-8
    return re2.compile(pattern, options)


def _trie(markers: Iterable[str]) -> dict[str, Json]:
    trie: dict[str, Json] = {}
    for marker in markers:
        node = trie
        for character in marker:
            node = node.setdefault(character, {})
        node[""] = {}
    return trie


def _alternatives(node: dict[str, Json]) -> str:
    if "" in node:
        return ""
    branches = [re.escape(character) + _alternatives(inner) for character, inner in sorted(node.items())]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


_BUILT_IN_MARKS: Final = _marks(MARKERS)
_NAME = re.compile(_alternatives(_trie(MARKERS)))
