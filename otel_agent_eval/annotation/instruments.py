"""The numbers behind the metrics: one table for each metric, from which both renderings are made.

Written from one thread; read from any, where a reading may show one half of the write it falls into.
prometheus-client's own instruments cannot count an answer by its sampling weight.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Generic, NamedTuple, TypeVar

from otel_agent_eval.annotation.definitions import Metric


class Exemplar(NamedTuple):
    """An answer that stands for a series: its value, the time (Unix nanoseconds) and where to find it (hex ids)."""

    value: float
    time: int
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Number:
    """A counter's or gauge's value."""

    value: float = 0.0
    exemplar: Exemplar | None = None

    def add(self, amount: float = 1.0, exemplar: Exemplar | None = None) -> None:
        """Count further; `amount` is not negative for a counter."""
        self.value += amount
        self.exemplar = exemplar or self.exemplar


@dataclass(slots=True)
class Distribution:
    """A histogram's buckets: `counts[i]` holds values up to and including `edges[i]`, the last one those above."""

    edges: tuple[float, ...]
    counts: list[int] = field(init=False)
    exemplars: list[Exemplar | None] = field(init=False)
    sum: float = 0.0
    _carry: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.edges) + 1)
        self.exemplars = [None] * (len(self.edges) + 1)

    def observe(self, value: float, weight: float = 1.0, exemplar: Exemplar | None = None) -> None:
        """Count a value `weight` times.

        Both formats want whole counts, so the fraction of a weight is carried to the next value: the total is never off
        by one or more, and the sum divided by the count stays a mean.
        """
        times = int(weight + self._carry)
        self._carry += weight - times
        index = bisect_left(self.edges, value)
        self.counts[index] += times
        self.sum += value * times
        if exemplar is not None:
            self.exemplars[index] = exemplar


def number(_: tuple[str, ...]) -> Number:
    """Make a counter's or gauge's series, as `Table` wants it."""
    return Number()


P = TypeVar("P", Number, Distribution)


class Table(Generic[P]):
    """All series of one metric, by the values of its attributes in order; `""` stands for an absent attribute."""

    def __init__(self, metric: Metric, make: Callable[[tuple[str, ...]], P], segments: tuple[str, ...] = ()) -> None:
        """`make` gets the attribute values and returns a series at 0."""
        self.metric = metric
        self.began = 0
        """Since when it counts, in Unix nanoseconds; 0 for since the process began."""
        self.attributes = tuple(attribute.name for attribute in metric.attributes)
        if metric.segmented:
            self.attributes += segments
        self._series: dict[tuple[str, ...], P] = {}
        self._make: Callable[[tuple[str, ...]], P] = make

    def at(self, *values: str) -> P:
        """Return the series of these attribute values, which begins at 0."""
        series = self._series.get(values)
        if series is None:
            if len(values) != len(self.attributes):
                raise ValueError(f"{self.metric.name} has {len(self.attributes)} attributes, not {len(values)}")
            series = self._series[values] = self._make(values)
        return series

    def items(self) -> list[tuple[tuple[str, ...], P]]:
        """Return the series with their attribute values, as they are now."""
        return list(self._series.items())

    def begin(self, *values: Iterable[str]) -> None:
        """Create the series of all combinations, so that a rate sees the first event in each."""
        for combination in product(*values):
            self.at(*combination)


AnyTable = Table[Number] | Table[Distribution]
