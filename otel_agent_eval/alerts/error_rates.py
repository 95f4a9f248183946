"""How often evaluators err, and what a flagged rate says about the true one (Rogan and Gladen, 1978)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from statistics import NormalDist
from typing import Any, Final

import yaml

from otel_agent_eval.config.alerts import Alerts, ErrorCounts

_CERTAINTY: Final = 0.95
"""The error rates are taken at the unfavourable end of an interval that holds each with this certainty."""


def quantile(tail: float) -> float:
    """Return the number of standard deviations beyond which a share `tail` of a normal distribution lies."""
    return NormalDist().inv_cdf(1.0 - tail)


def wilson(hits: float, total: float, z: float) -> tuple[float, float]:
    """Return Wilson's interval for a share of which `hits` of `total` (more than 0) were seen.

    It never leaves [0, 1], and holds for few and for rare hits too.
    """
    share, room = hits / total, z * z / total
    middle = share + room / 2
    half = z * math.sqrt(max(share * (1 - share), 0.0) / total + room / (4 * total))
    return max(0.0, (middle - half) / (1 + room)), min(1.0, (middle + half) / (1 + room))


@dataclass(frozen=True)
class ErrorRates:
    """The error rates of one evaluator version, measured on labelled answers."""

    counts: ErrorCounts

    @property
    def sensitivity(self) -> float:
        """The share of bad answers that it flags."""
        return self.counts.bad_flagged / self.counts.bad

    @property
    def false_positives(self) -> float:
        """The share of good answers that it flags."""
        return self.counts.good_flagged / self.counts.good

    @cached_property
    def highest(self) -> "tuple[float, float]":
        """The highest sensitivity and false positives that the counts allow: together they explain most flags."""
        z = quantile(1 - _CERTAINTY)
        sensitivity = wilson(self.counts.bad_flagged, self.counts.bad, z)[1]
        return sensitivity, wilson(self.counts.good_flagged, self.counts.good, z)[1]

    def corrected(self, flagged: float) -> float:
        """Return the true rate that a flagged rate points to, in [0, 1]."""
        return _solve(flagged, self.sensitivity, self.false_positives)

    def at_least(self, flagged: float) -> float:
        """Return the lowest true rate that agrees with a flagged rate (itself a lower bound)."""
        return _solve(flagged, *self.highest)

    def detectable(self, limit: float) -> float:
        """Return the lowest true rate that can be told from a limit, however many answers there are."""
        sensitivity, false_positives = self.highest
        flagged = false_positives + limit * (sensitivity - false_positives)
        return self.corrected(flagged)


def error_rates(settings: Alerts) -> Mapping[str, ErrorRates]:
    """Return the error rates by evaluator version: those that come with the package, then those configured."""
    text = files(__package__).joinpath("error_rates.yaml").read_text("utf-8")
    shipped: dict[str, Any] = yaml.safe_load(text)
    counts = {version: ErrorCounts.model_validate(entry) for version, entry in shipped.items()}
    return {version: ErrorRates(entry) for version, entry in sorted({**counts, **settings.error_rates}.items())}


def is_version_of(version: str, evaluator: str) -> bool:
    """Say whether a version such as `builtin/faithfulness@2` is one of an evaluator such as `faithfulness`."""
    return f"/{evaluator}@" in f"/{version}"


def _solve(flagged: float, sensitivity: float, false_positives: float) -> float:
    return min(1.0, max(0.0, (flagged - false_positives) / (sensitivity - false_positives)))
