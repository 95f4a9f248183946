"""Windows of many lengths to padded batches that waste little on padding."""

from collections.abc import Iterator, Sequence

import numpy as np

from otel_agent_eval.models.runtime import TokenBatch
from otel_agent_eval.models.tokens import Window


def pack(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield groups of positions, alike in length, each of at most `budget` tokens once padded; the longest first.

    An item longer than the budget is a group of its own.
    """
    group: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if group and (len(group) + 1) * lengths[group[0]] > budget:
            yield group
            group = []
        group.append(position)
    if group:
        yield group


def pad(windows: Sequence[Window], padding: int) -> TokenBatch:
    """Make the arrays of one run."""
    shape = (len(windows), max(len(window.ids) for window in windows))
    input_ids = np.full(shape, padding, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=np.int64)
    type_ids = np.zeros(shape, dtype=np.int64)
    for row, window in enumerate(windows):
        length = len(window.ids)
        input_ids[row, :length] = window.ids
        attention_mask[row, :length] = 1
        type_ids[row, :length] = window.types
    return TokenBatch(input_ids, attention_mask, type_ids)
