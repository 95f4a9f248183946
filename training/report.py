"""What is measured by set: every set's part that was not trained on, beside other ways to score it."""

import random
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training import metrics
from training.comparators import Comparator
from training.datasets import (
    DIASAFETY_TOXIC,
    KNOWN_TO_PUBLISHED_WORDS,
    TRANSFER,
    Row,
    available_sets,
    group_key,
    normal,
    rows_of,
)
from training.metrics import Estimate, Floats

KINDS = ("toxicity", "faithfulness", "relevance")
Score = Callable[[str, Sequence[Row]], Floats]
"""Kind and rows to scores in [0, 1], as the product gives them; NaN where it gives none."""

RANKED = ("wikiqa_train_dev", "trecqa_train_dev", "dailydialogpp_dev")
"""Sets that give each question several candidates: whole questions are drawn, those with a right and a wrong one."""
_TIMES = {"toxicity": 10, "faithfulness": 1, "relevance": 2}
"""Of sets never trained on so many times as many rows are read: they decide, and short texts cost little."""
_METRICS = {"auc": metrics.auc, "ap": metrics.average_precision}
_RANKINGS = {"mrr": metrics.reciprocal_rank, "map": metrics.mean_average_precision}


@dataclass(frozen=True, slots=True)
class Other:
    """Another scorer's numbers on the same rows: each metric's draws."""

    draws: Mapping[str, Floats]

    def estimate(self, metric: str) -> Estimate:
        """The value and its interval."""
        return Estimate.of(self.draws[metric])


@dataclass(frozen=True, slots=True)
class Result:
    """One set's numbers; `nan` where a set has only one class."""

    kind: str
    name: str
    trained: bool
    rows: int
    positives: int
    skipped: int
    """Rows that the evaluator gave no score."""
    groups: int
    """How many independent groups the rows fall into."""
    confusion: Mapping[str, int]
    calibration_error: float
    draws: Mapping[str, Floats] = field(repr=False)
    """By metric: auc, ap, f1, f1_zero, balanced_accuracy; of sets with candidates also mrr and map."""
    others: Mapping[str, Other] = field(repr=False)
    """By name of the comparator, the floor first."""
    labels: Floats = field(repr=False)
    scores: Floats = field(repr=False)

    def estimate(self, metric: str) -> Estimate:
        """The value and its interval."""
        return Estimate.of(self.draws[metric])

    def difference(self, other: str, metric: str = "auc") -> Estimate:
        """How much more it is than a comparator's on the same draws."""
        return Estimate.of(self.draws[metric] - self.others[other].draws[metric])


@dataclass(frozen=True, slots=True)
class Macro:
    """The mean over sets, each counting the same, of a metric and of its difference to a comparator's."""

    kind: str
    trained: bool
    metric: str
    other: str
    sets: int
    own: Estimate
    others: Estimate
    difference: Estimate


def text_of(row: Row) -> str:
    """What is judged: a text, or an answer."""
    return str(row["text"] if "text" in row else row["answer"])


def held_out_rows(folder: Path, kind: str, name: str, limit: int, seed: int = 3) -> list[Row]:
    """The test part of a set in a seeded random order; a limit of 0 means all rows."""
    rows = [row for row in rows_of(folder, kind, name, "test") if text_of(row).strip() and is_about(kind, name, row)]
    rng = random.Random(seed)
    rng.shuffle(rows)
    most = limit * (_TIMES[kind] if name in TRANSFER[kind] else 1) or len(rows)
    return _whole_questions(rows, most) if name in RANKED else rows[:most]


def is_about(kind: str, name: str, row: Row) -> bool:
    """Whether a row's label speaks of what is measured: unsafe advice and biased opinions need not be toxic."""
    return name != "diasafety_train" or kind != "toxicity" or row["category"] in DIASAFETY_TOXIC


def _whole_questions(rows: Sequence[Row], most: int) -> list[Row]:
    """All candidates of questions that have a right and a wrong one, until there are so many rows."""
    by_question: dict[str, list[Row]] = {}
    for row in rows:
        by_question.setdefault(row["question"], []).append(row)
    found: list[Row] = []
    for own in by_question.values():
        if len({row["label"] > 0 for row in own}) > 1 and len(found) < most:
            found += own
    return found


def measure(
    folder: Path,
    score: Score,
    thresholds: Mapping[str, float],
    comparators: Mapping[str, Sequence[Comparator]],
    limit: int,
    rounds: int = 1000,
) -> list[Result]:
    """Score every set of the kinds that have a threshold."""
    results: list[Result] = []
    for kind in thresholds:
        for name in available_sets(folder, kind):
            started = time.monotonic()
            rows = held_out_rows(folder, kind, name, limit)
            if rows:
                others = {one.name: one.score(rows) for one in comparators[kind]}
                results.append(result(kind, name, rows, score(kind, rows), others, thresholds[kind], rounds))
                print(f"{kind}/{name}: {len(rows)} rows, {time.monotonic() - started:.0f} s", file=sys.stderr)
    return results


def result(
    kind: str,
    name: str,
    rows: Sequence[Row],
    scores: Floats,
    others: Mapping[str, Floats],
    threshold: float,
    rounds: int,
) -> Result:
    """The numbers of one set; comparators count on the rows that have a score."""
    known = np.flatnonzero(~np.isnan(scores)).tolist()
    skipped, rows, scores = len(rows) - len(known), [rows[place] for place in known], scores[known]
    labels = np.array([float(row["label"] > 0) for row in rows])
    groups = clusters(kind, name, rows)
    # A seed of its own for every set: the draws of two sets must not go together.
    weights = metrics.resamples(groups, rounds, seed=zlib.crc32(f"{kind}/{name}".encode()))
    questions = [row["question"] for row in rows] if name in RANKED else []

    def drawn(values: Floats) -> dict[str, Floats]:
        found = {metric: measured(labels, values, weights) for metric, measured in _METRICS.items()}
        if questions:
            found |= {metric: ranked(questions, labels, values, weights) for metric, ranked in _RANKINGS.items()}
        return found

    table = metrics.confusion(labels, scores, threshold, weights)
    return Result(
        kind=kind,
        name=name,
        trained=name not in TRANSFER[kind] or name in KNOWN_TO_PUBLISHED_WORDS,
        rows=len(labels),
        positives=int(labels.sum()),
        skipped=skipped,
        groups=len(set(groups)),
        confusion={cell: int(getattr(table, cell)[0]) for cell in ("tp", "fp", "fn", "tn")},
        calibration_error=metrics.expected_calibration_error(labels, scores),
        draws=drawn(scores) | {"f1": table.f1, "f1_zero": table.f1_zero, "balanced_accuracy": table.balanced_accuracy},
        others={other: Other(drawn(values[known])) for other, values in others.items()},
        labels=labels,
        scores=scores,
    )


def clusters(kind: str, name: str, rows: Sequence[Row]) -> list[str]:
    """What each row shares with others: of the texts that are compared, the one with fewer distinct values."""
    if name in RANKED:
        return [row["question"] for row in rows]
    if kind == "toxicity" or name in {"ragtruth_qa_train", "halueval_qa_slice"} or name.startswith("clapnq"):
        return [group_key(kind, name, row) for row in rows]
    other = "question" if kind == "relevance" else "context"
    candidates = [[normal(str(row[key])) for row in rows] for key in ("answer", other)]
    return min(candidates, key=lambda keys: len(set(keys)))


def macros(results: Sequence[Result], metric: str = "auc") -> list[Macro]:
    """By kind, by whether the sets were trained on, and by comparator; sets without a value do not count.

    The draws of sets are independent of each other, so their mean is a draw of the mean: stratified by set.
    """
    found = []
    for kind, trained in ((kind, trained) for kind in KINDS for trained in (False, True)):
        own = [r for r in results if r.kind == kind and r.trained is trained]
        own = [r for r in own if not np.isnan(r.draws.get(metric, [np.nan])[0])]
        for other in own[0].others if own else ():
            ours = _mean([r.draws[metric] for r in own])
            theirs = _mean([r.others[other].draws[metric] for r in own])
            estimates = Estimate.of(ours), Estimate.of(theirs), Estimate.of(ours - theirs)
            found.append(Macro(kind, trained, metric, other, len(own), *estimates))
    return found


def _mean(sets: Sequence[Floats]) -> Floats:
    """The mean of every draw over the sets that have a value in it."""
    values = np.stack(sets)
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(0) / known.sum(0))
