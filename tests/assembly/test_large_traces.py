"""The cost of a span does not grow with its trace."""

import time
from collections.abc import Callable

import pytest
from assembly_samples import Sample, by_span, counted, llm, new_assembler, put, retriever, span

from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.conventions.extract import Role

SIZE = 10_000

Shape = Callable[[int], list[Sample]]


def flat(size: int) -> list[Sample]:
    """One agent that searches and answers thousands of times."""
    spans = [span("root", Role.AGENT, answers=("final words of the agent",))]
    for n in range(size // 2):
        at = (10 * n, 10 * n + 3)
        spans.append(retriever(f"r{n}", "root", f"text {n}", at=at, question=f"question {n}"))
        at = (10 * n + 4, 10 * n + 9)
        spans.append(llm(f"c{n}", "root", at=at, asked=f"question {n}", answer="I do not know.", scope=str(n % 2)))
    return spans[::-1]


def turns(size: int) -> list[Sample]:
    """A session of many turns, of which every other retrieves."""
    spans = [span("root", Role.CHAIN)]
    for n in range(size // 3):
        at = (10 * n, 10 * n + 9)
        spans.append(span(f"t{n}", Role.AGENT, "root", at=at, answers=(f"answer {n}",)))
        spans.append(llm(f"c{n}", f"t{n}", at=(10 * n + 5, 10 * n + 8), asked=f"question {n}", answer=f"answer {n}"))
        if n % 2:
            spans.append(retriever(f"r{n}", f"t{n}", f"text {n}", at=(10 * n + 1, 10 * n + 2)))
    return spans[::-1]


def deep(size: int) -> list[Sample]:
    """Calls in a chain of spans, each in the one before."""
    return [
        llm(f"s{n}", f"s{n - 1}" if n else "", at=(n, 9 * size - n), asked="?", answer=f"answer {n}")
        if n % 10 == 0
        else span(f"s{n}", Role.CHAIN, f"s{n - 1}" if n else "", at=(n, 9 * size - n))
        for n in range(size)
    ][::-1]


@pytest.mark.parametrize(("shape", "backwards"), [(flat, False), (flat, True), (turns, False), (deep, False)])
def test_four_times_the_spans_cost_about_four_times_as_much(shape: Shape, backwards: bool) -> None:
    small, large = (cost(shape(size), backwards) for size in (SIZE // 4, SIZE))
    assert large < 8 * small + 0.5  # what is quadratic takes sixteen times as much


def cost(samples: list[Sample], backwards: bool) -> float:
    """Assemble spans in requests of a hundred and return the processor seconds that it took."""
    if backwards:
        samples.reverse()
    assembler = new_assembler()
    began = time.process_time()
    found = []
    for at in range(0, len(samples), 100):
        put(assembler, samples[at : at + 100], at / SIZE)
        found += assembler.ready(at / SIZE)
    found += assembler.ready(100.0)
    took = time.process_time() - began
    assert counted(by_span(found))
    return took


def test_a_span_of_no_convention_costs_little() -> None:
    assembler = Assembler()
    ids = [n.to_bytes(8, "big") for n in range(50_000)]
    began = time.process_time()
    for span_id in ids:
        assembler.add_link(b"0123456789abcdef", span_id, b"parent-0", 0.0)
    assert (time.process_time() - began) / len(ids) < 10e-6  # about 0.5 µs on an idle machine
