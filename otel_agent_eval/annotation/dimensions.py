"""The dimensions of the answer metrics, kept within bounds whatever senders put into them."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import ALL_DIMENSIONS, OTHER
from otel_agent_eval.annotation.definitions import prometheus_label
from otel_agent_eval.annotation.values import clean

_FIXED: Final = tuple(attribute.name for attribute in catalogue.DIMENSIONS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on the dimensions: distinct values of each, distinct combinations of all, characters of a value."""

    values: int = 100
    combinations: int = 200
    length: int = 100


class Dimensions:
    """Turns service, agent, model and segments into attribute values, and says which cap a new one would exceed."""

    def __init__(self, segments: tuple[str, ...], limits: Limits, overflow: Callable[[str], None]) -> None:
        check_segments(segments)
        self.names = (*_FIXED, *segments)
        self._limits = limits
        self._overflow = overflow
        self._values: tuple[set[str], ...] = tuple({""} for _ in self.names)
        self._combinations: set[tuple[str, ...]] = set()
        self.absent = ("",) * len(self.names)
        self.other = (OTHER,) * len(self.names)

    def fold(self, service: str, agent: str, model: str, segments: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values in the order of `names`: cleaned, cut, and `__other__` where a cap is reached.

        `overflow` is called with the dimension's name, or `combination`, each time a cap folds something.
        """
        raw = (service, agent, model, *(segments.get(name, "") for name in self.names[len(_FIXED) :]))
        values = tuple(self._admit(index, self._tidy(value)) for index, value in enumerate(raw))
        if values in self._combinations or values == self.absent:
            return values
        if len(self._combinations) >= self._limits.combinations:
            self._overflow(ALL_DIMENSIONS)
            return self.other
        self._combinations.add(values)
        return values

    def _admit(self, index: int, value: str) -> str:
        known = self._values[index]
        if value in known:
            return value
        if len(known) > self._limits.values:  # the absent value is not counted
            self._overflow(self.names[index])
            return OTHER
        known.add(value)
        return value

    def _tidy(self, value: str) -> str:
        return clean(_CONTROL.sub(" ", value.strip()[: self._limits.length]).strip())


def check_segments(segments: Iterable[str]) -> None:
    """Check that segments can be attributes of metrics.

    Raises `ValueError`, which names the segment, where two would share a label in Prometheus or a name is reserved.
    """
    taken = {prometheus_label(attribute.name): attribute.name for m in catalogue.METRICS for attribute in m.attributes}
    taken["le"] = "le"
    for segment in segments:
        label = prometheus_label(segment)
        if not label.strip("_") or label.startswith("__"):
            raise ValueError(f"segment {segment!r} cannot be a metric attribute: start with a letter")
        if label in taken:
            raise ValueError(
                f"segment {segment!r} would have the same label in Prometheus as {taken[label]!r}: {label}"
            )
        taken[label] = segment
