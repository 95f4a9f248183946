from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.evaluation import Reason
from otel_agent_eval.evaluation.policy import Change, Decision, Policy, Rule, sampled

DEFAULTS = {"toxicity": 0.8, "relevance": 0.4}
BILLING = {"gen_ai.agent.name": ("billing*",)}


def decide(*rules: Rule, trace_id: str = "ab" * 16, **attributes: object) -> Mapping[str, Decision]:
    given = {"gen_ai.agent.name": "billing-bot", **attributes}
    return Policy(DEFAULTS, rules).decide(given.get, trace_id)


def test_without_rules_every_evaluator_has_its_default() -> None:
    assert decide() == DEFAULTS


def test_a_rule_changes_what_it_names_and_nothing_else() -> None:
    rule = Rule(match=BILLING, evaluators={"relevance": Change(threshold=0.9)})
    assert decide(rule) == {"toxicity": 0.8, "relevance": 0.9}


def test_a_rule_that_does_not_match_changes_nothing() -> None:
    rule = Rule(match={"gen_ai.agent.name": ("sales",), "absent": ("*",)}, skip=True)
    assert decide(rule) == DEFAULTS


def test_all_names_of_a_rule_must_match_and_one_pattern_of_each() -> None:
    rule = Rule(match={"gen_ai.agent.name": ("sales", "billing-bot"), "tier": ("gold",)}, skip=True)
    assert decide(rule) == DEFAULTS
    assert decide(rule, tier="gold") == dict.fromkeys(DEFAULTS, Reason.FILTERED)


def test_an_evaluator_is_switched_off_and_on_again_by_a_later_rule() -> None:
    off = Rule(evaluators={"toxicity": Change(enabled=False, threshold=0.5)})
    on = Rule(match=BILLING, evaluators={"toxicity": Change(enabled=True)})
    assert decide(off)["toxicity"] is Reason.FILTERED
    assert decide(off, on)["toxicity"] == 0.5


def test_a_later_rule_takes_back_a_skip_and_a_sampling() -> None:
    assert decide(Rule(skip=True, sampling=0.0), Rule(match=BILLING, skip=False, sampling=1.0)) == DEFAULTS
    assert decide(Rule(sampling=0.0)) == dict.fromkeys(DEFAULTS, Reason.SAMPLED_OUT)


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("a*", "abc", True),
        ("*", "", True),
        ("*b*", "a\nb\nc", True),
        ("[x]?", "[x]?", True),
        ("[x]?", "xa", False),
        ("A", "a", False),
        ("true", True, True),
        ("5", 5, True),
        ("a", None, False),
    ],
)
def test_only_the_star_is_special_in_a_pattern(pattern: str, value: object, fits: bool) -> None:
    decisions = decide(Rule(match={"key": (pattern,)}, skip=True), key=value)
    assert (decisions["toxicity"] is Reason.FILTERED) is fits


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_sample_is_part_of_a_larger_one(trace_id: str, one: float, other: float) -> None:
    assert sampled(trace_id, min(one, other)) <= sampled(trace_id, max(one, other))
    assert sampled(trace_id, 1.0)
    assert not sampled(trace_id, 0.0)


def test_a_sample_is_of_its_size_also_of_what_another_sampler_let_through() -> None:
    let_through = [f"{number:032x}" for number in range(2**56 - 4000, 2**56)]
    assert 0.2 < sum(sampled(trace_id, 0.25) for trace_id in let_through) / 4000 < 0.3
