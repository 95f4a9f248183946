"""Traces that a sender can make up in a few megabytes, each of which once cost seconds an answer, or a stack."""

from assembly_samples import Sample, by_span, llm, new_assembler, put, retriever, span

from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Part, Turn


def handed_out(samples: list[Sample]) -> list[str]:
    """Assemble spans in requests of a hundred and return the ids of the candidates."""
    assembler = new_assembler()
    held, found = [], []
    for at in range(0, len(samples), 100):
        held += put(assembler, samples[at : at + 100])
        found += [candidate.span_id for candidate in assembler.ready(0.0)]
    found += [candidate.span_id for candidate in assembler.ready(100.0)]
    assert sorted(found) == sorted(held)
    return found


def test_calls_in_a_long_circle_do_not_exhaust_the_stack() -> None:
    size = 4_000
    circle = [
        llm(f"c{n}", f"c{(n + 1) % size}", at=(n, n + 1), asked="?", answer=f"answer {n % 3}") for n in range(size)
    ]
    assert len(handed_out(circle)) == size


def test_calls_in_a_deep_nest_that_all_repeat_one_answer() -> None:
    size = 1_000
    nest = [
        llm(f"c{n}", f"c{n - 1}" if n else "", at=(n, 9 * size - n), asked="?", answer="the same") for n in range(size)
    ]
    assert len(handed_out(nest[::-1])) == size


def test_any_number_of_calls_may_claim_the_same_response() -> None:
    size = 10_000
    calls = [llm(f"c{n}", at=(n, n + 1), asked=f"{n}?", answer=f"answer {n}", response_id="r") for n in range(size)]
    assert len(handed_out(calls)) == size


def test_documents_and_tool_messages_without_number_are_cut_to_the_latest() -> None:
    texts = [f"text {n} of some length that matters" for n in range(10_000)]
    searches = [retriever(f"r{n}", "root", *(f"{text} {n}" for text in texts), at=(n, n)) for n in range(9)]
    results = [
        Turn("tool", f"result {n} of a tool, which is long enough to count as a text " * 5) for n in range(2_000)
    ]
    call = llm("call", "root", at=(10, 11), turns=(Turn("user", "?"), *results), answer="An answer.")
    assembler = new_assembler()
    put(assembler, [*searches, call, span("root", Role.AGENT)])
    (interaction,) = by_span(assembler.flush())["call"].interactions
    assert len(interaction.documents) == 1_000
    assert Part.DOCUMENTS in interaction.truncated
    assert interaction.documents[-1].text.startswith("result 1999 ")


def test_rerankers_of_many_retrievals_are_each_compared_once() -> None:
    texts = [f"text {n} " * 20 for n in range(30)]
    searches = [retriever(f"r{n}", "root", *texts, at=(n, n)) for n in range(200)]
    orders = [retriever(f"o{n}", "root", *texts, at=(500 + n, 500 + n), role=Role.RERANKER) for n in range(200)]
    calls = [llm(f"c{n}", "root", at=(1_000, 1_001), asked="?", answer=f"answer {n}") for n in range(10)]
    assembler = new_assembler()
    put(assembler, [*searches, *orders, *calls, span("root", Role.AGENT)])
    found = by_span(assembler.flush())
    assert all(len(found[f"c{n}"].interactions[0].documents) == 30 for n in range(10))


def test_documents_are_looked_for_in_a_long_prompt_only_so_long() -> None:
    searches = [
        retriever(f"r{n}", "root", *(f"text {n} {k}" for k in range(1_000)), at=(n, n), question=f"query {n}")
        for n in range(50)
    ]
    others = [llm(f"o{n}", "root", at=(0, 0), asked=f"query {n}", answer="x") for n in range(50)]
    call = llm("call", "root", at=(9_000, 9_001), asked="Context:\n" + "word " * 2_000_000, answer="An answer.")
    assert "call" in handed_out([call, *searches, *others, span("root", Role.AGENT)])
