"""One measurement of everything: by set, on benign answers, by group of people, at every threshold."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training import identity, operating_points, report
from training.comparators import Comparator
from training.identity import Group, Pairs
from training.metrics import Estimate
from training.operating_points import Benign, Rates
from training.report import Result, Score


@dataclass(frozen=True, slots=True)
class Study:
    """What was measured of evaluators, whose default thresholds and versions are given by kind."""

    thresholds: Mapping[str, float]
    versions: Mapping[str, str]
    results: Sequence[Result]
    benign: Sequence[Benign]
    terms: Sequence[Group]
    topics: Sequence[Group]
    pairs: Sequence[Pairs]
    rates: Sequence[Rates]
    missing: Sequence[str]
    """Comparators that could not run here, a line each."""


def run(
    folder: Path,
    score: Score,
    evaluators: Mapping[str, tuple[str, float]],
    comparators: Mapping[str, Sequence[Comparator]],
    limit: int,
    rounds: int = 1000,
    missing: Sequence[str] = (),
) -> Study:
    """Measure evaluators, given as version and default threshold by kind; a limit of 0 means all rows of every set."""
    thresholds = {kind: threshold for kind, (_, threshold) in evaluators.items()}
    versions = {kind: version for kind, (version, _) in evaluators.items()}
    results = report.measure(folder, score, thresholds, comparators, limit, rounds)
    quiet, terms, topics, pairs = [], [], [], []
    if "toxicity" in thresholds:
        print("benign answers and groups of people", file=sys.stderr)
        threshold = thresholds["toxicity"]
        quiet = operating_points.benign(folder, score, limit)
        terms = identity.by_term(folder, score, threshold)
        topics = identity.by_topic(folder, score, threshold, limit // 5)
        pairs = identity.by_pair(folder, score, threshold)
    rates = operating_points.rates(results, quiet, versions, thresholds)
    return Study(thresholds, versions, results, quiet, terms, topics, pairs, rates, missing)


def write_json(study: Study, path: Path) -> None:
    """Everything measured, for other programs: values with their 95 % intervals as [value, low, high]."""
    macros = [macro for metric in ("auc", "mrr", "map") for macro in report.macros(study.results, metric)]
    found = {
        "evaluators": {
            kind: {"version": version, "threshold": study.thresholds[kind]} for kind, version in study.versions.items()
        },
        "results": [_result(r) for r in study.results],
        "macros": [_plain(asdict(macro)) for macro in macros],
        "false_alarms": _alarms(study, counted=True),
        "provoked_alarms": _alarms(study, counted=False),
        "identity_terms": [_plain(asdict(group)) for group in study.terms],
        "topics": [_plain(asdict(group)) for group in study.topics],
        "pairs": [_plain(asdict(pair)) for pair in study.pairs],
        "rates": rates(study),
        "left_out": [*study.missing],
    }
    _write(path, found)


def _alarms(study: Study, *, counted: bool) -> dict[str, tuple[int, int]]:
    """By population of benign answers: how many alarm, of how many."""
    own = [population for population in study.benign if population.counted is counted]
    return {p.title: (len(p.alarms(study.thresholds["toxicity"])), len(p.texts)) for p in own}


def rates(study: Study) -> dict[str, Any]:
    """By evaluator version: sensitivity and specificity at the default threshold, with the counts behind them."""
    return {
        entry.evaluator: {
            "threshold": entry.threshold,
            "sensitivity": _share(entry.sensitivity),
            "sensitivity_interval": [_share(entry.sensitivity, "low"), _share(entry.sensitivity, "high")],
            "specificity": _share(entry.specificity),
            "specificity_interval": [_share(entry.specificity, "low"), _share(entry.specificity, "high")],
            "rows": entry.bad + entry.good,
            "bad": entry.bad,
            "bad_flagged": entry.bad_flagged,
            "good": entry.good,
            "good_flagged": entry.good_flagged,
            "bad_from": [*entry.bad_from],
            "good_from": [*entry.good_from],
        }
        for entry in study.rates
    }


def write_rates(study: Study, path: Path) -> None:
    """Write `rates` alone."""
    _write(path, rates(study))


def _result(result: Result) -> dict[str, Any]:
    return {
        **{key: getattr(result, key) for key in ("kind", "name", "trained", "rows", "positives", "skipped", "groups")},
        "confusion": dict(result.confusion),
        "calibration_error": round(result.calibration_error, 5),
        "metrics": {metric: _plain(asdict(result.estimate(metric))) for metric in result.draws},
        "others": {
            name: {
                "metrics": {metric: _plain(asdict(other.estimate(metric))) for metric in other.draws},
                "differences": {metric: _plain(asdict(result.difference(name, metric))) for metric in other.draws},
            }
            for name, other in result.others.items()
        },
    }


def _share(estimate: Estimate, end: str = "value") -> float | None:
    value: float | None = _plain(getattr(estimate, end))
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
    """Estimates as lists, numbers of five digits, `null` for what has no value."""
    if isinstance(value, dict):
        plain = {key: _plain(own) for key, own in value.items()}
        return [*plain.values()] if [*plain] == ["value", "low", "high"] else plain
    if isinstance(value, float):
        return None if value != value else round(value, 5)  # noqa: PLR0124 (only NaN is not itself)
    return value


def _write(path: Path, found: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
