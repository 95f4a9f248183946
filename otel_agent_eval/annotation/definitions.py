"""What the catalogue is made of: attributes, events and metrics, and how their names follow from each other."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "agent_eval."
"""Attributes of a span under this prefix belong to the gateway: it replaces whatever it finds there."""


class Type(StrEnum):
    """The types of attribute values, in OpenTelemetry's words."""

    STRING = "string"
    DOUBLE = "double"
    INT = "int"
    BOOLEAN = "boolean"
    STRINGS = "string[]"


class Instrument(StrEnum):
    """The kinds of metrics; counters are monotonic sums, histograms have explicit buckets, all are cumulative."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Stability(StrEnum):
    """How far a name can be relied upon: ALPHA is this project's own, the others are OpenTelemetry's."""

    ALPHA = "alpha"
    DEVELOPMENT = "development"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute: `values` is its closed list, empty where it is open."""

    name: str
    type: Type = Type.STRING
    description: str
    values: tuple[str, ...] = ()
    stability: Stability = Stability.ALPHA

    @property
    def prometheus(self) -> str:
        """The label that the attribute becomes in Prometheus."""
        return prometheus_label(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorAttribute:
    """An attribute that each evaluator writes under its own name; `evaluators` names those that do, empty for all."""

    suffix: str
    type: Type = Type.STRING
    description: str
    values: tuple[str, ...] = ()
    evaluators: tuple[str, ...] = ()
    stability: Stability = Stability.ALPHA

    @property
    def name(self) -> str:
        """The template, as documentation shows it."""
        return self.of("<name>")

    def of(self, evaluator: str) -> str:
        """Return the attribute's name for one evaluator."""
        return evaluator_attribute(evaluator, self.suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: a log record with `event_name`, or by choice a span event."""

    name: str
    description: str
    attributes: tuple[Attribute, ...]
    stability: Stability = Stability.ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: `unit` in UCUM; `segmented` says that the configured segments are attributes too."""

    name: str
    instrument: Instrument
    unit: str
    description: str
    attributes: tuple[Attribute, ...]
    segmented: bool = False
    stability: Stability = Stability.ALPHA

    @property
    def prometheus(self) -> str:
        """The metric's family name in Prometheus, without a counter's `_total`."""
        ratio = "_ratio" if self.instrument is Instrument.GAUGE else ""
        unit = {"s": "_seconds", "By": "_bytes", "1": ratio}.get(self.unit, "")
        return self.name.replace(".", "_") + unit

    @property
    def prometheus_sample(self) -> str:
        """The name to query in Prometheus; a histogram's samples add `_bucket`, `_sum` and `_count` to it."""
        return self.prometheus + ("_total" if self.instrument is Instrument.COUNTER else "")


def evaluator_attribute(evaluator: str, suffix: str) -> str:
    """Return the name of an evaluator's attribute, such as its evidence of the key `suffix`."""
    return f"{PREFIX}{evaluator}.{suffix}"


def prometheus_label(attribute: str) -> str:
    """Translate an attribute's name as OpenTelemetry's Prometheus exporters do."""
    label = re.sub(r"[^a-zA-Z0-9_]", "_", attribute)
    return f"key_{label}" if label[:1].isdigit() else label
