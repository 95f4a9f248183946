"""The line that decides: the mean over sets of AUC minus the floor's, and its interval."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # training/ is not part of the installed package

from training import metrics, report
from training.metrics import Floats

RNG = np.random.default_rng(5)


def labelled(rows: int, strength: float) -> tuple[Floats, Floats]:
    labels = RNG.integers(2, size=rows).astype(np.float64)
    return labels, labels * strength + RNG.normal(size=rows)


def result(name: str, rows: int, model: float, floor: float, trained: bool = False) -> report.Result:
    labels, scores = labelled(rows, model)
    base = labels * floor + RNG.normal(size=rows)
    texts: list[dict[str, Any]] = [{"text": f"{name} {i}", "label": label} for i, label in enumerate(labels)]
    squashed = 1 / (1 + np.exp(-scores))
    return report._result("toxicity", name, texts, squashed, base, 0.5, trained, 200)


def test_a_better_model_has_an_interval_above_zero_and_an_equal_one_does_not() -> None:
    better = report.macros([result("a", 300, 2.0, 1.0), result("b", 300, 2.0, 1.0)])
    assert [m.sets for m in better] == [2]
    assert better[0].interval[0] > 0
    equal = report.macros([result("a", 300, 1.0, 1.0), result("b", 300, 1.0, 1.0)])
    low, high = equal[0].interval
    assert low < 0 < high


def test_the_mean_counts_every_set_the_same_whatever_its_size() -> None:
    results = [result("small", 60, 2.0, 0.0), result("large", 600, 1.0, 1.0)]
    (line,) = report.macros(results)
    assert line.auc - line.floor_auc == pytest.approx(np.mean([r.auc - r.floor_auc for r in results]))
    low, high = line.interval
    assert low < line.auc - line.floor_auc < high


def test_sets_trained_on_and_sets_of_one_class_are_kept_apart() -> None:
    one_class = result("one", 40, 1.0, 1.0)
    one_class.auc = float("nan")
    lines = report.macros([result("a", 100, 1.0, 1.0), result("b", 100, 1.0, 1.0, trained=True), one_class])
    assert [(m.trained, m.sets) for m in lines] == [(False, 1), (True, 1)]


def test_rows_of_one_group_are_drawn_together_so_that_repeats_do_not_narrow_the_interval() -> None:
    labels, scores = labelled(40, 1.0)
    other = labels + RNG.normal(size=40)
    again = [np.repeat(values, 10) for values in (labels, scores, other)]
    groups = [str(i) for i in range(40)]
    once = metrics.bootstrap(labels, scores, other, groups, rounds=400, seed=1)
    repeated = metrics.bootstrap(*again, [g for g in groups for _ in range(10)], rounds=400, seed=1)
    apart = metrics.bootstrap(*again, [str(i) for i in range(400)], rounds=400, seed=1)
    width = {name: np.ptp(metrics.interval(d.difference)) for name, d in (("1", once), ("10", repeated), ("x", apart))}
    assert width["10"] == pytest.approx(width["1"])
    assert width["x"] < 0.6 * width["10"]


def test_a_resample_without_one_class_does_not_count() -> None:
    draws = metrics.bootstrap(np.array([1.0, 0.0]), np.array([0.9, 0.1]), np.array([0.1, 0.9]), ["a", "b"], 50, 1)
    assert np.isnan(draws.auc).any()
    assert metrics.interval(draws.difference) == (1.0, 1.0)


def test_rows_that_share_the_rarer_text_are_one_group() -> None:
    rows: list[dict[str, Any]] = [
        {"answer": f"claim {i // 5}", "context": f"evidence {i}", "label": 1} for i in range(20)
    ]
    assert len(set(report.clusters("faithfulness", "climate_fever", rows))) == 4
    turned: list[dict[str, Any]] = [{"answer": row["context"], "context": row["answer"], "label": 1} for row in rows]
    assert len(set(report.clusters("faithfulness", "bump_pairs", turned))) == 4
