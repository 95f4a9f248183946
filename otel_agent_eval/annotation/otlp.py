"""The numbers as an OTLP metrics request: cumulative, with start time and exemplars."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval import __version__
from otel_agent_eval.annotation.definitions import Instrument
from otel_agent_eval.annotation.events import SCOPE
from otel_agent_eval.annotation.instruments import AnyTable, Distribution, Exemplar, Number
from otel_agent_eval.annotation.values import attribute

_CUMULATIVE: Final = otlp.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


class Moment(NamedTuple):
    """When the numbers are read, in Unix nanoseconds.

    Everything was counted from `start`, or since its table began, until `now`; of the exemplars only those after
    `pushed`, the time of the push before, go along.
    """

    start: int
    now: int
    pushed: int = 0


def metrics_request(tables: Iterable[AnyTable], resource: Resource, moment: Moment) -> ExportMetricsServiceRequest:
    """Make the request, with one metric for each table that has series."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add(resource=resource).scope_metrics.add()
    scope.scope.name, scope.scope.version = SCOPE, __version__
    scope.metrics.extend(_metric(table, moment) for table in tables if table.items())
    return request


def _metric(table: AnyTable, moment: Moment) -> otlp.Metric:
    metric = otlp.Metric(name=table.metric.name, description=table.metric.description, unit=table.metric.unit)
    start = max(moment.start, table.began)
    for values, series in table.items():
        pairs = zip(table.attributes, values, strict=True)
        attributes = [attribute(name, value) for name, value in pairs if value]
        if isinstance(series, Distribution):
            metric.histogram.aggregation_temporality = _CUMULATIVE
            metric.histogram.data_points.append(_histogram(series, attributes, moment, start))
        elif table.metric.instrument is Instrument.COUNTER:
            metric.sum.aggregation_temporality, metric.sum.is_monotonic = _CUMULATIVE, True
            metric.sum.data_points.append(_number(series, attributes, moment, start))
        else:
            metric.gauge.data_points.append(_number(series, attributes, moment))
    return metric


def _number(series: Number, attributes: list[KeyValue], moment: Moment, start: int = 0) -> otlp.NumberDataPoint:
    return otlp.NumberDataPoint(
        attributes=attributes,
        start_time_unix_nano=start,
        time_unix_nano=moment.now,
        as_double=series.value,
        exemplars=_exemplars([series.exemplar], moment),
    )


def _histogram(series: Distribution, attributes: list[KeyValue], moment: Moment, start: int) -> otlp.HistogramDataPoint:
    counts = list(series.counts)
    return otlp.HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=start,
        time_unix_nano=moment.now,
        count=sum(counts),
        sum=series.sum,
        explicit_bounds=series.edges,
        bucket_counts=counts,
        exemplars=_exemplars(series.exemplars, moment),
    )


def _exemplars(exemplars: Iterable[Exemplar | None], moment: Moment) -> list[otlp.Exemplar]:
    return [
        otlp.Exemplar(
            time_unix_nano=exemplar.time,
            as_double=exemplar.value,
            trace_id=bytes.fromhex(exemplar.trace_id),
            span_id=bytes.fromhex(exemplar.span_id),
        )
        for exemplar in exemplars
        if exemplar is not None and exemplar.time > moment.pushed
    ]
