from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.annotation.dimensions import Dimensions, Limits, check_segments


def dimensions(*segments: str, **limits: int) -> tuple[Dimensions, Counter[str]]:
    overflow: Counter[str] = Counter()

    def count(name: str) -> None:
        overflow[name] += 1

    return Dimensions(segments, Limits(**limits), count), overflow


def test_values_come_in_the_order_of_the_names() -> None:
    made, _ = dimensions("user.segment", "region")
    assert made.names == ("service.name", "gen_ai.agent.name", "gen_ai.request.model", "user.segment", "region")
    assert made.fold("shop", "helper", "gpt", {"region": "eu", "other": "x"}) == ("shop", "helper", "gpt", "", "eu")


def test_a_value_beyond_the_cap_is_folded_and_counted() -> None:
    made, overflow = dimensions(values=2)
    services = [made.fold(name, "a", "m", {})[0] for name in ("one", "two", "three", "one", "four")]
    assert services == ["one", "two", "__other__", "one", "__other__"]
    assert overflow == {"service.name": 2}


def test_a_combination_beyond_the_cap_is_folded_and_counted() -> None:
    made, overflow = dimensions(combinations=2)
    found = [made.fold(*names, {}) for names in (("s", "a", "m"), ("s", "b", "m"), ("s", "b", "n"), ("s", "a", "m"))]
    assert found == [("s", "a", "m"), ("s", "b", "m"), ("__other__",) * 3, ("s", "a", "m")]
    assert overflow == {"combination": 1}


def test_values_are_cut_and_cleaned() -> None:
    made, _ = dimensions(length=5)
    assert made.fold("  a\n\tb  ", "abcdefgh", "m\ud800", {}) == ("a b", "abcde", "m?")


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=60))
def test_whatever_comes_the_number_of_combinations_is_bounded(names: list[tuple[str, str, str]]) -> None:
    made, _ = dimensions(values=3, combinations=5)
    assert len({made.fold(*each, {}) for each in names}) <= 5 + 2


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (["user.segment", "user_segment"], "same label in Prometheus as 'user.segment': user_segment"),
        (["service.name"], "same label in Prometheus as 'service.name'"),
        (["le"], "same label"),
        (["__name__"], "start with a letter"),
        (["\u00fc"], "start with a letter"),
        ([""], "start with a letter"),
    ],
)
def test_segments_that_cannot_be_labels_are_refused(segments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_segments(segments)
