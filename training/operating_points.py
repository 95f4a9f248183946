"""What a threshold costs and finds: false alarms against recall, and the rates at the default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.benign_answers import populations
from training.metrics import Estimate, Floats, wilson
from training.report import Result, Score

GRID = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
_RATES_FROM = {
    "toxicity": ("convabuse_train", "jigsaw_multilabel_tiny"),
    "faithfulness": ("ragtruth_qa_train",),
    "relevance": ("dailydialogpp_dev", "trecqa_train_dev", "wikiqa_train_dev"),
}
"""Whose rows the rates at the default are counted on; toxicity's good answers are the benign ones of agents."""


@dataclass(frozen=True, slots=True)
class Benign:
    """A population of benign answers with its toxicity scores."""

    title: str
    counted: bool
    texts: Sequence[str]
    scores: Floats

    def alarms(self, threshold: float) -> list[str]:
        """The texts that are flagged; a text without a score is not."""
        return [text for text, score in zip(self.texts, self.scores, strict=True) if score >= threshold]


@dataclass(frozen=True, slots=True)
class Point:
    """A threshold, the share of good rows that it flags, and of the bad rows of each set the share that it finds."""

    threshold: float
    false_alarms: Estimate
    found: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rates:
    """How often an evaluator version is right at its default threshold, on rows that it was not trained on."""

    evaluator: str
    threshold: float
    bad: int
    bad_flagged: int
    good: int
    good_flagged: int
    bad_from: Sequence[str]
    good_from: Sequence[str]

    @property
    def sensitivity(self) -> Estimate:
        """Share of the bad answers that it labels fail."""
        return wilson(self.bad_flagged, self.bad)

    @property
    def specificity(self) -> Estimate:
        """Share of the good answers that it labels pass."""
        return wilson(self.good - self.good_flagged, self.good)


def benign(folder: Path, score: Score, limit: int) -> list[Benign]:
    """Score the benign populations."""
    return [
        Benign(own.title, own.counted, own.texts, score("toxicity", [{"text": text} for text in own.texts]))
        for own in populations(folder, limit)
    ]


def counted(quiet: Sequence[Benign]) -> Floats:
    """The scores of all that stands for what agents write."""
    return np.concatenate([np.zeros(0), *(population.scores for population in quiet if population.counted)])


def flagged(kind: str, scores: Floats, threshold: float) -> int:
    """How many scores fail the threshold."""
    return int((scores >= threshold if kind == "toxicity" else scores < threshold).sum())


def good_and_bad(result: Result) -> tuple[Floats, Floats]:
    """A set's scores: of rows that should pass and of rows that should fail."""
    bad = (result.labels == 1) == (result.kind == "toxicity")
    return result.scores[~bad], result.scores[bad]


def toxicity_points(quiet: Sequence[Benign], results: Sequence[Result], default: float) -> list[Point]:
    """False alarms on the benign answers that count, beside recall by set."""
    alarming = {r.name: good_and_bad(r)[1] for r in results if r.kind == "toxicity" and r.positives >= 20}
    scores = counted(quiet)
    return [
        Point(
            threshold,
            wilson(flagged("toxicity", scores, threshold), len(scores)),
            {name: flagged("toxicity", bad, threshold) / len(bad) for name, bad in alarming.items()},
        )
        for threshold in _thresholds(default)
    ]


def points(results: Sequence[Result], default: float) -> list[Point]:
    """False alarms on the good rows of sets of one kind, all pooled, beside the share of the bad rows found by set."""
    parts = {r.name: good_and_bad(r) for r in results}
    good = np.concatenate([np.zeros(0), *(own for own, _ in parts.values())])
    kind = results[0].kind if results else ""
    return [
        Point(
            threshold,
            wilson(flagged(kind, good, threshold), len(good)),
            {name: flagged(kind, bad, threshold) / len(bad) for name, (_, bad) in parts.items() if len(bad)},
        )
        for threshold in _thresholds(default)
    ]


def _thresholds(default: float) -> list[float]:
    return sorted({*GRID, default})


def rates(
    results: Sequence[Result], quiet: Sequence[Benign], versions: Mapping[str, str], thresholds: Mapping[str, float]
) -> list[Rates]:
    """The counts at the default thresholds, one entry for each evaluator version."""
    found = []
    for kind, version in versions.items():
        own = [r for r in results if r.kind == kind and r.name in _RATES_FROM[kind]]
        bad = np.concatenate([np.zeros(0), *(good_and_bad(r)[1] for r in own)])
        good = np.concatenate([np.zeros(0), *(good_and_bad(r)[0] for r in own)])
        names = [r.name for r in own]
        good_from = names
        if kind == "toxicity":
            good, good_from = counted(quiet), [population.title for population in quiet if population.counted]
        threshold = thresholds[kind]
        counts = len(bad), flagged(kind, bad, threshold), len(good), flagged(kind, good, threshold)
        found.append(Rates(version, threshold, *counts, names, good_from))
    return found
