"""Whatever readers find in spans, however the spans are placed, assembly survives and hands each held span out once."""

from assembly_samples import MS, Sample, new_assembler, put
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.interaction import Document, Turn

PROSE = "Context: The Eiffel Tower is 330 metres tall and stands in Paris. Question: How tall?"
TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", PROSE, f'{{"a": "{PROSE}"}}', "[", '"', "```\n```", "\ud800", "\x00", PROSE[:60] + "..."]
    ),
)
IDS = st.sampled_from(["", "a", "b", "c", "d", "e"])
TIMES = st.one_of(st.integers(0, 5).map(lambda n: n * MS), st.sampled_from([0, 2**64 - 1]))
DOCUMENTS = st.lists(st.builds(Document, id=st.sampled_from(["", "0", "1"]), text=TEXT), max_size=3).map(tuple)
TURNS = st.lists(st.builds(Turn, st.sampled_from(["system", "user", "assistant", "tool"]), TEXT), max_size=5).map(tuple)
EXTRACTS = st.builds(
    Extract,
    convention=st.just("any"),
    role=st.sampled_from(list(Role)),
    turns=TURNS,
    question=TEXT,
    answers=st.lists(TEXT, max_size=2).map(tuple),
    documents=DOCUMENTS,
    variables=st.dictionaries(st.sampled_from(["context", "question", "x"]), TEXT, max_size=2),
    tool_call=st.booleans(),
    tool_name=st.sampled_from(["", "search", "set"]),
    by_reference=st.booleans(),
    output_captured=st.booleans(),
    agent=st.sampled_from(["", "agent"]),
    response_id=st.sampled_from(["", "r"]),
)
VIEWS = st.builds(
    SpanView,
    trace_id=st.sampled_from(["t", "u"]),
    span_id=IDS,
    parent_id=IDS,
    name=st.sampled_from(["", "retrieve"]),
    kind=st.just(1),
    start_time=TIMES,
    end_time=TIMES,
    failed=st.booleans(),
    scope=st.sampled_from(["", "a"]),
    scope_version=st.just(""),
    attributes=st.sampled_from([{}, {"in_logs": True}]),
    resource=st.just({}),
)
SAMPLES = st.lists(st.builds(Sample, VIEWS, st.one_of(st.none(), EXTRACTS)), max_size=12)


@settings(max_examples=300)
@given(st.lists(SAMPLES, max_size=3))
def test_any_spans_are_survived(requests: list[list[Sample]]) -> None:
    assembler = new_assembler()
    held: list[str] = []
    found: list[str] = []
    for now, request in enumerate(requests):
        held += put(assembler, request, float(now))
        found += [candidate.span_id for candidate in assembler.ready(float(now))]
    found += [candidate.span_id for candidate in assembler.ready(10.0)]
    assert sorted(found) == sorted(held)
    assembler.ready(1_000.0)
    assert (assembler.held, assembler.traces, assembler.size) == (0, 0, 0)
