"""Which evaluators judge an answer, and by which thresholds: the rules of the configuration."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from otel_agent_eval.evaluation.evaluation import Reason

_T = TypeVar("_T")

Decision = float | Reason
"""The threshold to judge by, or why an evaluator does not judge."""

Lookup = Callable[[str], object]
"""The value of an attribute by its name, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a rule says of one evaluator; None where it says nothing."""

    enabled: bool | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the answers whose attributes match; None where it says nothing.

    `match` gives patterns by attribute name, of which one must fit (`*` stands for any characters); all names must fit.
    `sampling` is the share of traces that are judged, in [0, 1].
    """

    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: bool | None = None
    sampling: float | None = None
    evaluators: Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """The default threshold of each evaluator that runs, and the rules in order: later ones replace earlier ones."""

    thresholds: Mapping[str, float]
    rules: Sequence[Rule] = ()

    def decide(self, attribute: Lookup, trace_id: str) -> dict[str, Decision]:
        """Decide for each evaluator on one answer."""
        if not self.rules:
            return dict(self.thresholds)
        rules = [rule for rule in self.rules if matches(rule.match, attribute)]
        skip = _last([rule.skip for rule in rules], default=False)
        sampling = _last([rule.sampling for rule in rules], default=1.0)
        if skip:
            return dict.fromkeys(self.thresholds, Reason.FILTERED)
        if not sampled(trace_id, sampling):
            return dict.fromkeys(self.thresholds, Reason.SAMPLED_OUT)
        return {name: _decide(name, threshold, rules) for name, threshold in self.thresholds.items()}


def sampled(trace_id: str, share: float) -> bool:
    """Whether a trace is among the `share` that is judged: the same everywhere, for every evaluator, on every replica.

    The id is hashed, because upstream samplers choose by its very bits: of what they let through, a share by the same
    bits would be all or nothing.
    """
    digest = hashlib.blake2b(trace_id.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2.0**64


def matches(match: Mapping[str, tuple[str, ...]], attribute: Lookup) -> bool:
    """Whether of every name in `match` the attribute fits one of its patterns; `*` stands for any characters."""
    return all(_fits(attribute(name), patterns) for name, patterns in match.items())


def _decide(name: str, threshold: float, rules: Sequence[Rule]) -> Decision:
    changes = [rule.evaluators[name] for rule in rules if name in rule.evaluators]
    if not _last([change.enabled for change in changes], default=True):
        return Reason.FILTERED
    return _last([change.threshold for change in changes], default=threshold)


def _last(values: Sequence[_T | None], *, default: _T) -> _T:
    return next((value for value in reversed(values) if value is not None), default)


def _fits(value: object, patterns: tuple[str, ...]) -> bool:
    if value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return any(_pattern(pattern).fullmatch(text) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """Only `*` is special: attribute values are full of brackets and question marks."""
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
