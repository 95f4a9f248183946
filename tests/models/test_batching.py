import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.models.batching import pack, pad
from otel_agent_eval.models.tokens import Window


@given(lengths=st.lists(st.integers(1, 300), max_size=60), budget=st.integers(1, 1000))
def test_every_item_is_in_one_group_within_the_budget(lengths: list[int], budget: int) -> None:
    groups = list(pack(lengths, budget))
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[position] for position in group) <= budget


def test_items_of_like_length_go_together() -> None:
    assert list(pack([10, 100, 12, 90], 200)) == [[1, 3], [2, 0]]


def test_padding_is_masked_and_types_are_kept() -> None:
    batch = pad([Window((5, 6, 7), (0, 1, 2)), Window((8,), (0,))], padding=9)
    np.testing.assert_array_equal(batch.input_ids, [[5, 6, 7], [8, 9, 9]])
    np.testing.assert_array_equal(batch.attention_mask, [[1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(batch.type_ids, [[0, 1, 2], [0, 0, 0]])
