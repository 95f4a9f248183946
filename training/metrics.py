"""Ranking and decision metrics in numpy, and a paired bootstrap. Higher scores mean label 1."""

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


def confusion(labels: Floats, scores: Floats, threshold: float) -> Confusion:
    """Decisions at a threshold."""
    said = scores >= threshold
    true = labels == 1
    return Confusion(
        int((said & true).sum()), int((said & ~true).sum()), int((~said & true).sum()), int((~said & ~true).sum())
    )


def best_threshold(labels: Floats, scores: Floats, measure: str = "balanced_accuracy") -> float:
    """The threshold on a grid of quantiles that maximises a property of Confusion."""
    grid = np.unique(np.quantile(scores, np.linspace(0.01, 0.99, 199)))
    return float(max(grid, key=lambda t: getattr(confusion(labels, scores, float(t)), measure)))


def bootstrap(
    labels: Floats, scores: Floats, other: Floats | None, rounds: int = 1000, seed: int = 7
) -> dict[str, tuple[float, float]]:
    """95 % intervals of the AUC and, with another scorer, of the difference of the AUCs on the same resamples."""
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(labels == value) for value in (0, 1)]
    if not len(places[0]) or not len(places[1]):
        return {}
    own, differences = [], []
    for _ in range(rounds):
        # Stratified, so that a rare class never vanishes from a resample.
        chosen = np.concatenate([rng.choice(p, len(p)) for p in places])
        value = auc(labels[chosen], scores[chosen])
        own.append(value)
        if other is not None:
            differences.append(value - auc(labels[chosen], other[chosen]))
    found = {"auc": _interval(own)}
    if differences:
        found["difference"] = _interval(differences)
    return found


def _interval(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def expected_calibration_error(labels: Floats, scores: Floats, bins: int = 10) -> float:
    """Mean gap between score and frequency over equal-width bins."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(labels[places == b].mean() - scores[places == b].mean()) * (places == b).mean() for b in set(places)]
    return float(sum(gaps))
