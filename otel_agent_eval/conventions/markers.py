"""A cheap look at the bytes of a request: could anything in it hold an agent's content?"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

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


def could_hold_content(raw: bytes) -> bool:
    """Say whether a serialised traces or logs request may hold content that the built-in readers read.

    Never false where it does; sometimes true where it does not. Costs about as much as parsing the request.
    """
    return _KEYS.search(raw) is not None or b"gen_ai." in raw


def speaks(span: SpanView) -> bool:
    """Say the same of one span: whether any of its names is one that the built-in readers know."""
    return any(map(_NAME.match, span.attributes)) or any(_NAME.match(event.name) for event in span.events)


def content_filter(readers: Sequence[Reader]) -> Callable[[bytes], bool]:
    """Make the same look for a table of readers that may contain plug-ins.

    A plug-in names the beginnings of its keys in an attribute `markers`, a sequence of strings, on its function; where
    one names none, every request may hold its content.
    """
    extra = plugin_markers(readers)
    if extra is None:
        return lambda _raw: True
    if not extra:
        return could_hold_content
    pattern = _pattern((*MARKERS, *extra))
    return lambda raw: pattern.search(raw) is not None or b"gen_ai." in raw


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


def _pattern(markers: Iterable[str]) -> re.Pattern[bytes]:
    r"""Compile the markers as a trie behind the tag and length of a protobuf field.

    Keys, scope names and string values are all field 1 (`\n`), so only what follows one is looked at: seven times as
    fast as a plain alternation. Event names are other fields; all that matter begin with `gen_ai.` or have attributes
    that are marked.
    """
    return re.compile(b"\n[\x01-\x7f]" + _alternatives(_trie(markers)).encode(), re.DOTALL)


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


_KEYS = _pattern(MARKERS)
_NAME = re.compile(_alternatives(_trie(MARKERS)))
