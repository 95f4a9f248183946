"""Ranking and decision metrics in numpy, and a paired bootstrap. Higher scores mean label 1."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(labels: Floats, scores: Floats) -> float:
    """Area under the ROC curve; ties count half."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels: Floats, scores: Floats) -> float:
    """Area under the precision-recall steps."""
    if not labels.sum():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered, sorted_scores = labels[order], scores[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(ordered) - 1)
    hits = np.cumsum(ordered)[ends]
    precision, recall = hits / (ends + 1), hits / labels.sum()
    return float(np.sum(np.diff(np.append(0.0, recall)) * precision))


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of a decision "score >= threshold means label 1"."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def f1(self) -> float:
        """F1 of label 1."""
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    @property
    def f1_zero(self) -> float:
        """F1 of label 0 (the hallucinated or irrelevant class)."""
        return 2 * self.tn / max(1, 2 * self.tn + self.fp + self.fn)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the two recalls."""
        return 0.5 * (self.tp / max(1, self.tp + self.fn) + self.tn / max(1, self.tn + self.fp))


@dataclass(frozen=True, slots=True)
class Draws:
    """Of every resample: the AUC, and what it is more than that of the other scorer on the same rows."""

    auc: Floats
    difference: Floats


def confusion(labels: Floats, scores: Floats, threshold: float) -> Confusion:
    """Decisions at a threshold."""
    said = scores >= threshold
    true = labels == 1
    return Confusion(
        int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum()), int((~said & ~true).sum())
    )


def best_threshold(groups: Sequence[tuple[Floats, Floats]]) -> float:
    """The threshold with the best balanced accuracy, the mean over groups of (labels, scores)."""
    grid = np.unique(np.quantile(np.concatenate([scores for _, scores in groups]), np.linspace(0.01, 0.99, 199)))

    def worth(threshold: float) -> float:
        return sum(confusion(labels, scores, threshold).balanced_accuracy for labels, scores in groups)

    return float(max(grid, key=lambda t: worth(float(t))))


def bootstrap(labels: Floats, scores: Floats, other: Floats, groups: Sequence[str], rounds: int, seed: int) -> Draws:
    """AUCs on resamples of whole groups of rows: rows that share a context or a question are no independent trials."""
    rng = np.random.default_rng(seed)
    _, members = np.unique(np.array(groups), return_inverse=True)
    order = np.argsort(members, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(members))[:-1])
    own, differences = np.full(rounds, np.nan), np.full(rounds, np.nan)
    for i in range(rounds):
        chosen = np.concatenate([places[g] for g in rng.integers(len(places), size=len(places))])
        own[i] = auc(labels[chosen], scores[chosen])
        differences[i] = own[i] - auc(labels[chosen], other[chosen])
    return Draws(own, differences)


def interval(draws: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws; a draw without one of the classes (NaN) does not count."""
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return float(low), float(high)


def macro_interval(differences: Sequence[Floats]) -> tuple[float, float]:
    """The interval of the mean over sets, from draws that are independent between the sets: stratified by set."""
    return interval(np.nanmean(np.stack(differences), axis=0))


def expected_calibration_error(labels: Floats, scores: Floats, bins: int = 10) -> float:
    """Mean gap between score and frequency over equal-width bins."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(labels[places == b].mean() - scores[places == b].mean()) * (places == b).mean() for b in set(places)]
    return float(sum(gaps))
