"""The cost of a span does not grow with its trace."""

import time

import pytest
from assembly_samples import Sample, by_span, counted, llm, new_assembler, put, retriever, span

from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.conventions.extract import Role

SIZE = 10_000
BUDGET = 20.0  # seconds for SIZE spans on a busy machine; what is quadratic takes minutes


def flat() -> list[Sample]:
    """One agent that searches and answers thousands of times."""
    spans = [span("root", Role.AGENT, answers=("final words of the agent",))]
    for n in range(SIZE // 2):
        at = (10 * n, 10 * n + 3)
        spans.append(retriever(f"r{n}", "root", f"text {n}", at=at, question=f"question {n}"))
        at = (10 * n + 4, 10 * n + 9)
        spans.append(llm(f"c{n}", "root", at=at, asked=f"question {n}", answer="I do not know.", scope=str(n % 2)))
    return spans[::-1]


def turns() -> list[Sample]:
    """A session of many turns, of which every other retrieves."""
    spans = [span("root", Role.CHAIN)]
    for n in range(SIZE // 3):
        at = (10 * n, 10 * n + 9)
        spans.append(span(f"t{n}", Role.AGENT, "root", at=at, answers=(f"answer {n}",)))
        spans.append(llm(f"c{n}", f"t{n}", at=(10 * n + 5, 10 * n + 8), asked=f"question {n}", answer=f"answer {n}"))
        if n % 2:
            spans.append(retriever(f"r{n}", f"t{n}", f"text {n}", at=(10 * n + 1, 10 * n + 2)))
    return spans[::-1]


def deep() -> list[Sample]:
    """Calls in a chain of spans, each in the one before."""
    return [
        llm(f"s{n}", f"s{n - 1}" if n else "", at=(n, 9 * SIZE - n), asked="?", answer=f"answer {n}")
        if n % 10 == 0
        else span(f"s{n}", Role.CHAIN, f"s{n - 1}" if n else "", at=(n, 9 * SIZE - n))
        for n in range(SIZE)
    ][::-1]


@pytest.mark.parametrize(("shape", "backwards"), [(flat, False), (flat, True), (turns, False), (deep, False)])
def test_a_trace_of_thousands_of_spans_is_assembled_in_seconds(shape, backwards: bool) -> None:  # noqa: ANN001
    samples = shape()
    if backwards:
        samples.reverse()
    assembler = new_assembler()
    began = time.perf_counter()
    found = []
    for at in range(0, len(samples), 100):
        put(assembler, samples[at : at + 100], at / SIZE)
        found += assembler.ready(at / SIZE)
    found += assembler.ready(100.0)
    assert time.perf_counter() - began < BUDGET
    assert counted(by_span(found))


def test_a_span_of_no_convention_costs_little() -> None:
    assembler = Assembler()
    ids = [n.to_bytes(8, "big") for n in range(50_000)]
    began = time.perf_counter()
    for span_id in ids:
        assembler.add_link(b"0123456789abcdef", span_id, b"parent-0", 0.0)
    assert (time.perf_counter() - began) / len(ids) < 10e-6  # about 0.5 µs on an idle machine
