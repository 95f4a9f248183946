"""Ranking and decision metrics over resamples of the rows. Higher scores mean label 1.

Every metric takes weights of shape [draws, rows], as `resamples` makes them, and gives one value for each draw. The
first draw is the rows as they are; the others say how far chance could have moved the value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.alerts.error_rates import wilson as wilson_interval

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the interval that holds it with 95 %; `nan` where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Floats) -> "Estimate":
        """The first draw is the value; the middle 95 % of the others that have a value are the interval."""
        others = draws[1:][~np.isnan(draws[1:])]
        if np.isnan(draws[0]) or not len(others):
            return cls(float(draws[0]), float("nan"), float("nan"))
        low, high = np.quantile(others, (0.025, 0.975))
        return cls(float(draws[0]), float(low), float(high))


def resamples(groups: Sequence[str], rounds: int, seed: int) -> Weights:
    """How often each row is drawn: once in the first draw, then in each of the rounds as often as its group.

    Rows that share a context or a question are no independent trials, so whole groups are drawn.
    """
    _, members = np.unique(np.array(groups), return_inverse=True)
    count = int(members.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=rounds)
    return np.vstack((np.ones(len(members)), drawn[:, members])).astype(np.float32)


def once(rows: int) -> Weights:
    """The weights of a single draw: the rows as they are."""
    return np.ones((1, rows), dtype=np.float32)


def auc(labels: Floats, scores: Floats, weights: Weights) -> Floats:
    """Area under the ROC curve; ties count half; `nan` without both classes."""
    positives, negatives = _at_each_score(labels, scores, weights)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((positives * below).sum(1) / (positives.sum(1) * negatives.sum(1)))


def average_precision(labels: Floats, scores: Floats, weights: Weights) -> Floats:
    """Area under the precision-recall steps; `nan` without label 1."""
    positives, negatives = (part[:, ::-1] for part in _at_each_score(labels, scores, weights))
    found = np.cumsum(positives, axis=1)
    taken = np.maximum(found + np.cumsum(negatives, axis=1), 1.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((positives * found / taken).sum(1) / positives.sum(1))


def _at_each_score(labels: Floats, scores: Floats, weights: Weights) -> tuple[Floats, Floats]:
    """Weights of label 1 and of label 0 at each distinct score, the lowest first: [draws, distinct scores]."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    drawn, true = weights[:, order], labels[order] == 1
    positives, negatives = (np.add.reduceat(drawn * part, starts, axis=1, dtype=np.float64) for part in (true, ~true))
    return positives, negatives


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by label and by the decision "score >= threshold means label 1", for each draw."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @property
    def f1(self) -> Floats:
        """F1 of label 1; `nan` where there is no such row."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn, self.tp + self.fn)

    @property
    def f1_zero(self) -> Floats:
        """F1 of label 0 (the hallucinated class); `nan` where there is no such row."""
        return _share(2 * self.tn, 2 * self.tn + self.fp + self.fn, self.tn + self.fp)

    @property
    def balanced_accuracy(self) -> Floats:
        """Mean of the two recalls; `nan` without both classes."""
        positives, negatives = self.tp + self.fn, self.tn + self.fp
        return (_share(self.tp, positives, positives) + _share(self.tn, negatives, negatives)) / 2


def _share(part: Floats, whole: Floats, rows: Floats) -> Floats:
    return np.where(rows > 0, part / np.maximum(whole, 1.0), np.nan)


def confusion(labels: Floats, scores: Floats, threshold: float, weights: Weights) -> Confusion:
    """Decisions at a threshold."""
    said, true = scores >= threshold, labels == 1
    cells = (said & true, said & ~true, ~said & true, ~said & ~true)
    return Confusion(*(weights.astype(np.float64) @ cell for cell in cells))


def best_threshold(groups: Sequence[tuple[Floats, Floats]]) -> float:
    """The threshold with the best balanced accuracy, the mean over groups of (labels, scores)."""
    grid = np.unique(np.quantile(np.concatenate([scores for _, scores in groups]), np.linspace(0.01, 0.99, 199)))

    def worth(threshold: float) -> float:
        tables = (confusion(labels, scores, threshold, once(len(labels))) for labels, scores in groups)
        return sum(float(table.balanced_accuracy[0]) for table in tables)

    return float(max(grid, key=lambda t: worth(float(t))))


def reciprocal_rank(questions: Sequence[str], labels: Floats, scores: Floats, weights: Weights) -> Floats:
    """Mean over questions of 1 / the rank of the first right candidate. For ties and for what counts, `_ranks`."""
    return _over_questions(questions, labels, scores, weights, lambda ranks: 1 / ranks[0])


def mean_average_precision(questions: Sequence[str], labels: Floats, scores: Floats, weights: Weights) -> Floats:
    """Mean over questions of the precision at each right candidate. For ties and for what counts, `_ranks`."""
    return _over_questions(
        questions, labels, scores, weights, lambda ranks: float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    )


def _over_questions(
    questions: Sequence[str], labels: Floats, scores: Floats, weights: Weights, value: Callable[[Floats], float]
) -> Floats:
    """Mean of a value of the ranks over questions with a right and a wrong candidate; `nan` without such a question."""
    places: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(question, []).append(place)
    mixed = [np.array(own) for own in places.values() if 0 < labels[own].sum() < len(own)]
    if not mixed:
        return np.full(len(weights), np.nan)
    values = np.array([value(_ranks(labels[own], scores[own])) for own in mixed])
    drawn = weights[:, [own[0] for own in mixed]].astype(np.float64)  # a question's rows are drawn together
    with np.errstate(invalid="ignore"):
        return np.asarray(drawn @ values / drawn.sum(1))


def _ranks(labels: Floats, scores: Floats) -> Floats:
    """Ranks of the right candidates, from 1 on, the best first; candidates of one score stand in the order given."""
    order = np.argsort(-scores, kind="stable")
    return np.asarray(np.flatnonzero(labels[order] == 1) + 1, dtype=np.float64)


def wilson(count: int, total: int) -> Estimate:
    """A share of rows and Wilson's 95 % interval, which holds for rare and for few ones too."""
    if not total:
        return Estimate(float("nan"), float("nan"), float("nan"))
    return Estimate(count / total, *wilson_interval(count, total, z=1.959964))


def expected_calibration_error(labels: Floats, scores: Floats, bins: int = 10) -> float:
    """Mean gap between score and frequency over bins of equal width: 0.1 means that scores are off by 0.1."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(labels[places == b].mean() - scores[places == b].mean()) * (places == b).mean() for b in set(places)]
    return float(sum(gaps))
