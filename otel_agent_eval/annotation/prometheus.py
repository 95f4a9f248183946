"""The numbers as Prometheus and OpenMetrics text."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as TextExemplar
from prometheus_client.samples import Sample

from otel_agent_eval.annotation.definitions import prometheus_label
from otel_agent_eval.annotation.instruments import AnyTable, Distribution, Exemplar, Number

_OPENMETRICS = "application/openmetrics-text"


def page(tables: Iterable[AnyTable], accept: str) -> tuple[bytes, str]:
    """Return the page and its content type: OpenMetrics with exemplars if `accept` names it, else the classic text.

    Takes some 10 µs a series; it may run in another thread than the one that counts.
    """
    collector = _Families(tables)
    if _OPENMETRICS in accept:
        body: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]  # the library's omission
        return body, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(collector), CONTENT_TYPE_PLAIN_0_0_4


class _Families(Collector):
    def __init__(self, tables: Iterable[AnyTable]) -> None:
        self._tables = tables

    def collect(self) -> Iterator[Family]:
        for table in self._tables:
            metric = table.metric
            unit = "seconds" if metric.unit == "s" else ""
            family = Family(metric.prometheus, metric.description, metric.instrument, unit)
            labels = [prometheus_label(name) for name in table.attributes]
            for values, series in table.items():
                present = {label: value for label, value in zip(labels, values, strict=True) if value}
                if isinstance(series, Number):
                    family.samples.append(
                        Sample(metric.prometheus_sample, present, series.value, None, _exemplar(series.exemplar))
                    )
                else:
                    family.samples.extend(_buckets(metric.prometheus, present, series))
            yield family


def _buckets(name: str, labels: dict[str, str], series: Distribution) -> Iterator[Sample]:
    edges = (*map(str, series.edges), "+Inf")
    counts = list(accumulate(series.counts))
    for edge, count, exemplar in zip(edges, counts, series.exemplars, strict=True):
        yield Sample(f"{name}_bucket", {**labels, "le": edge}, count, None, _exemplar(exemplar))
    yield Sample(f"{name}_sum", labels, series.sum)
    yield Sample(f"{name}_count", labels, counts[-1])


def _exemplar(exemplar: Exemplar | None) -> TextExemplar | None:
    if exemplar is None:
        return None
    labels = {"trace_id": exemplar.trace_id, "span_id": exemplar.span_id}
    return TextExemplar(labels, exemplar.value, exemplar.time / 1e9)
