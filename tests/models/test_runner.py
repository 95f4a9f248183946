import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.models.runner import Recent, Runner
from otel_agent_eval.models.runtime import FloatArray, TokenBatch
from otel_agent_eval.models.tokens import Window


class Sums:
    """Gives the sum of a window's tokens, and keeps what it was run with."""

    def __init__(self) -> None:
        self.batches: list[TokenBatch] = []

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        self.batches.append(batch)
        sums = (batch.input_ids * batch.attention_mask).sum(axis=1) + 1000 * batch.type_ids.sum(axis=1)
        return np.array(sums if output == "sum" else -sums, dtype=np.float32)[:, None]

    @property
    def rows(self) -> int:
        return sum(len(batch.input_ids) for batch in self.batches)


def window(*ids: int) -> Window:
    return Window(ids, (0,) * len(ids))


@settings(deadline=None)
@given(texts=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=80), max_size=20), threads=st.integers(1, 3))
def test_each_window_gets_its_own_output_in_order(texts: list[list[int]], threads: int) -> None:
    rows = Runner(Sums(), 0, threads).rows("sum", [window(*text) for text in texts])
    assert [row.tolist() for row in rows] == [[float(sum(text))] for text in texts]


def test_what_occurs_several_times_is_run_once() -> None:
    runtime = Sums()
    rows = Runner(runtime, 0, 1).rows("sum", [window(1, 2), window(3), window(1, 2)])
    assert [row.tolist() for row in rows] == [[3.0], [3.0], [3.0]]
    assert runtime.rows == 2


def test_what_was_run_lately_is_not_run_again() -> None:
    runtime = Sums()
    runner = Runner(runtime, 0, 1)
    runner.rows("sum", [window(1, 2), window(7)])
    assert [row.tolist() for row in runner.rows("sum", [window(7), window(1, 2)])] == [[7.0], [3.0]]
    assert runtime.rows == 2


def test_another_output_and_other_types_are_not_taken_for_the_same() -> None:
    runner = Runner(Sums(), 0, 1)
    same = window(1, 2)
    assert runner.rows("sum", [same])[0].tolist() == [3.0]
    assert runner.rows("negative", [same])[0].tolist() == [-3.0]
    assert runner.rows("sum", [Window((1, 2), (0, 1))])[0].tolist() == [1003.0]


def test_a_runner_serves_several_threads_at_once() -> None:
    runner = Runner(Sums(), 0, 2)
    texts = [[window(*range(1, n), i) for n in range(2, 90)] for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda windows: [float(row[0]) for row in runner.rows("sum", windows)], texts)]
    assert found == [[float(sum(one.ids)) for one in windows] for windows in texts]


def test_only_so_much_is_remembered_and_the_oldest_goes_first() -> None:
    row = np.zeros(100, dtype=np.float32)
    recent = Recent(size=1500)
    recent.keep({b"a": row, b"b": row})
    recent.find([b"a"])
    recent.keep({b"c": row})
    assert recent.find([b"a", b"b", b"c"]).keys() == {b"a", b"c"}


def test_a_row_larger_than_the_memory_is_not_kept() -> None:
    recent = Recent(size=500)
    recent.keep({b"a": np.zeros(1000, dtype=np.float32)})
    assert not recent.find([b"a"])


def test_the_log_says_now_and_then_how_much_was_remembered(caplog: pytest.LogCaptureFixture) -> None:
    recent = Recent()
    recent.keep({b"a": np.zeros(1, dtype=np.float32)})
    with caplog.at_level(logging.INFO):
        for _ in range(6_000):
            recent.find([b"a", b"b"])
    (record,) = caplog.records
    assert (vars(record)["windows"], vars(record)["remembered"]) == (10_000, 5_000)
