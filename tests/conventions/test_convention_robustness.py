"""Whatever a sender writes, the readers read on, and in a time that fits the size of what was written."""

import json
import time
from typing import Any

import pytest
from convention_spans import CONTENT_KEYS, EVENT_NAMES, KIND_KEYS, make_span
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.conventions import capture_switch, content_may_be_in_logs, could_hold_content, read
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import EventView

FIELDS = (
    *(
        "role",
        "content",
        "parts",
        "type",
        "text",
        "message",
        "messages",
        "tool_calls",
        "arguments",
        "result",
        "response",
    ),
    *(
        "choices",
        "candidates",
        "generations",
        "kwargs",
        "id",
        "lc",
        "data",
        "documents",
        "page_content",
        "score",
        "args",
    ),
    *("question", "answer", "inputs", "outputs", "index", "event.name", "gen_ai.message.index", "toolResult", "source"),
)
WORDS = (
    "user",
    "assistant",
    "tool",
    "text",
    "tool_call",
    "document",
    "image",
    "human",
    "message",
    "gen_ai.choice",
    "llm",
)
texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(WORDS)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=8) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=4),
    max_leaves=25,
)


def as_sent(value: Any, encodings: int, cut: int) -> Any:
    """A value as it is, as JSON, as JSON of JSON, or as JSON cut somewhere."""
    for _ in range(encodings):
        value = json.dumps(value, default=str)
    return value[: len(value) - cut] if cut and isinstance(value, str) else value


sent = st.builds(as_sent, values, st.integers(0, 3), st.integers(0, 12))
attributes = st.dictionaries(st.sampled_from(CONTENT_KEYS) | texts, sent, max_size=6)
kinds = st.dictionaries(
    st.sampled_from(KIND_KEYS),
    st.sampled_from([role.value for role in Role] + ["chat", "execute_tool"]) | values,
    max_size=2,
)
events = st.lists(st.builds(EventView, st.sampled_from(EVENT_NAMES), attributes, sent), max_size=4)


def strings_of(extract: Extract) -> list[str]:
    documents = [string for document in extract.documents for string in (document.id, document.text)]
    turns = [string for turn in extract.turns for string in turn]
    named = [extract.question, extract.model, extract.agent, extract.conversation, extract.response_id]
    return [*extract.answers, *extract.keys, *extract.variables.values(), *extract.media, *documents, *turns, *named]


@settings(max_examples=400, deadline=None)
@given(attributes, kinds, events, st.sampled_from(["", "ai", "pydantic-ai", "logfire.openai"]))
def test_no_attributes_or_events_of_any_type_make_a_reader_raise(
    content: dict[str, Any], kind: dict[str, Any], found: list[EventView], scope: str
) -> None:
    span = make_span({**content, **kind}, found, scope=scope)
    extract = read(span)
    for string in strings_of(extract):
        string.encode()  # text that can be sent on: no lone surrogates
    assert {turn.role for turn in extract.turns} <= {"system", "user", "assistant", "tool"}
    assert all(extract.answers)
    assert isinstance(capture_switch(span), str)
    assert isinstance(content_may_be_in_logs(span), bool)


@given(st.dictionaries(st.sampled_from(CONTENT_KEYS), st.text(min_size=1), min_size=1, max_size=3))
def test_a_request_with_content_is_never_taken_for_one_without(content: dict[str, str]) -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="span")
    for key, value in content.items():
        span.attributes.add(key=key).value.string_value = value
    if read(make_span(content)).convention:
        assert could_hold_content(request.SerializeToString())


@pytest.mark.parametrize("kind", ["LLM", "RETRIEVER", "TOOL", "CHAIN", "AGENT"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("listed", [False, True])
def test_nesting_of_any_depth_is_no_harm(field: str, kind: str, *, listed: bool) -> None:
    member = f'"{field}":'
    opened, closed = ('[{"role":"user","type":"text",' + member, "}]") if listed else ("{" + member, "}")
    value = opened * 400 + '"x"' + closed * 400
    extract = read(make_span({"openinference.span.kind": kind, "input.value": value, "output.value": value}))
    assert extract.convention == "openinference"


MANY = 200_000
HUGE: dict[str, Any] = {
    "text of 10 MB": "word " * 2_000_000,
    "JSON text of 10 MB": json.dumps([{"role": "user", "content": "word " * 2_000_000}]),
    "JSON cut after 10 MB": json.dumps([{"role": "user", "content": "word " * 2_000_000}])[:-5],
    "quotes": '"' * 10_000_000,
    "backslashes": '["' + "\\" * 10_000_000,
    "open brackets": "[" * 10_000_000,
    "open objects": '{"a":' * 1_000_000,
    "apostrophes": "['" * 3_000_000,
    "objects": "[{'a': 1}" + ", F(b=[1, 'x'])" * 4_000 + "]",
    "messages with their roles": "user: hi\n" * MANY,
    "numbers": json.dumps(list(range(1_000_000))),
    "messages": json.dumps([{"role": "user", "content": "hi"}] * MANY),
    "parts": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}] * MANY}]),
    "documents": json.dumps([{"page_content": "hi", "id": "1"}] * MANY),
    "fields": json.dumps({f"k{i}": "v" for i in range(MANY)}),
    "JSON in JSON in JSON": json.dumps(json.dumps(json.dumps("x" * 2_000_000))),
}


@pytest.mark.parametrize("value", HUGE.values(), ids=HUGE.keys())
@pytest.mark.parametrize("kind", ["LLM", "RETRIEVER", "TOOL", "CHAIN"])
def test_a_huge_value_takes_no_seconds(value: str, kind: str) -> None:
    start = time.process_time()
    read(make_span({"openinference.span.kind": kind, "input.value": value, "output.value": value}))
    assert time.process_time() - start < 15  # minutes, where it grows faster than the value


def test_many_indexed_keys_take_no_seconds() -> None:
    keys = {f"llm.input_messages.{i}.message.content": "hi" for i in range(50_000)}
    keys |= {"llm.input_messages." + ".0" * 5_000: "deep", "llm.input_messages.²": "not a digit"}
    start = time.process_time()
    extract = read(make_span(keys))
    assert time.process_time() - start < 15  # minutes, where it grows faster than the value
    assert extract.turns
