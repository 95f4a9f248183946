import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.instruments import Distribution, Exemplar, Number, Table, number

EDGES = (0.25, 0.5, 1.0)


def test_a_value_at_an_edge_lies_in_the_bucket_below_it() -> None:
    series = Distribution(EDGES)
    for value in (0.0, 0.25, 0.2500001, 0.5, 1.0, 1.5):
        series.observe(value)
    assert series.counts == [2, 2, 1, 1]
    assert series.sum == pytest.approx(3.5000001)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(1, 1000)), max_size=50))
def test_weighted_counts_are_whole_and_never_off_by_one(observations: list[tuple[float, float]]) -> None:
    series = Distribution(EDGES)
    for value, weight in observations:
        series.observe(value, weight)
    assert all(isinstance(count, int) for count in series.counts)
    assert abs(sum(series.counts) - sum(weight for _, weight in observations)) < 1 + 1e-6
    if observations:
        values = [value for value, _ in observations]
        assert min(values) - 1e-9 <= series.sum / sum(series.counts) <= max(values) + 1e-9


def test_the_last_exemplar_of_each_bucket_is_kept() -> None:
    series = Distribution(EDGES)
    first, second = Exemplar(0.1, 1, "aa", "bb"), Exemplar(0.2, 2, "aa", "bb")
    series.observe(0.1, exemplar=first)
    series.observe(0.2, exemplar=second)
    series.observe(0.2)
    assert series.exemplars == [second, None, None, None]


def test_a_number_keeps_its_exemplar_until_the_next() -> None:
    series = Number()
    exemplar = Exemplar(1, 1, "aa", "bb")
    series.add(2, exemplar)
    series.add(3)
    assert (series.value, series.exemplar) == (5, exemplar)


def test_series_begin_at_zero_in_all_combinations() -> None:
    table = Table(catalogue.RECEIVED, number)
    table.begin(("traces", "logs"), ("grpc", "http"))
    assert {values: series.value for values, series in table.items()} == dict.fromkeys(
        [("traces", "grpc"), ("traces", "http"), ("logs", "grpc"), ("logs", "http")], 0.0
    )


def test_a_series_needs_a_value_for_each_attribute() -> None:
    with pytest.raises(ValueError, match=r"agent_eval\.gateway\.received has 2 attributes, not 1"):
        Table(catalogue.RECEIVED, number).at("traces")
