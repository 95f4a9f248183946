"""The same spans give the same candidates, in whatever order and in however many requests they come."""

import random
from collections.abc import Sequence

from assembly_samples import Sample, by_span, llm, new_assembler, put, retriever, said, span
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Turn

ANSWERS = ("The Eiffel Tower is 330 metres tall.", "Mount Fuji is in Japan.", "I do not know that.")
ROLES = (Role.AGENT, Role.CHAIN, Role.TOOL, Role.RETRIEVER, Role.GUARDRAIL, Role.LLM, Role.LLM, None)


@st.composite
def traces(draw: st.DrawFn) -> list[Sample]:
    """Draw a tree of spans whose children lie within their parents in time."""
    spans = [span("s0", draw(st.sampled_from([None, Role.AGENT, Role.CHAIN])), at=(0, 1000))]
    windows = [(0, 1000)]
    for n in range(1, draw(st.integers(1, 14))):
        parent = draw(st.integers(0, n - 1))
        low, high = windows[parent]
        start = draw(st.integers(low, high))
        at = (start, draw(st.integers(start, high)))
        windows.append(at)
        role = draw(st.sampled_from(ROLES))
        answer = draw(st.sampled_from(("", *ANSWERS)))
        common = {"at": at, "scope": draw(st.sampled_from(["a", "b"]))}
        if role is Role.LLM:
            history = draw(st.sampled_from([(), (Turn("user", "Before?"), Turn("assistant", ANSWERS[0]))]))
            turns = (*history, Turn("user", draw(st.sampled_from(["How tall?", "Where?"]))))
            spans.append(llm(f"s{n}", f"s{parent}", turns=turns, answer=answer, **common))
        elif role in {Role.RETRIEVER, Role.TOOL}:
            text = draw(st.sampled_from(["A long text about towers and their heights.", "Japan has mountains."]))
            spans.append(retriever(f"s{n}", f"s{parent}", text, role=role, tool_name="search", **common))
        elif role in {Role.AGENT, Role.CHAIN}:
            spans.append(span(f"s{n}", role, f"s{parent}", answers=(answer,) if answer else (), **common))
        else:
            spans.append(span(f"s{n}", role, f"s{parent}", **common))
    return spans


def outcome(candidates: Sequence[Candidate]) -> dict[str, object]:
    return {span_id: (c.skipped, c.duplicate_of, c.interactions) for span_id, c in by_span(list(candidates)).items()}


def cut(samples: Sequence[Sample], chance: random.Random) -> list[list[Sample]]:
    """Cut spans into requests."""
    requests: list[list[Sample]] = [[]]
    for sample in samples:
        if chance.random() < 0.4:
            requests.append([])
        requests[-1].append(sample)
    return requests


@settings(max_examples=150)
@given(traces(), st.randoms(use_true_random=False))
def test_any_order_within_the_wait_gives_the_same(samples: list[Sample], chance: random.Random) -> None:
    expected = new_assembler()
    put(expected, samples)
    shuffled = list(samples)
    chance.shuffle(shuffled)
    assembler = new_assembler()
    for request in cut(shuffled, chance):
        put(assembler, request, chance.random())
    assert outcome(assembler.ready(7.0)) == outcome(expected.flush())


@settings(max_examples=150)
@given(traces(), st.randoms(use_true_random=False))
def test_requests_in_the_order_in_which_spans_end_give_the_same(samples: list[Sample], chance: random.Random) -> None:
    expected = new_assembler()
    put(expected, samples)
    assembler = new_assembler()
    found = []
    for at, request in enumerate(cut(samples[::-1], chance)):  # children come before their parents
        put(assembler, request, at / 10)
        found += assembler.ready(at / 10)
    found += assembler.ready(100.0)
    assert outcome(found) == outcome(expected.flush())


@settings(max_examples=50)
@given(traces(), st.randoms(use_true_random=False))
def test_every_held_span_is_handed_out_once_and_in_time(samples: list[Sample], chance: random.Random) -> None:
    assembler = new_assembler()
    chance.shuffle(samples)
    held: list[str] = []
    found: list[str] = []
    for at, request in enumerate(cut(samples, chance)):
        now = float(at)
        held += put(assembler, request, now)
        found += [c.span_id for c in assembler.ready(now)]
        due = assembler.next_due()
        assert due is None or due <= now + 6.0
        assert assembler.held == len(held) - len(found)
    found += [c.span_id for c in assembler.ready(1_000.0)]
    assert sorted(found) == sorted(held)
    assert assembler.next_due() is None


@given(st.permutations(["asked", "answered", "call", "agent"]))
def test_log_records_and_spans_in_any_order_give_the_same(order: list[str]) -> None:
    assembler = new_assembler()
    for at, what in enumerate(order):
        if what == "call":
            put(assembler, [llm("call", "agent", at=(3, 9), attributes={"in_logs": True})], at)
        elif what == "agent":
            put(assembler, [span("agent", Role.AGENT)], at)
        else:
            name = "gen_ai.user.message" if what == "asked" else "gen_ai.choice"
            assembler.add_log("trace", "call", said(name, what, order.index(what)), at)
    (interaction,) = by_span(assembler.ready(20.0))["call"].interactions
    assert (interaction.question, interaction.answer) == ("asked", "answered")
