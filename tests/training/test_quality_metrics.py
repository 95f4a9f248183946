"""The metrics, against definitions written out and values known."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2]))  # training/ is not part of the installed package

from training import metrics
from training.metrics import Estimate, Floats

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=12)


def floats(values: object) -> Floats:
    return np.asarray(values, dtype=np.float64)


def drawn(rows: list[tuple[bool, int, int]]) -> tuple[Floats, Floats, metrics.Weights]:
    labels, scores, times = zip(*rows, strict=True)
    return floats(labels), floats(scores), np.array([times], dtype=np.float32)


@given(ROWS)
def test_auc_is_the_share_of_pairs_in_the_right_order_with_ties_as_half(rows: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = drawn(rows)
    repeated = [(label, score) for label, score, times in rows for _ in range(times)]
    pairs = [(p, n) for p_label, p in repeated if p_label for n_label, n in repeated if not n_label]
    found = metrics.auc(labels, scores, weights)[0]
    if pairs:
        assert found == pytest.approx(np.mean([(p > n) + (p == n) / 2 for p, n in pairs]))
    else:
        assert np.isnan(found)


@given(ROWS)
def test_average_precision_sums_precision_over_the_steps_of_recall(rows: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = drawn(rows)
    repeated = [(label, score) for label, score, times in rows for _ in range(times)]
    total, expected, recall = sum(label for label, _ in repeated), 0.0, 0.0
    for threshold in sorted({score for _, score in repeated}, reverse=True):
        taken = [label for label, score in repeated if score >= threshold]
        expected += (sum(taken) / total - recall) * sum(taken) / len(taken) if total else 0.0
        recall = sum(taken) / total if total else 0.0
    found = metrics.average_precision(labels, scores, weights)[0]
    assert found == pytest.approx(expected) if total else np.isnan(found)


def test_auc_and_average_precision_of_the_example_in_the_scikit_learn_manual() -> None:
    labels, scores = floats([0, 0, 1, 1]), floats([0.1, 0.4, 0.35, 0.8])
    assert metrics.auc(labels, scores, metrics.once(4))[0] == pytest.approx(0.75)
    assert metrics.average_precision(labels, scores, metrics.once(4))[0] == pytest.approx(0.8333333)


def test_decisions_are_counted_by_label() -> None:
    labels, scores = floats([1, 1, 1, 0, 0, 0, 0]), floats([0.9, 0.5, 0.1, 0.6, 0.2, 0.2, 0.2])
    table = metrics.confusion(labels, scores, 0.5, metrics.once(7))
    assert [table.tp[0], table.fp[0], table.fn[0], table.tn[0]] == [2, 1, 1, 3]
    assert table.f1[0] == pytest.approx(2 / 3)
    assert table.f1_zero[0] == pytest.approx(3 / 4)
    assert table.balanced_accuracy[0] == pytest.approx((2 / 3 + 3 / 4) / 2)


def test_decisions_on_one_class_have_no_balanced_accuracy_and_no_f1_of_the_other() -> None:
    table = metrics.confusion(floats([1, 1]), floats([0.9, 0.1]), 0.5, metrics.once(2))
    assert table.f1[0] == pytest.approx(2 / 3)
    assert np.isnan(table.f1_zero[0])
    assert np.isnan(table.balanced_accuracy[0])


def test_ranking_metrics_of_known_ranks() -> None:
    questions = ["a", "b", "a", "b", "a", "c", "c"]
    labels, scores = floats([0, 1, 1, 0, 1, 0, 0]), floats([0.9, 0.8, 0.5, 0.1, 0.3, 0.2, 0.1])
    # a: right ones at ranks 2 and 3; b: at rank 1; c has no right one and does not count.
    assert metrics.reciprocal_rank(questions, labels, scores, metrics.once(7))[0] == pytest.approx((1 / 2 + 1) / 2)
    precision = metrics.mean_average_precision(questions, labels, scores, metrics.once(7))[0]
    assert precision == pytest.approx(((1 / 2 + 2 / 3) / 2 + 1) / 2)


def test_candidates_of_one_score_stand_in_the_order_given() -> None:
    found = [
        metrics.reciprocal_rank(["q"] * 3, floats(labels), floats([0.5, 0.5, 0.5]), metrics.once(3))[0]
        for labels in ([1, 0, 0], [0, 0, 1])
    ]
    assert found == [1.0, pytest.approx(1 / 3)]


def test_a_question_counts_as_often_as_it_was_drawn() -> None:
    questions, labels, scores = ["a", "a", "b", "b"], floats([1, 0, 1, 0]), floats([0.9, 0.1, 0.1, 0.9])
    weights = np.array([[1, 1, 1, 1], [2, 2, 0, 0], [0, 0, 2, 2]], dtype=np.float32)
    assert metrics.reciprocal_rank(questions, labels, scores, weights).tolist() == [0.75, 1.0, 0.5]


def test_resamples_draw_whole_groups_and_begin_with_the_rows_as_they_are() -> None:
    weights = metrics.resamples(["a", "b", "a", "c"], rounds=50, seed=1)
    assert weights.shape == (51, 4)
    assert weights[0].tolist() == [1, 1, 1, 1]
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_an_estimate_takes_its_interval_from_the_draws_that_have_a_value() -> None:
    draws = np.concatenate(([0.5], np.linspace(0, 1, 1001), [np.nan]))
    estimate = Estimate.of(draws)
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx([0.5, 0.025, 0.975])
    none = Estimate.of(np.array([np.nan, 0.1]))
    assert np.isnan([none.value, none.low, none.high]).all()


def test_wilson_intervals_of_known_counts() -> None:
    few = metrics.wilson(0, 1000)  # the "rule of three" says 0.003, Wilson's interval z^2 / (n + z^2)
    assert [few.value, few.low] == pytest.approx([0.0, 0.0])
    assert few.high == pytest.approx(3.8415 / 1003.8415, rel=1e-4)
    half = metrics.wilson(5, 10)
    assert [half.low, half.high] == pytest.approx([0.2366, 0.7634], abs=1e-4)
    assert np.isnan(metrics.wilson(0, 0).value)


def test_calibration_error_is_how_far_scores_are_from_frequencies() -> None:
    sure = floats([0.9] * 10)
    assert metrics.expected_calibration_error(floats([1] * 9 + [0]), sure) == pytest.approx(0.0)
    assert metrics.expected_calibration_error(floats([1] * 5 + [0] * 5), sure) == pytest.approx(0.4)
    halves = floats([0.2] * 4 + [1.0] * 4)  # off by 0.2 in one half, right in the other
    assert metrics.expected_calibration_error(floats([0] * 4 + [1] * 4), halves) == pytest.approx(0.1)


def test_the_best_threshold_divides_the_classes() -> None:
    labels, scores = floats([0] * 50 + [1] * 50), np.linspace(0, 1, 100)
    assert metrics.best_threshold([(labels, scores)]) == pytest.approx(0.5, abs=0.02)
