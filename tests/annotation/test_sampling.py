import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.annotation.sampling import MAX_WEIGHT, adjusted_count


@pytest.mark.parametrize(
    ("trace_state", "weight"),
    [
        ("", 1.0),
        ("ot=th:0", 1.0),
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("ot=th:c0000000000000", 4.0),
        ("ot=rv:1234567890abcd;th:fd7", 1 / (1 - 0xFD7 / 0x1000)),
        ("vendor=1, ot=th:8;rv:00000000000000,other=th:c", 2.0),
        ("other=th:c", 1.0),
        ("ot=path:c", 1.0),
        ("ot=th:", 1.0),
        ("ot=th:xyz", 1.0),
        ("ot=th:c00000000000000", 1.0),
        ("ot=th:ffffffffffffff", MAX_WEIGHT),
    ],
)
def test_the_sampling_threshold_says_how_many_answers_one_stands_for(trace_state: str, weight: float) -> None:
    assert math.isclose(adjusted_count(trace_state), weight)


@given(st.one_of(st.text(), st.text(alphabet="ot=h:;,0af ").map("ot=th:".__add__)))
def test_any_trace_state_gives_a_weight_within_bounds(trace_state: str) -> None:
    assert 1.0 <= adjusted_count(trace_state) <= MAX_WEIGHT
