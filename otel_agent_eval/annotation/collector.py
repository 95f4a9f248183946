"""The gateway's numbers once more under the names by which the OpenTelemetry Collector reports the same about itself.

Dashboards and alerts made for Collectors then work for a gateway in their place. Nothing is counted twice: the tables
here are made when the page is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.catalogue import Drop
from otel_agent_eval.annotation.definitions import Attribute, Instrument, Metric, Stability
from otel_agent_eval.annotation.instruments import AnyTable, Number, Table, number
from otel_agent_eval.signals import Signal

RECEIVER: Final = Attribute(
    name="receiver", description="always `otlp`, the type of all receivers", stability=Stability.DEVELOPMENT
)
TRANSPORT: Final = Attribute(name="transport", description="`grpc` or `http`", stability=Stability.DEVELOPMENT)
EXPORTER: Final = Attribute(
    name="exporter", description="the exporter, as the configuration names it", stability=Stability.DEVELOPMENT
)
_ITEMS: Final = {Signal.TRACES: "spans", Signal.LOGS: "log_records", Signal.METRICS: "metric_points"}
_RECEIVER: Final = "otlp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """How a metric of the Collector's follows from one of ours.

    `attributes` gives for each attribute of theirs the one of ours; `only` is which values others of ours must have.
    """

    metric: Metric
    source: Metric
    attributes: Mapping[Attribute, Attribute]
    only: Mapping[Attribute, frozenset[str]] = field(default_factory=dict)


def _translations() -> Iterable[Translation]:
    into: Mapping[Attribute, Attribute] = {TRANSPORT: catalogue.TRANSPORT}
    out: Mapping[Attribute, Attribute] = {EXPORTER: catalogue.DESTINATION}
    failed = {catalogue.DROP: frozenset({Drop.REJECTED, Drop.UNIMPLEMENTED, Drop.EXPIRED, Drop.STOPPING})}
    not_kept = {catalogue.DROP: frozenset({Drop.JOURNAL_FULL, Drop.UNREADABLE})}
    families: tuple[tuple[str, str, Metric, Mapping[Attribute, Attribute], Mapping[Attribute, frozenset[str]]], ...] = (
        ("receiver_accepted", "pushed into the pipeline", catalogue.RECEIVED, into, {}),
        ("receiver_refused", "that could not be pushed into the pipeline", catalogue.REFUSED_ITEMS, into, {}),
        ("exporter_sent", "sent to a destination", catalogue.FORWARDED, out, {}),
        ("exporter_send_failed", "that a destination will never get, for it did not take them",
         catalogue.DROPPED, out, failed),
        ("exporter_enqueue_failed", "that a destination will never get, for the queue could not keep them",
         catalogue.DROPPED, out, not_kept),
    )  # fmt: skip
    for family, what, source, attributes, only in families:
        for signal, items in _ITEMS.items():
            yield Translation(
                metric=_metric(f"{family}_{items}", Instrument.COUNTER, items, f"{_words(items)} {what}", attributes),
                source=source,
                attributes=attributes,
                only={catalogue.SIGNAL: frozenset({signal}), **only},
            )
    for name, source, what in (
        ("exporter_queue_size", catalogue.QUEUED_BYTES, "Bytes that wait for a destination"),
        ("exporter_queue_capacity", catalogue.QUEUE_CAPACITY, "Bytes that may wait for a destination"),
    ):
        yield Translation(metric=_metric(name, Instrument.GAUGE, "bytes", what, out), source=source, attributes=out)


def _metric(
    name: str, instrument: Instrument, items: str, description: str, attributes: Mapping[Attribute, Attribute]
) -> Metric:
    first = (RECEIVER,) if TRANSPORT in attributes else ()
    return Metric(
        name=f"otelcol_{name}",
        instrument=instrument,
        unit=f"{{{items}}}",
        description=description,
        attributes=(*first, *attributes),
        stability=Stability.DEVELOPMENT,
    )


def _words(items: str) -> str:
    return items.replace("_", " ").capitalize()


TRANSLATIONS: Final = tuple(_translations())
"""All of them; the Collector's names can change with its versions."""


def collector_tables(tables: Iterable[AnyTable]) -> list[AnyTable]:
    """Return the tables under the Collector's names that follow from ours."""
    sources = {table.metric: table for table in tables}
    return [_translated(translation, sources[translation.source]) for translation in TRANSLATIONS]


def _translated(translation: Translation, source: AnyTable) -> Table[Number]:
    made = Table(translation.metric, number)
    places = {name: index for index, name in enumerate(source.attributes)}
    wanted = [(places[attribute.name], values) for attribute, values in translation.only.items()]
    kept = [places[ours.name] for ours in translation.attributes.values()]
    first = (_RECEIVER,) if RECEIVER in translation.metric.attributes else ()
    for values, series in source.items():
        if isinstance(series, Number) and all(values[index] in allowed for index, allowed in wanted):
            made.at(*first, *(values[index] for index in kept)).value += series.value
    return made
