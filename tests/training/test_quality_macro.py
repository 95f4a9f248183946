"""The lines that decide: the mean over sets of AUC minus a comparator's, and its interval."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # training/ is not part of the installed package

from training import metrics, report
from training.datasets import KNOWN_TO_PUBLISHED_WORDS, TRANSFER
from training.metrics import Estimate, Floats

RNG = np.random.default_rng(5)
UNSEEN = [name for name in TRANSFER["toxicity"] if name not in KNOWN_TO_PUBLISHED_WORDS]
SEEN = "jigsaw_wiki_sample"


def labelled(rows: int, strength: float) -> tuple[Floats, Floats]:
    labels = RNG.integers(2, size=rows).astype(np.float64)
    return labels, labels * strength + RNG.normal(size=rows)


def result(name: str, rows: int, model: float, floor: float) -> report.Result:
    labels, scores = labelled(rows, model)
    base = labels * floor + RNG.normal(size=rows)
    texts: list[dict[str, Any]] = [{"text": f"{name} {i}", "label": label} for i, label in enumerate(labels)]
    return report.result("toxicity", name, texts, 1 / (1 + np.exp(-scores)), {"floor": base}, 0.5, 200)


def test_a_better_model_has_an_interval_above_zero_and_an_equal_one_does_not() -> None:
    (better,) = report.macros([result(UNSEEN[0], 300, 2.0, 1.0), result(UNSEEN[1], 300, 2.0, 1.0)])
    assert (better.sets, better.other, better.trained) == (2, "floor", False)
    assert better.difference.low > 0
    (equal,) = report.macros([result(UNSEEN[0], 300, 1.0, 1.0), result(UNSEEN[1], 300, 1.0, 1.0)])
    assert equal.difference.low < 0 < equal.difference.high


def test_the_mean_counts_every_set_the_same_whatever_its_size() -> None:
    results = [result(UNSEEN[0], 60, 2.0, 0.0), result(UNSEEN[1], 600, 1.0, 1.0)]
    (line,) = report.macros(results)
    assert line.difference.value == pytest.approx(np.mean([r.difference("floor").value for r in results]))
    assert line.own.value - line.others.value == pytest.approx(line.difference.value)
    assert line.difference.low < line.difference.value < line.difference.high


def test_sets_trained_on_are_kept_apart_and_sets_of_one_class_do_not_count() -> None:
    texts: list[dict[str, Any]] = [{"text": f"x {i}", "label": 1} for i in range(40)]
    one_class = report.result("toxicity", UNSEEN[1], texts, RNG.random(40), {"floor": RNG.random(40)}, 0.5, 50)
    assert np.isnan(one_class.estimate("auc").value)
    lines = report.macros([result(UNSEEN[0], 100, 1.0, 1.0), result(SEEN, 100, 1.0, 1.0), one_class])
    assert [(m.trained, m.sets) for m in lines] == [(False, 1), (True, 1)]


def test_rows_of_one_group_are_drawn_together_so_that_repeats_do_not_narrow_the_interval() -> None:
    labels, scores = labelled(40, 1.0)

    def width(times: int, groups: list[str]) -> float:
        weights = metrics.resamples(groups, rounds=400, seed=1)
        estimate = Estimate.of(metrics.auc(np.repeat(labels, times), np.repeat(scores, times), weights))
        return estimate.high - estimate.low

    once = width(1, [f"{i:02}" for i in range(40)])
    repeated = width(10, [f"{i:02}" for i in range(40) for _ in range(10)])
    apart = width(10, [str(i) for i in range(400)])
    assert repeated == pytest.approx(once)
    assert apart < 0.6 * repeated


def test_draws_of_one_class_do_not_count_in_a_mean() -> None:
    rows: list[dict[str, Any]] = [{"text": f"{n}", "label": n} for n in (0, 1)]
    found = report.result("toxicity", UNSEEN[0], rows, np.array([0.1, 0.9]), {"floor": np.array([0.9, 0.1])}, 0.5, 50)
    (line,) = report.macros([found])
    assert np.isnan(found.draws["auc"]).any()
    assert (line.difference.low, line.difference.value, line.difference.high) == (1.0, 1.0, 1.0)


def test_a_row_without_a_score_counts_for_nobody() -> None:
    rows: list[dict[str, Any]] = [{"text": f"t {i}", "label": i % 2} for i in range(6)]
    scores = np.array([0.1, 0.9, np.nan, np.nan, 0.2, 0.8])
    others = {"floor": np.array([0.1, 0.9, 1.0, 0.0, 0.2, 0.8])}
    found = report.result("toxicity", "davidson_tweets", rows, scores, others, 0.5, 20)
    assert (found.rows, found.positives, found.skipped) == (4, 2, 2)
    assert found.others["floor"].estimate("auc").value == 1.0
    assert found.confusion == {"tp": 2, "fp": 0, "fn": 0, "tn": 2}


def test_rows_that_share_the_rarer_text_are_one_group() -> None:
    rows: list[dict[str, Any]] = [
        {"answer": f"claim {i // 5}", "context": f"evidence {i}", "label": 1} for i in range(20)
    ]
    assert len(set(report.clusters("faithfulness", "climate_fever", rows))) == 4
    turned: list[dict[str, Any]] = [{"answer": row["context"], "context": row["answer"], "label": 1} for row in rows]
    assert len(set(report.clusters("faithfulness", "bump_pairs", turned))) == 4
