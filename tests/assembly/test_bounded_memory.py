"""Whatever comes, memory is bounded: what is let go for want of room leaves with what is known, and is counted."""

import gc

import pytest
from assembly_samples import by_span, counted, llm, new_assembler, put, retriever, said, span

from otel_agent_eval.assembly.assembler import Limits
from otel_agent_eval.assembly.links import Links
from otel_agent_eval.assembly.trace import Node
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Turn

ANSWER = "The Eiffel Tower is 330 metres tall."


def waiting(trace: str, **found: object) -> list:
    return [llm(f"call {trace}", "remote", at=(1, 9), asked="?", answer=ANSWER, trace=trace, **found)]


@pytest.mark.parametrize(
    ("limits", "kind"),
    [(Limits(traces=2), "traces"), (Limits(size=1_500), "size"), (Limits(documents=2), "documents")],
)
def test_the_longest_untouched_trace_goes_first_and_leaves_with_what_is_known(limits: Limits, kind: str) -> None:
    assembler = new_assembler(limits)
    for trace in ("a", "b"):
        put(
            assembler, [*waiting(trace), retriever("r", "remote", "text", at=(1, 2), trace=trace)][: 3 - len(kind) // 6]
        )
    assert assembler.ready(0.0) == [] or kind == "size"
    put(assembler, waiting("c"))
    put(assembler, [retriever("r", "remote", "text", at=(1, 2), trace="c")])
    assert "call a" in counted(by_span(assembler.ready(0.0))) or kind == "size"
    assert assembler.evictions[kind] >= 1
    assert sum(assembler.evictions.values()) == assembler.evictions[kind]


def test_an_evicted_span_is_handed_out_at_once() -> None:
    assembler = new_assembler(Limits(traces=1))
    put(assembler, waiting("a"))
    assert assembler.next_due() == 6.0
    put(assembler, waiting("b"))
    assert assembler.next_due() == float("-inf")
    assert counted(by_span(assembler.ready(0.0))) == {"call a"}
    assert assembler.held == 1


def test_a_trace_that_alone_is_too_large_leaves_too() -> None:
    assembler = new_assembler(Limits(size=2_000))
    put(assembler, [llm("call", "remote", at=(1, 9), asked="?" * 3_000, answer=ANSWER)])
    assert counted(by_span(assembler.ready(0.0))) == {"call"}
    assert assembler.size == 0


def test_a_log_record_for_a_trace_that_was_let_go_changes_nothing() -> None:
    assembler = new_assembler(Limits(traces=1))
    put(assembler, [llm("call", at=(1, 9), attributes={"in_logs": True}, trace="a")])
    assembler.add_log("a", "call", said("gen_ai.choice", ANSWER), 0.0)
    put(assembler, waiting("b"))
    size = assembler.size
    assert set(by_span(assembler.ready(0.0))) == {"call"}
    assert assembler.size == size


def test_what_left_weighs_little() -> None:
    assembler = new_assembler()
    put(assembler, [llm("call", at=(1, 9), turns=(Turn("system", "word " * 10_000), Turn("user", "?")), answer=ANSWER)])
    before = assembler.size
    assembler.ready(0.0)
    assert assembler.size < before / 10


def test_idle_traces_are_forgotten() -> None:
    assembler = new_assembler(Limits(idle=60.0))
    put(assembler, [span("agent", Role.AGENT)])
    assembler.ready(59.0)
    assert assembler.traces == 1
    assembler.ready(60.0)
    assert (assembler.traces, assembler.size) == (0, 0)
    assert not any(assembler.evictions.values())


def test_a_trace_that_still_gets_spans_is_kept() -> None:
    assembler = new_assembler(Limits(idle=60.0))
    for now in (0.0, 50.0, 100.0):
        put(assembler, [retriever(f"r {now}", "agent", "text", at=(1, 2))], now)
        assembler.ready(now)
    assert assembler.traces == 1


def test_the_oldest_log_records_go_first_and_are_counted() -> None:
    assembler = new_assembler(Limits(logs_size=2_000))
    for n in range(10):
        assembler.add_log("trace", f"call {n}", said("gen_ai.choice", "x" * 300), 0.0)
    assert assembler.size <= 2_000
    assert assembler.evictions["logs"] == 10 - assembler.size // 500
    put(assembler, [llm("call 9", at=(1, 9), attributes={"in_logs": True})])
    assert counted(by_span(assembler.ready(0.0))) == {"call 9"}


def test_links_keep_at_least_the_latest_and_at_most_twice_as_many() -> None:
    links = Links(limit=100)
    for n in range(1_000):
        links.add("trace", f"span {n}", f"span {n + 1}")
        assert len(links) <= 200
    assert links.parent_of("trace", "span 950") == "span 951"
    assert links.parent_of("trace", "span 0") is None


def test_forgotten_traces_are_freed_without_a_garbage_collection() -> None:
    assembler = new_assembler(Limits(traces=10))
    gc.collect()
    gc.disable()
    try:
        for number in range(200):
            trace = f"t{number}"
            agent = span("agent", Role.AGENT, trace=trace)
            put(assembler, [llm("call", "agent", at=(1, 9), asked="?", answer=ANSWER, trace=trace), agent])
            assembler.ready(float(number))
        kept = sum(isinstance(thing, Node) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert kept < 60
